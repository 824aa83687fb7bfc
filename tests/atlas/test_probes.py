"""Probes of a linear model, whose loss is a quadratic, against numpy in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from psi.atlas.data import arrays_of, order_of, rows_of
from psi.atlas.networks import KINDS
from psi.atlas.probes import BATCHES
from tests.atlas.conftest import TASKS
from tests.atlas.test_networks import SHAPE
from tests.atlas.test_training import trained


def test_probes_of_a_quadratic():
    """The loss of a linear model is a quadratic: along u its curvature is exact."""
    task, shape, rows = TASKS["linear"], SHAPE["linear"], rows_of(TASKS["linear"])
    probes = trained("linear", "sgd", (0.1, 0.1, 0.1)).probes
    arrays = jax.tree.map(jnp.asarray, arrays_of(task, rows, shape))
    start = jax.random.fold_in(jax.random.fold_in(jax.random.key(5), 0), 0)
    w, bias = KINDS["linear"].init(shape, arrays.sizes, start)
    theta = np.append(np.asarray(w)[0, : task.inputs], np.asarray(bias)[0]).astype(float)
    order, gs, slopes, curvatures, first = order_of(task, 0), [], 0.0, 0.0, []
    for k in range(BATCHES):
        i, s = divmod(k, task.steps)
        at = order[i * task.rows + s * task.batch :][: task.batch]
        x = np.append(rows.x[at], np.ones((task.batch, 1)), axis=1)
        off = x @ theta - rows.y[at]
        g, hessian = x.T @ off / task.batch, x.T @ x / task.batch
        gs.append(g)
        first.append(np.square(off).mean() / 2)
        slopes += g @ g
        curvatures += abs(g @ hessian @ g)
    each = np.mean([g @ g for g in gs])
    mean = np.mean(gs, axis=0)
    signal = (BATCHES * mean @ mean - each) / (BATCHES - 1)
    got = {name: float(np.asarray(value)[0, 0]) for name, value in probes._asdict().items()}
    assert got["initial_loss"] == pytest.approx(np.mean(first), rel=1e-4)
    assert got["weight_norm"] == pytest.approx(np.linalg.norm(theta), rel=1e-5)
    assert got["grad_norm"] == pytest.approx(np.sqrt(each), rel=1e-4)
    assert got["curvature_scale"] == pytest.approx(slopes / curvatures, rel=1e-2)
    assert got["noise_scale"] == pytest.approx(task.batch * (each - signal) / signal, rel=1e-2)
    assert 1e-5 < got["range_rate"] <= 10


def test_what_is_not_probed_is_nan():
    probes = trained("linear", "sgd", (0.1, 0.1, 0.1), probing=False).probes
    assert np.isnan(np.asarray(probes.initial_loss)).all()
    assert np.isnan(np.asarray(probes.curvature_scale)).all()
