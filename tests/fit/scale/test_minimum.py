"""The best rate of a noisy sweep, its worth and its standard error."""

import numpy as np
import pytest

from psi.fit.scale.minimum import best_rates

GRID = np.arange(-6.0, 5.0, 0.6)


def sweeps(noise, steeper=1.0, count=2000, seed=0):
    """(best rates, where they should be, scores): valleys of 0.3 u² at random places, floor 0."""
    rng = np.random.default_rng(seed)
    centre = rng.uniform(-0.3, 0.3, count)
    u = GRID - centre[:, None]
    y = 0.3 * np.where(u > 0, steeper, 1.0) * u**2 + noise * rng.normal(size=u.shape)
    return best_rates(GRID, y, np.full_like(y, noise), np.full(y.shape, True)), centre, y


def test_a_parabola_is_found_exactly():
    found, centre, _ = sweeps(0.0)
    np.testing.assert_allclose(found.log_rate, centre, atol=1e-6)
    np.testing.assert_allclose(found.score, 0.0, atol=1e-6)
    assert found.interior.all()


@pytest.mark.parametrize("noise", [0.02, 0.1])
def test_the_standard_error_is_that_of_many_sweeps(noise):
    """Its relative error from 2,000 sweeps is 1/√4000 = 1.6 %; the rest is the clipped tails."""
    found, centre, _ = sweeps(noise)
    actual = np.sqrt(np.mean((found.log_rate - centre) ** 2))
    assert actual == pytest.approx(np.sqrt(np.mean(found.error**2)), rel=0.15)
    assert abs(np.mean(found.log_rate - centre)) < 3 * actual / np.sqrt(2000) + 0.005


@pytest.mark.parametrize(("noise", "steeper"), [(0.02, 1), (0.02, 3), (0.1, 1)])
def test_the_least_is_less_biased_than_the_lowest_score(noise, steeper):
    """The true least is 0. The lowest of noisy scores is too low; on a grid it is too high."""
    found, _, y = sweeps(noise, steeper)
    assert abs(found.score.mean()) < 0.7 * abs(y.min(1).mean())


def test_a_cliff_next_to_the_best_does_not_lead_away():
    """Points far above the floor hardly count: the best stays within a step of the lowest."""
    y = np.where(GRID > 1.0, 4.0, 0.2 * (GRID - 0.9) ** 2)[None]
    found = best_rates(GRID, y, np.full_like(y, 0.05), np.full(y.shape, True))
    assert abs(found.log_rate[0] - GRID[y.argmin()]) <= 0.6 + 1e-9
    assert abs(found.score[0] - y.min()) < 0.1


def test_only_what_was_tried_counts_and_edges_are_no_interior():
    y = (GRID + 5.9)[None] ** 2
    tried = (GRID > -4)[None]
    found = best_rates(GRID, y, 0 * y, tried)
    assert not found.interior[0]
    assert found.log_rate[0] >= GRID[tried[0]][0] - 0.6 - 1e-9
    falling = best_rates(GRID, -GRID[None], 0 * y, np.full(y.shape, True))
    assert not falling.interior[0]
    assert falling.log_rate[0] == GRID[-1]
    assert falling.error[0] > 2
