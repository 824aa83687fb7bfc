"""Own rows as a task: shuffled, checked, and computed in the precision that is asked for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from psi.lab.engine.policy import trajectory
from psi.lab.engine.population import population
from psi.lab.hyper import Hyper
from psi.lab.networks.mlp import mlp
from psi.lab.tasks.build import fixed_task
from psi.lab.tasks.table import make_task
from psi.lab.tasks.task import Batch, Splits

KEY = jax.random.key(0)
SLOW = [("digits", "cnn"), ("wine", "residual"), ("pydoc", "gru"), ("pydoc", "transformer"),
        ("teacher-0", "mlp"), ("drawn-0", "mlp")]  # fmt: skip


def own(x, y, **change):
    part = Batch(jnp.asarray(x), jnp.asarray(y))
    hyper = Hyper(**change)
    return fixed_task("mine", mlp(2, 2, 4), Splits(part, part, part), hyper, 2, batch=4)


def test_own_rows_become_a_task():
    x, y = np.eye(8, 2, dtype=np.float32), np.arange(8) % 2
    assert own(x, y).facts.steps == 2


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (np.ones((3, 2)), [0, 1, 0], "batch must be <= the 3 training rows, got 4"),
        (np.full((8, 2), np.nan), np.arange(8) % 2, "not finite"),
        (np.full((8, 2), np.inf), np.arange(8) % 2, "not finite"),
        (np.ones((8, 2)), np.zeros(8, int), "one class only"),
    ],
)
def test_rows_that_make_no_task_are_named(x, y, words):
    with pytest.raises(ValueError, match=words):
        own(np.asarray(x, np.float32), np.asarray(y))


def test_an_epoch_passes_over_each_row_once_in_an_order_of_its_own():
    task = make_task("wine")
    one, other = (
        np.asarray(task.functions.epoch(task.arrays, jax.random.key(0), jnp.asarray(i)).x)
        for i in (0, 1)
    )
    rows = {row.tobytes() for row in np.asarray(task.splits.train.x)}
    for epoch in (one, other):
        assert {row.tobytes() for row in epoch.reshape(-1, task.facts.inputs)} == rows
    assert (one != other).any()


def products(jaxpr):
    """Types of the operands of every product, however deep."""
    for eqn in jaxpr.eqns:
        if eqn.primitive.name == "dot_general":
            yield from (v.aval.dtype for v in eqn.invars)
        for inner in jax.tree.leaves(
            [*eqn.params.values()], is_leaf=lambda p: hasattr(p, "eqns") or hasattr(p, "jaxpr")
        ):
            inner = getattr(inner, "jaxpr", inner)
            if hasattr(inner, "eqns"):
                yield from products(inner)


@pytest.mark.parametrize(
    ("name", "network"),
    [("wine", "mlp"), *(pytest.param(*each, marks=pytest.mark.slow) for each in SLOW)],
)
def test_products_are_in_bfloat16_and_gradients_in_float32(name, network):
    task = make_task(name, Hyper(2, network=network, precision="bfloat16"))
    params = task.init(KEY)
    rows = jax.tree.map(lambda a: a[:4], task.splits.validation)
    found = list(products(jax.make_jaxpr(task.loss)(params, rows).jaxpr))
    assert jnp.dtype("bfloat16") in found
    # The label's logit is picked by a product of its own: one, of two operands.
    assert found.count(jnp.dtype("float32")) == 2
    loss, grads = jax.eval_shape(jax.value_and_grad(task.loss), params, rows)
    assert {a.dtype for a in jax.tree.leaves((loss, grads, params))} == {jnp.dtype("float32")}


def test_it_learns_as_well():
    """Rounding is 2^-9 of each number; over 8 epochs losses stay within 5 % of each other."""
    rates = np.full((1, 8), 0.1, np.float32)
    half, full = (
        population(make_task("wine", Hyper(8, precision=p)), trajectory, rates, np.arange(4), KEY)
        for p in ("bfloat16", "float32")
    )
    np.testing.assert_allclose(half.val_loss.mean(1), full.val_loss.mean(1), rtol=0.05)
    assert np.any(half.val_loss != full.val_loss)
