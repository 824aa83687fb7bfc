"""Fits of families in lanes, against SciPy's robust least squares, one at a time."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from psi.fit.formula.families import RAW, family
from psi.fit.formula.least_squares import LANES, solve
from tests.fit.formula.planted import CONSTANT, INVERSE_TIME, noisy

STARTS = np.random.default_rng(2).uniform(-1.5, 0.5, (LANES, 3))


def objective(data, weight, searched):
    """Σ 2(√(1 + w r²) − 1), r = log Ψ − log α, w of mean 1."""
    rate = INVERSE_TIME.formula.value(data.names, data.values, searched, np)
    return np.sqrt(weight / weight.mean()) * (np.log(rate) - data.log_rate)


def test_each_lane_ends_where_scipy_does():
    """Lanes with weights of their own, one of them of half the points; 300 points are padded."""
    data, _ = noisy(noise=0.3, count=300)
    weight = np.random.default_rng(3).uniform(0.1, 2.0, (LANES, 300))
    weight[0, :150] = 0.0
    found, ends = solve(INVERSE_TIME, data, STARTS, weight)
    for lane in (0, 1):
        expected = least_squares(
            lambda x, w=weight[lane]: objective(data, w, x), found[1], loss="soft_l1", xtol=1e-12
        )
        np.testing.assert_allclose(found[lane], expected.x, atol=1e-4)
        assert ends[lane] == pytest.approx(2 * expected.cost, rel=1e-6)


def test_a_lane_does_not_depend_on_the_others():
    data, _ = noisy(noise=0.3, count=200)
    weight = np.ones((LANES, 200))
    found, _ = solve(INVERSE_TIME, data, STARTS, weight)
    again, _ = solve(INVERSE_TIME, data, np.repeat(STARTS[:1], LANES, 0), weight)
    np.testing.assert_array_equal(again[0], found[0])


def test_families_of_all_lengths_share_a_program():
    """A constant rate: least at the mean of log α where all are close, whatever its one start."""
    data, _ = noisy(noise=1e-3, count=200, of=CONSTANT)
    starts = np.linspace(-2, 0, LANES)[:, None]
    found, _ = solve(CONSTANT, data, starts, np.ones((LANES, 200)))
    np.testing.assert_allclose(found, data.log_rate.mean(), atol=1e-6)
    lone, _ = solve(family("step", RAW), data, np.ones((LANES, 3)), np.ones((LANES, 200)))
    assert lone.shape == (LANES, 3)


def test_a_start_that_is_no_number_is_infinitely_bad():
    data, _ = noisy(count=100)
    starts = np.where(np.arange(LANES)[:, None] == 3, np.inf, STARTS)
    _, ends = solve(INVERSE_TIME, data, starts, np.ones((LANES, 100)))
    assert ends[3] == np.inf
    assert np.isfinite(np.delete(ends, 3)).all()
