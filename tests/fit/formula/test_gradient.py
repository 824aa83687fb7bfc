"""A formula's value and derivatives in its constants, against JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from psi.fit.formula.formula import constant_names
from psi.fit.formula.gradient import steps, value_and_jacobian
from psi.law.expression import OPERATIONS, Apply, Variable, evaluate


@pytest.mark.parametrize("operation", OPERATIONS)
def test_derivatives_are_those_of_jax(operation):
    """∂/∂a, ∂/∂b of operation(a·x, b + x), where it is smooth."""
    x = np.linspace(0.3, 2.0, 7)
    inner = (
        Apply("mul", (Variable("a"), Variable("x"))),
        Apply("add", (Variable("b"), Variable("x"))),
    )
    tree = Apply(operation, inner[: OPERATIONS[operation].arity])
    names = constant_names(tree, ("x",))
    at = {"a": 1.3, "b": 0.7}

    def rate(free, x):
        return evaluate(tree, ("x", *names), [x, *free], jnp)

    value, slopes = value_and_jacobian(steps(tree, names), {"x": x, **at}, names, 7)
    with jax.enable_x64(True):
        free = jnp.array([at[name] for name in names])
        expected = jax.vmap(jax.grad(rate), (None, 0))(free, jnp.asarray(x)).T
        np.testing.assert_allclose(value, rate(free, jnp.asarray(x)), rtol=1e-12)
    np.testing.assert_allclose(slopes, expected, rtol=1e-10, atol=1e-12)
