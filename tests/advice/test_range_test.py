"""The range test: curves whose steepest fall is known, and noise alone."""

import re
import runpy
from collections.abc import Callable
from pathlib import Path
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


Losses = Callable[[np.random.Generator], np.ndarray]
SIZE = (3, len(RATES))
ALONE: dict[str, Losses] = {
    "normal": lambda rng: 2.3 + 0.3 * rng.normal(size=SIZE),
    "around zero": lambda rng: rng.normal(size=SIZE),
    "negative": lambda rng: -40 + rng.normal(size=SIZE),
    "tiny": lambda rng: 1e-9 * rng.lognormal(size=SIZE),
    "skewed": lambda rng: 0.05 * rng.lognormal(size=SIZE),
    "skewed to the left": lambda rng: 2 - 0.1 * rng.lognormal(size=SIZE),
    "heavy tails": lambda rng: 2.3 + 0.3 * rng.standard_t(3, size=SIZE),
    "single high minibatches": lambda rng: (
        1 + 0.02 * rng.normal(size=SIZE) + 5 * (rng.uniform(size=SIZE) < 0.03)
    ),
    "flat, then rising": lambda rng: 0.05 * rng.lognormal(size=SIZE) * (1 + (RATES / 0.1) ** 2),
    "one run": lambda rng: 2.3 + 0.3 * rng.normal(size=(1, len(RATES))),
}


@pytest.mark.parametrize("name", ALONE)
def test_kind_of_noise_alone_it_suggests_nothing(name: str) -> None:
    """Falsely a rate in at most 3 of 100 tests; 100 draws each, fixed."""
    draws = (ALONE[name](np.random.default_rng(draw)) for draw in range(100))
    assert np.mean([suggestion(RATES, losses).lr is not None for losses in draws]) <= 0.03


def fall(steepest: float, width: float, depth: float) -> np.ndarray:
    """Falls from 0.9 by `depth`, rises a decade and a half on."""
    down = depth / (1 + np.exp(-(X - steepest) / width))
    return 0.9 - down + 4 * depth * np.clip(X - steepest - 1.5, 0, None) ** 2


PLAIN: dict[str, tuple[Losses, float]] = {
    "steep": (lambda rng: fall(-2, 0.25, 0.4) + 0.15 * rng.normal(size=SIZE), 0.9),
    "slow": (lambda rng: fall(-2, 0.6, 0.4) + 0.15 * rng.normal(size=SIZE), 0.9),
    "as noisy as deep": (lambda rng: fall(-2, 0.25, 0.4) + 0.4 * rng.normal(size=SIZE), 0.8),
    "tiny": (lambda rng: 1e-6 * (fall(-2, 0.3, 0.4) + 0.1 * rng.normal(size=SIZE)), 0.95),
    "negative": (lambda rng: fall(-2, 0.3, 0.4) - 30 + 0.1 * rng.normal(size=SIZE), 0.95),
    "a small share of the loss": (
        lambda rng: 500 + fall(-2, 0.3, 0.4) + 0.1 * rng.normal(size=SIZE), 0.95,
    ),
    "skewed": (lambda rng: fall(-2, 0.3, 0.5) * rng.lognormal(sigma=0.4, size=SIZE), 0.95),
    "single high minibatches": (
        lambda rng: fall(-2, 0.3, 0.4) + 0.05 * rng.normal(size=SIZE)
        + 5 * (rng.uniform(size=SIZE) < 0.03), 0.95,
    ),
    "runs begin apart": (
        lambda rng: fall(-2, 0.3, 0.4) + rng.normal(size=(3, 1)) + 0.1 * rng.normal(size=SIZE),
        0.95,
    ),
    "diverges right after": (
        lambda rng: np.where(RATES > 0.1, np.inf, fall(-2, 0.2, 0.4) + 0.1 * rng.normal(size=SIZE)),
        0.95,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PLAIN)
def test_kind_where_it_falls_plainly_it_suggests_a_rate_near_the_steepest(name: str) -> None:
    """100 draws, fixed: the share of rates beside each, 8 in 10 of them within a factor of 4."""
    losses, share = PLAIN[name]
    found = [suggestion(RATES, losses(np.random.default_rng(draw))) for draw in range(100)]
    rates = np.array([each.lr for each in found if each.lr is not None])
    assert len(rates) >= 100 * share
    assert np.mean(np.abs(np.log(rates / 1e-2)) < np.log(4)) > 0.8


def test_the_picture_s_curve_is_the_one_that_decides() -> None:
    found = suggestion(RATES, PLAIN["slow"][0](np.random.default_rng(0)))
    lowest = int(found.smooth.argmin())
    assert found.smooth[0] - found.smooth[lowest] == pytest.approx(0.4, abs=0.15)
    best = int((found.slope + 2 * found.error)[: lowest + 1].argmin())
    assert found.lr == found.rates[best]
    steps = np.gradient(found.smooth, np.log10(RATES))
    assert steps[best] == pytest.approx(found.slope[best], rel=0.2)


def test_case_finder_small_noisy_loss() -> None:
    case = runpy.run_path(str(Path(__file__).parents[1] / "cases/finder_small_noisy_loss/case.py"))
    found = case["found"]
    assert found.lr is None
    assert "no more than its noise" in found.reason
    assert (np.isfinite(found.losses).sum(1) > 60).all()  # to where the loss has risen for good


def trained(spoilt: Callable[[int, int], float | None]) -> Callable[[int], Any]:
    """Falls around 0.01 and diverges at 1; `spoilt(seed, minibatch)` may give another loss."""

    def begin(seed: int) -> Any:
        rng, count = np.random.default_rng(seed), 0

        def step(lr: float) -> float:
            nonlocal count
            count += 1
            other = spoilt(seed, count - 1)
            if other is not None:
                return other
            if lr > 1:
                return np.nan
            return (
                float(np.interp(np.log10(max(lr, 1e-9)), X, fall(-2, 0.3, 0.4)))
                + 0.02 * rng.normal()
            )

        return step

    return begin


@pytest.mark.parametrize("high", [3.0, 50.0, 1e6, 1e30])
@pytest.mark.parametrize("minibatch", [0, 3, 40, 60])
def test_kind_one_high_minibatch_ends_no_run(high: float, minibatch: int) -> None:
    found = suggest_lr(trained(lambda seed, k: high if (seed, k) == (1, minibatch) else None))
    assert found.lr == pytest.approx(1e-2, rel=0.6)
    assert (np.isfinite(found.losses).sum(1) > 80).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("seed", "minibatch"), [(0, 0), (1, 7), (2, 70)])
def test_kind_what_is_not_finite_in_the_data_is_told(
    value: float, seed: int, minibatch: int
) -> None:
    found = suggest_lr(trained(lambda s, k: value if (s, k) == (seed, minibatch) else None))
    assert found.lr is None
    assert f"minibatch {minibatch + 1} of run {seed + 1} is not finite at rate 0" in found.reason
    assert "NaN or infinity in the data" in found.reason


def test_a_rate_that_is_too_high_is_no_fault_of_the_data() -> None:
    found = suggest_lr(trained(lambda *_: None))
    assert found.lr == pytest.approx(1e-2, rel=0.5)
    assert np.isnan(found.losses[:, -1]).all()


def test_what_diverges_at_once_says_so() -> None:
    explodes = suggestion(RATES, np.geomspace(1, 1e30, 100)[None] * np.ones((3, 1)))
    assert explodes.lr is None
    assert "rises from the lowest rate 1e-05 on: begin lower" in explodes.reason
    early = suggest_lr(trained(lambda *_: None), low=2.0)
    assert "not finite near the lowest rate 2: begin lower" in early.reason


def test_the_training_is_begun_again_where_a_step_raises() -> None:
    begun = []

    def begin(seed: int) -> Any:
        begun.append(seed)
        return lambda lr: lr / 0

    with pytest.raises(ZeroDivisionError):
        suggest_lr(begin)
    assert begun == [0, 0]


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


@pytest.mark.parametrize("loss", [0.0, 0.3, 1e-12, -2.0, 7e5])
@pytest.mark.parametrize("rounding", [0.0, 1e-7])
def test_kind_a_loss_that_no_rate_changes_is_said_to_be_so(loss: float, rounding: float) -> None:
    noise = np.random.default_rng(0).uniform(-1, 1, (3, 100))
    found = suggestion(np.geomspace(1e-5, 10, 100), loss * (1 + rounding * noise))
    assert found.lr is None
    assert found.reason.startswith(f"the loss is {loss:.3g} at every rate")


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
