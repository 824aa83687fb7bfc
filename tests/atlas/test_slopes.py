"""Forward derivatives: of losses whose backward pass is their own, of Adam where nothing moves."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from psi.atlas.slopes import by_reverse, directional, smooth_optimizer
from psi.lab.networks.mlp import dense
from psi.lab.optimizers import optimizer

X = jnp.asarray(np.random.default_rng(0).normal(size=(3, 5)))


def loss(params):
    weights, bias = params
    return jnp.square(jnp.tanh(dense(weights, bias, X))).sum()


def plain(params):
    weights, bias = params
    return jnp.square(jnp.tanh(weights @ X + bias[:, None])).sum()


def drawn(seed: int):
    rng = np.random.default_rng(seed)
    return jnp.asarray(rng.normal(size=(2, 3))), jnp.asarray(rng.normal(size=2))


def test_a_loss_has_the_slope_of_the_same_loss_of_plain_products():
    at, along = drawn(1), drawn(2)
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(loss, (at,), (along,))
    value, slope = jax.jvp(by_reverse(loss), (at,), (along,))
    wanted = jax.jvp(plain, (at,), (along,))
    assert float(value) == pytest.approx(float(wanted[0]), rel=1e-6)
    assert float(slope) == pytest.approx(float(wanted[1]), rel=1e-5)


def test_a_gradient_has_forward_derivatives():
    at, along = drawn(1), drawn(2)
    found = jax.jvp(jax.grad(loss), (at,), (along,))[1]
    wanted = jax.jvp(jax.grad(plain), (at,), (along,))[1]
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam"])
def test_an_optimizer_is_the_usual_one_and_has_slopes_where_a_gradient_stays_zero(name):
    smooth, usual = smooth_optimizer(name), optimizer(name)

    def end(made: optax.GradientTransformation, rate):
        weights = jnp.array([1.0, 0.0])
        state = made.init(weights)
        for _ in range(5):
            updates, state = made.update(weights * jnp.array([1.0, 0.0]), state, weights)
            weights = weights - rate * updates
        return weights

    np.testing.assert_allclose(end(smooth, 0.01), end(usual, 0.01), rtol=1e-6)
    slope = jax.jvp(lambda rate: end(smooth, rate), (0.01,), (1.0,))[1]
    difference = (end(usual, 0.011) - end(usual, 0.009)) / 0.002
    np.testing.assert_allclose(slope, difference, rtol=2e-2)
    assert slope[0] < -3


def test_the_derivative_stands_in_its_place():
    ends = lambda at: (at.sum(), jnp.square(at).sum(), jnp.full((), jnp.nan))  # noqa: E731
    first, value, slope = directional(ends, jnp.array([1.0, 3.0]))(jnp.array([0.0, 1.0]))
    assert (float(first), float(value), float(slope)) == (4.0, 10.0, 6.0)
