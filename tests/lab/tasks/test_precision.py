"""bfloat16: the network's products are in it, weights and losses are not, and it learns as well."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from psi.lab.engine.policy import trajectory
from psi.lab.engine.population import population
from psi.lab.hyper import Hyper
from psi.lab.tasks.table import make_task

KEY = jax.random.key(0)


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


SLOW = [("digits", "cnn"), ("wine", "residual"), ("pydoc", "gru"), ("pydoc", "transformer"),
        ("teacher-0", "mlp"), ("drawn-0", "mlp")]  # fmt: skip


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


def test_problems_are_exact_or_refused():
    with pytest.raises(ValueError, match="float32 alone"):
        make_task("noisy_quadratic", Hyper(2, precision="bfloat16"))
    with pytest.raises(ValueError, match="unknown precision 'half'"):
        Hyper(precision="half")
