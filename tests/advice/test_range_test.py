"""The range test: curves whose steepest fall is known, and noise alone."""

import re
from typing import Any

import numpy as np
import pytest

import psi
from psi.advice.range_test import suggest_lr, suggestion

RATES = np.geomspace(1e-5, 10, 100)
X = np.log10(RATES)


def curve(steepest: float) -> np.ndarray:
    """Falls from 2.3 to 0.3 as a logistic around log10(rate) = steepest, rises two decades on."""
    fall = 2 / (1 + np.exp(-(X - steepest) / 0.25))
    return 2.3 - fall + 4.0 * np.clip(X - steepest - 1.5, 0, None) ** 2


def noisy(losses: np.ndarray, noise: float, seeds: int, draw: int) -> np.ndarray:
    rng = np.random.default_rng(draw)
    return losses + noise * rng.normal(size=(seeds, len(RATES)))


@pytest.mark.parametrize("steepest", [-3.0, -2.0, -1.5])
def test_without_noise_it_is_where_the_curve_falls_fastest(steepest: float) -> None:
    found = suggestion(RATES, curve(steepest)[None])
    assert found.lr == pytest.approx(10**steepest, rel=0.1)
    assert found.slope.min() == pytest.approx(-2.0, rel=0.3)  # the logistic's own, smoothed


def test_noise_moves_it_by_little() -> None:
    """300 draws of three runs with noise of a quarter of the fall: 9 in 10 within a factor 2."""
    found = [suggestion(RATES, noisy(curve(-2.0), 0.5, 3, draw)).lr for draw in range(300)]
    near = [lr is not None and 0.5 < lr / 1e-2 < 2 for lr in found]
    assert np.mean(near) > 0.9


def test_of_noise_alone_it_says_so() -> None:
    """Falsely a rate in at most 3 of 100 tests; 300 draws, fixed."""
    found = [suggestion(RATES, noisy(np.full(100, 2.3), 0.3, 3, draw)) for draw in range(300)]
    assert np.mean([each.lr is not None for each in found]) < 0.03
    assert any("no more than its noise" in each.reason for each in found)


def test_the_slope_s_error_is_what_it_varies_by() -> None:
    found = [suggestion(RATES, noisy(np.full(100, 2.3), 0.3, 3, draw)) for draw in range(400)]
    spread = np.std([each.slope[50] for each in found])
    assert np.mean([each.error[50] for each in found]) == pytest.approx(spread, rel=0.1)


@pytest.mark.parametrize(
    ("losses", "reason"),
    [
        (curve(1.2), "still falls at the highest rate 10: go higher"),
        (curve(-6.5) + 0.1, "at any rate|begin lower"),
        (np.full(100, np.nan), "not finite near the lowest rate 1e-05: begin lower"),
    ],
)
def test_without_a_rate_it_says_why(losses: np.ndarray, reason: str) -> None:
    found = suggestion(RATES, noisy(losses, 0.01, 2, 0))
    assert found.lr is None
    assert re.search(reason, found.reason)


def test_runs_that_diverge_end_and_count_as_high() -> None:
    calls = []

    def begin(seed: int) -> Any:
        start, seen = float(seed), iter(curve(-2.0))

        def step(lr: float) -> float:
            calls.append(lr)
            return next(seen) + 0.001 * start if lr < 0.3 else 1e9

        return step

    found = suggest_lr(begin, seeds=2)
    assert found.lr == pytest.approx(1e-2, rel=0.1)
    assert 0.3 < max(calls) < 0.6  # five high losses end a run
    assert np.isnan(found.losses[:, -20:]).all()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"low": 0.0}, "0 < low < high"),
        ({"low": 1.0, "high": 0.1}, "0 < low < high, finite, got 1.0 and 0.1"),
        ({"high": np.inf}, "0 < low < high"),
        ({"steps": 5}, "20 steps and a seed"),
        ({"seeds": 0}, "20 steps and a seed"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        psi.suggest_lr(lambda _: float, **change)
