"""Regrets as functions of log α: through the points, smooth, rising beyond the grid."""

import jax
import jax.numpy as jnp
import numpy as np

from psi.fit.scale.regret import blurred, curves, regret_at, slope_at

GRID = np.linspace(-5, 2, 12)
RNG = np.random.default_rng(0)
REGRET = 0.3 * (GRID + RNG.normal(size=(40, 1))) ** 2 + 0.1 * RNG.normal(size=(40, 12))
MADE = curves(GRID, REGRET)


def test_it_goes_through_the_points_and_never_beyond_its_neighbours():
    for k, x in enumerate(GRID):
        np.testing.assert_allclose(regret_at(MADE, np.full(40, x)), REGRET[:, k], atol=1e-12)
    for k, x in enumerate(GRID[:-1]):
        between = regret_at(MADE, np.full(40, x + 0.3))
        pair = np.sort(REGRET[:, k : k + 2], axis=1)
        assert ((pair[:, 0] - 1e-12 <= between) & (between <= pair[:, 1] + 1e-12)).all()


def test_slopes_are_those_of_differences_and_of_jax():
    x = RNG.uniform(-9, 6, 40)
    h = 1e-6
    slope = slope_at(MADE, x)
    numeric = (regret_at(MADE, x + h) - regret_at(MADE, x - h)) / (2 * h)
    np.testing.assert_allclose(slope, numeric, atol=1e-5)
    made = jax.tree.map(jnp.asarray, MADE)
    total = jax.jit(jax.value_and_grad(lambda at: regret_at(made, at, jnp).sum()))
    value, by_jax = total(jnp.asarray(x))
    np.testing.assert_allclose(by_jax, slope, atol=1e-3)
    np.testing.assert_allclose(value, regret_at(MADE, x).sum(), rtol=1e-4)


def test_slopes_are_continuous_at_every_knot_also_at_the_ends():
    for x in MADE.knots:
        jump = slope_at(MADE, np.full(40, x + 1e-9)) - slope_at(MADE, np.full(40, x - 1e-9))
        np.testing.assert_allclose(jump, 0, atol=1e-6)


def test_beyond_the_grid_it_rises_by_a_nat_for_each():
    far = regret_at(MADE, np.full(40, GRID[-1] + 5)) - REGRET[:, -1]
    np.testing.assert_allclose(far, 5.0)
    np.testing.assert_allclose(slope_at(MADE, np.full(40, -50.0)), -1.0)


def test_blurring_is_the_mean_of_near_rates_and_leaves_a_slope_on_flat_ground():
    wide = curves(GRID, np.where(GRID > -2, 3.0, 0.0)[None])
    smooth = blurred(wide, 1.0)
    just_above = np.array([GRID[GRID > -2][0] + 0.1])
    assert slope_at(smooth, just_above)[0] > 0.1
    knot = np.array([GRID[6]])
    near = [regret_at(wide, knot + s)[0] for s in np.linspace(-1, 1, 5)]
    np.testing.assert_allclose(regret_at(smooth, knot)[0], np.mean(near))
