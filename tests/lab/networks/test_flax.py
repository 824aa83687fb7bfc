"""A Flax module as a network, against the lab's own; and a user's own pair of functions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from sklearn.datasets import load_wine

from psi.lab.engine.policy import trajectory
from psi.lab.engine.population import population
from psi.lab.hyper import Hyper
from psi.lab.networks.flax import from_flax
from psi.lab.networks.mlp import mlp
from psi.lab.networks.network import Network
from psi.lab.tasks.build import fixed_task
from psi.lab.tasks.task import Batch, Splits

pytestmark = pytest.mark.slow  # many programs are compiled

KEY = jax.random.key(5)
HYPER = Hyper(epochs=2)
INPUTS, WIDTH, CLASSES = 13, 8, 3


class Mlp(nnx.Module):
    """One hidden layer, as psi.lab.networks.mlp.mlp."""

    def __init__(self, rngs):
        self.layers = nnx.List(
            [nnx.Linear(INPUTS, WIDTH, rngs=rngs), nnx.Linear(WIDTH, CLASSES, rngs=rngs)]
        )

    def __call__(self, x):
        return self.layers[1](nnx.relu(self.layers[0](x)))


def transposed(params):
    """Flax's (inputs, outputs) as the lab's (outputs, inputs)."""
    layers = params["layers"]
    return [(layers[k]["kernel"].T, layers[k]["bias"]) for k in range(2)]


def wine():
    x, y = (np.asarray(a) for a in load_wine(return_X_y=True))
    x = (x - x.mean(0)) / x.std(0)
    order = np.random.default_rng(0).permutation(len(y))
    part = lambda rows: Batch(jnp.asarray(x[rows], jnp.float32), jnp.asarray(y[rows], jnp.int32))  # noqa: E731
    return Splits(*(part(rows) for rows in np.split(order, [100, 140])))


def trained(network, splits):
    task = fixed_task("mine", network, splits, HYPER, CLASSES, batch=20)
    rates = np.geomspace(0.01, 0.3, 3, dtype=np.float32)[:, None].repeat(HYPER.epochs, 1)
    return population(task, trajectory, rates, np.arange(2), KEY)


@pytest.fixture(scope="module")
def network():
    return from_flax(Mlp)


def test_a_network_trains_as_the_labs_own(network):
    splits = wine()
    own = mlp(INPUTS, CLASSES, WIDTH)
    same_start = Network(lambda key: transposed(network.init(key)), own.apply)
    one, other = trained(network, splits), trained(same_start, splits)
    assert one.val_loss.shape == (3, 2, HYPER.epochs)
    assert (one.loss_next[..., -1] < one.loss_full[..., 0]).all()  # it learns
    assert len(np.unique(one.loss_full[0, :, 0])) == 2  # each seed its own initialisation
    for name in ("loss_full", "loss_next", "val_loss", "grad_norm", "test_accuracy"):
        np.testing.assert_allclose(
            getattr(one, name), getattr(other, name), rtol=2e-5, err_msg=name
        )


def test_parameters_are_plain_arrays_and_lanes_may_be_mapped_over(network):
    params = jax.jit(network.init)(KEY)
    assert {type(leaf) for leaf in jax.tree.leaves(params)} == {type(jnp.zeros(1))}
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == 13 * 8 + 8 + 8 * 3 + 3
    x = np.random.default_rng(0).normal(size=(7, INPUTS)).astype(np.float32)
    (w1, b1), (w2, b2) = [tuple(map(np.asarray, layer)) for layer in transposed(params)]
    expected = w2 @ np.maximum(w1 @ x.T + b1[:, None], 0) + b2[:, None]
    np.testing.assert_allclose(
        network.apply(params, jnp.asarray(x)), expected, rtol=1e-5, atol=1e-6
    )
    lanes = jax.tree.map(lambda a: jnp.asarray(np.stack([a, 0 * a])), params)
    each = jax.jit(jax.vmap(network.apply, in_axes=(0, None)))(lanes, jnp.asarray(x))
    np.testing.assert_allclose(each[0], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(each[1], np.zeros((CLASSES, 7)))


def test_outputs_come_first_and_positions_stay_after_rows():
    network = from_flax(lambda rngs: nnx.Embed(5, 2, rngs=rngs))
    params = network.init(KEY)
    tokens = jnp.arange(12).reshape(3, 4) % 5
    table = np.asarray(params["embedding"])
    np.testing.assert_array_equal(network.apply(params, tokens), np.moveaxis(table[tokens], 2, 0))


def test_in_double_precision():
    with jax.enable_x64(True):
        network = from_flax(lambda rngs: nnx.Linear(INPUTS, 2, param_dtype=jnp.float64, rngs=rngs))
        params = network.init(jax.random.key(1))
        x = jnp.ones((4, INPUTS))
        assert network.apply(params, x).dtype == jnp.float64


class Constant(nnx.Module):
    def __init__(self, rngs):
        self.weight = nnx.Param(rngs.normal((2, 2)))
        self.shift = jnp.ones(2)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda rngs: nnx.BatchNorm(3, rngs=rngs), r"mean \(BatchStat\), var \(BatchStat\)"),
        (lambda rngs: nnx.Dropout(0.5, rngs=rngs), r"rngs.count \(RngCount\)"),
        (Constant, "shift"),
    ],
)
def test_what_is_no_parameter_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        from_flax(make)


def test_a_module_that_drops_the_outputs_is_refused():
    class Flat(nnx.Module):
        def __init__(self, rngs):
            self.inner = nnx.Linear(INPUTS, 1, rngs=rngs)

        def __call__(self, x):
            return self.inner(x)[:, 0]

    network = from_flax(Flat)
    with pytest.raises(ValueError, match=r"4 rows to \(4, outputs\), got shape \(4,\)"):
        network.apply(network.init(KEY), jnp.ones((4, INPUTS)))


def test_a_users_own_two_functions_become_a_task():
    def init(key):
        return {"w": 0.1 * jax.random.normal(key, (CLASSES, INPUTS))}

    def apply(params, x):
        return params["w"] @ x.T

    task = fixed_task("linear", Network(init, apply), wine(), HYPER, CLASSES, batch=20)
    assert (task.facts.parameters, task.facts.steps) == (CLASSES * INPUTS, 5)
    params = task.init(KEY)
    x, y = (np.asarray(a) for a in task.splits.validation[:2])
    logits = np.asarray(params["w"], np.float64) @ x.T
    expected = (np.log(np.exp(logits).sum(0)) - logits[y, np.arange(len(y))]).mean()
    loss = jax.jit(task.loss)(params, task.splits.validation)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
