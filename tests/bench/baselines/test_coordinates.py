"""Per-coordinate methods against torch where it computes the same, else against their formulas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from psi.bench.baselines import BASELINES, coordinates
from psi.bench.baselines.online_regression import online_regression
from tests.bench.baselines.steps import agree, by_hand, by_torch, trained

torch = pytest.importorskip("torch")


def average():
    m = 0.0

    def update(theta, g, loss):
        nonlocal m
        m = 0.9 * m + 0.1 * g
        return m

    return update


def rmsprop():
    v = 0.0

    def update(theta, g, loss):
        nonlocal v
        v = 0.9 * v + 0.1 * g**2
        return g / np.sqrt(v + 1e-8)

    return update


def nadamw():
    """Nadam (Dozat 2016) as optax has it: the next average in place of m, decay 10⁻⁴."""
    m, v, t = 0.0, 0.0, 0

    def update(theta, g, loss):
        nonlocal m, v, t
        t, m, v = t + 1, 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        ahead = 0.9 * m / (1 - 0.9 ** (t + 1)) + 0.1 * g / (1 - 0.9**t)
        return ahead / (np.sqrt(v / (1 - 0.999**t)) + 1e-8) + 1e-4 * theta

    return update


def decaying(rate):
    """FTRL's rate, α/(β + √(Σ g²)), and that of time, α/(β + √t), with β = 1."""

    def start():
        squares, t = 0.0, 0

        def update(theta, g, loss):
            nonlocal squares, t
            squares, t = squares + g**2, t + 1
            return rate(1 / (1 + np.sqrt(squares)), 1 / (1 + np.sqrt(t))) * g

        return update

    return start


def ogr():
    """σ_θ/σ_g from four averages (Duda's cdOGR with div = 1, beta = 0.6, lr = 0.5)."""
    theta_mean = g_mean = theta_variance = g_variance = m = 0.0

    def update(theta, g, loss):
        nonlocal theta_mean, g_mean, theta_variance, g_variance, m
        theta_mean = 0.6 * theta_mean + 0.4 * theta
        g_mean = 0.6 * g_mean + 0.4 * g
        m = 0.5 * m + 0.5 * g
        theta_variance = 0.6 * theta_variance + 0.4 * (theta - theta_mean) ** 2 + 1e-8
        g_variance = 0.6 * g_variance + 0.4 * (g - g_mean) ** 2
        return m / (np.sqrt(g_variance / theta_variance) + 1e-8)

    return update


BY_HAND = {
    "momentum_ema": average,  # torch's dampening leaves the first gradient as it is
    "rmsprop": rmsprop,  # torch adds ε to the root, optax to the square: most where g is near 0
    "nadamw": nadamw,  # torch's NAdam changes its momentum from step to step
    "ftrl": decaying(lambda own, _: own),
    "ftrl_time": decaying(lambda _, of_time: of_time),
    "ftrl_sum": decaying(lambda own, of_time: own + of_time),
    "ftrl_product": decaying(lambda own, of_time: own * of_time),
    "ogr": ogr,
}
# To adagrad's sum of squares, at least 0.1, optax adds 10⁻⁷; torch would to its root.
BY_TORCH = {
    "momentum": (lambda p, lr: torch.optim.SGD(p, lr, momentum=0.9), 1e-9),
    "nesterov": (lambda p, lr: torch.optim.SGD(p, lr, momentum=0.9, nesterov=True), 1e-9),
    "adagrad": (
        lambda p, lr: torch.optim.Adagrad(p, lr, initial_accumulator_value=0.1, eps=0), 1e-6,
    ),
    "adadelta": (torch.optim.Adadelta, 1e-9),
    "adam": (torch.optim.Adam, 1e-9),
    "adamw": (torch.optim.AdamW, 1e-9),
}  # fmt: skip


def test_every_row_has_a_reference():
    assert {row.name for row in coordinates.ROWS} == {*BY_HAND, *BY_TORCH}


@pytest.mark.parametrize("name", BY_HAND)
def test_a_row_follows_its_formula(name):
    row = BASELINES[name]
    rate = row.default_rate("sgd")
    rates = [rate, 0.3 * rate]
    for path, rate in zip(trained(row, rates)[0], rates, strict=True):
        agree(path, by_hand(BY_HAND[name](), rate, row))


@pytest.mark.parametrize("name", BY_TORCH)
def test_a_row_does_what_torch_does(name):
    row, (make, tolerance) = BASELINES[name], BY_TORCH[name]
    rate = row.default_rate("sgd")
    rates = [rate, 3 * rate]
    for path, rate in zip(trained(row, rates)[0], rates, strict=True):
        agree(path, by_torch(make, rate), tolerance)


def test_second_order_rates_are_inverse_curvatures():
    """On ½ Σ λ θ² without noise σ_θ/σ_g = 1/λ for every coordinate, and θ goes to the minimum."""
    curvatures = jnp.array([0.1, 1.0, 10.0, 100.0])
    optimizer = online_regression()
    theta = jnp.ones(4)
    state = optimizer.init(theta)
    update = jax.jit(optimizer.update)
    for i in range(40):
        u, state = update(curvatures * theta, state, theta)
        if i == 3:
            ratio = jnp.sqrt(state.theta_variance / state.g_variance)
            np.testing.assert_allclose(ratio * curvatures, 1, rtol=1e-4)
        theta = theta - u
    assert np.abs(theta).max() < 1e-3
