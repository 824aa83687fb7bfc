"""Smoothing: local lines against weighted least squares, errors against what repeats vary by."""

import numpy as np
import pytest

from psi.advice.smoothing import MIN_LINES, local_lines, trend, usable
from tests.advice.logs import log_of

X = np.linspace(0, 1, 25)


def test_local_lines_are_weighted_least_squares() -> None:
    values = np.random.default_rng(0).normal(size=(3, len(X)))
    got = local_lines(X, values, 0.2)
    for k, x in enumerate(X):
        root = np.exp(-0.25 * ((X - x) / 0.2) ** 2)  # polyfit squares its weights
        slope, height = np.polyfit(X - x, values.mean(0), 1, w=root)
        assert (got.slope[k], got.smooth[k]) == pytest.approx((slope, height))


def test_the_errors_are_what_repeats_vary_by() -> None:
    rng = np.random.default_rng(0)
    found = [local_lines(X, 1 + X + 0.3 * rng.normal(size=(2, len(X))), 0.2) for _ in range(600)]
    for value, error in (("smooth", "height_error"), ("slope", "slope_error")):
        spread = np.std([getattr(each, value) for each in found], axis=0)
        expected = 0.3 * getattr(found[0], error)
        np.testing.assert_allclose(spread, expected, rtol=0.12)
    assert np.mean([each.noise for each in found]) == pytest.approx(0.3, rel=0.05)


def test_a_straight_line_has_no_noise() -> None:
    got = local_lines(X, (3 - 2 * X)[None], 0.1)
    np.testing.assert_allclose(got.smooth, 3 - 2 * X)
    np.testing.assert_allclose(got.slope, -2.0)
    np.testing.assert_allclose(got.noise, 0.0, atol=1e-7)


def test_a_long_log_is_averaged_in_bins() -> None:
    """Of ten lines each: a bin is at its first line and has their mean."""
    loss = np.linspace(2, 1, 2000)
    curve = trend(log_of(loss, np.arange(2000.0)))
    assert curve is not None
    np.testing.assert_allclose(curve.loss, loss.reshape(200, 10).mean(1))
    np.testing.assert_allclose(curve.smooth, curve.loss)
    assert (curve.at == np.arange(0, 2000, 10)).all()
    assert (curve.rate == curve.at).all()
    assert (curve.logged == loss[::10]).all()
    assert curve.fall == pytest.approx(1.0, rel=0.01)


def test_what_diverged_is_clipped_in_its_order() -> None:
    curve = trend(log_of([2.0] * 20 + [1e3, 1e6, 1e9]))
    assert curve is not None
    assert curve.top == 4.0  # twice the first
    assert (np.diff(curve.loss[-3:]) > 0).all()
    assert curve.loss[-1] < 4.5


def test_losses_that_hang_together_are_less_sure() -> None:
    """√((1 + ρ)/(1 − ρ)) of an autoregressive series, √3 for ρ = 1/2."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=4000)
    series = noise.copy()
    for k in range(1, 4000):
        series[k] = 0.5 * series[k - 1] + noise[k]
    # Bins of 20 lines are averages, which hardly hang together: single lines do.
    alone, together = (trend(log_of(9 + 0.1 * each[:200])) for each in (noise, series))
    assert alone is not None
    assert together is not None
    assert alone.error_factor == pytest.approx(1.0, abs=0.15)
    assert together.error_factor == pytest.approx(np.sqrt(3), rel=0.2)


def test_few_or_unusable_losses_have_no_trend() -> None:
    assert trend(log_of(np.ones(MIN_LINES - 1))) is None
    assert trend(log_of([1.0] * (MIN_LINES - 1) + [np.nan, np.inf, 1e200])) is None
    assert usable(log_of([1.0, np.nan, -np.inf, 1e101, -1e99])).tolist() == [
        True, False, False, False, True,
    ]  # fmt: skip
