"""Plans are what their docstrings say. False-alarm rate of a statistical test: 1e-4."""

from typing import Any

import jax
import numpy as np
import pytest
from scipy import stats

from psi.bench.baselines import SCHEDULES
from psi.lab.data import trajectories
from psi.lab.data.families import HOUSE
from psi.lab.data.trajectories import branched, draws_of, free, pilot_family, plain

T, LOW, HIGH = 20, 0.01, 6.0
NAMES = [family.name for family in HOUSE]
CHUNK = trajectories.ROUNDS * len(HOUSE)
KEY = jax.random.key(0)


def rates_of(plan, name):
    return plan.rates[np.array(plan.family) == name]


def test_pilot_schedules():
    plan = plain(np.array([0.1, 0.4]), T)
    i = np.arange(T)
    np.testing.assert_allclose(rates_of(plan, "pilot_constant")[1], np.full(T, 0.4))
    np.testing.assert_allclose(rates_of(plan, "pilot_linear")[1], 0.4 * (1 - i / T))
    cosine = (1 + np.cos(np.pi * i / T)) / 2
    np.testing.assert_allclose(rates_of(plan, "pilot_cosine"), [0.1 * cosine, 0.4 * cosine])
    assert list(dict.fromkeys(plan.family)) == [pilot_family(name) for name in SCHEDULES]
    assert set(plan.family).isdisjoint(NAMES)
    assert (plan.cell == -1).all()
    assert (plan.branch == -1).all()


@pytest.mark.parametrize("epochs", [1, 2, T])
def test_free_rates_are_finite_and_within_bounds(epochs):
    plan = free(KEY, 2000, epochs, LOW, HIGH)
    assert plan.rates.shape == (2000, epochs)
    assert np.isfinite(plan.rates).all()
    assert plan.rates.min() >= LOW / 10
    assert plan.rates.max() <= HIGH
    assert (plan.cell == -1).all()
    assert (plan.branch == -1).all()
    assert plan.family == [NAMES[k % len(NAMES)] for k in range(2000)]


@pytest.mark.parametrize("epochs", [1, 2, T])
def test_draws_are_finite_and_the_peak_is_their_maximum(epochs):
    """Bounds of 1 and 1 leave the draw alone."""
    logs = np.log(trajectories._unclipped(KEY, np.arange(750), epochs, (1.0, 1.0), HOUSE))
    assert np.isfinite(logs).all()
    above = {"walk", "spline", "spikes", "jitter"}
    for k, name in enumerate(NAMES):
        most = logs[k :: len(NAMES)].max(axis=1)
        assert (most > 0.01).any() if name in above else (most <= 1e-6).all(), name
        reached = epochs > 1 or name != "one_cycle"  # which has no room for its maximum
        assert name in above or not reached or (most >= -1e-6).all(), name


def test_a_longer_plan_begins_with_a_shorter_one():
    count = CHUNK + 30
    assert (free(KEY, count, T, LOW, HIGH).rates[:60] == free(KEY, 60, T, LOW, HIGH).rates).all()
    one = free(KEY, 1, T, LOW, HIGH)
    assert one.family == ["constant"]
    assert (free(KEY, count, T, LOW, HIGH).rates[:1] == one.rates).all()


def one(number):
    """Peak in [0, 1) and every family's draw of one trajectory."""
    drawn = draws_of(jax.random.fold_in(KEY, number)[None], T)
    return drawn.peak[0, 0], [family.draw(drawn)[0] for family in HOUSE]


def test_each_trajectory_is_its_familys_draw_from_its_own_key():
    """All at once against one by one, from the formula in the docstring."""
    rates = free(KEY, CHUNK + 25, T, LOW, HIGH).rates
    for number in [*range(50), *range(CHUNK, len(rates))]:
        got = rates[number]
        peak, draws = one(number)
        expected = LOW * (HIGH / LOW) ** float(peak) * np.exp(draws[number % len(HOUSE)])
        expected = np.clip(np.asarray(expected), LOW / 10, HIGH)
        np.testing.assert_allclose(got, expected, rtol=2e-5, err_msg=NAMES[number % 25])


def test_peaks_are_log_uniform():
    """The first nine families start at their peak; Kolmogorov–Smirnov."""
    plan = free(jax.random.key(1), 4000, T, LOW, HIGH)
    starts = [np.log(rates_of(plan, name)[:, 0]) for name in NAMES[:9]]
    peaks = (np.concatenate(starts) - np.log(LOW)) / np.log(HIGH / LOW)
    assert len(peaks) == 9 * 160
    assert stats.kstest(peaks, "uniform").pvalue > 1e-4


def test_the_same_key_gives_the_same_plan_and_another_another():
    for make in (
        lambda key: free(key, 50, T, LOW, HIGH).rates,
        lambda key: branched(key, 8, 5, T, LOW, HIGH).rates,
    ):
        one, same, other = (make(jax.random.key(seed)) for seed in (1, 1, 2))
        np.testing.assert_array_equal(one, same)
        assert (one != other).any(axis=1).all()


def test_one_compilation_serves_every_count_and_bounds():
    chunk: Any = trajectories._numbers
    free(KEY, 5, T, LOW, HIGH)
    before = chunk._cache_size()
    free(KEY, 2500, T, LOW, HIGH)
    free(jax.random.key(3), 1, T, 1e-4, 0.3)
    branched(KEY, 30, 3, T, LOW, HIGH)
    assert chunk._cache_size() == before


def test_branched_cells_share_a_prefix_and_then_go_linearly_to_zero():
    plan = branched(KEY, 40, 9, T, LOW, HIGH)
    assert sorted(set(plan.branch)) == list(range(T))
    assert set(plan.family) == set(NAMES)
    for cell in range(40):
        of = plan.cell == cell
        (at,) = set(plan.branch[of])
        assert at == cell % T
        group = plan.rates[of]
        assert (group[:, :at] == group[:1, :at]).all()
        candidates = group[:, at]
        np.testing.assert_allclose(np.diff(np.log(candidates)), np.log(600) / 9, rtol=1e-9)
        assert candidates.min() >= LOW
        assert candidates.max() <= HIGH
        left = (T - np.arange(at, T)) / (T - at)
        np.testing.assert_allclose(group[:, at:], candidates[:, None] * left, rtol=1e-12)


def test_prefixes_are_of_their_family_within_bounds():
    plan = branched(jax.random.key(4), 500, 1, T, LOW, HIGH)
    for name in NAMES[:9]:
        mine = np.array(plan.family) == name
        late = mine & (plan.branch >= 1)
        start = plan.rates[late, 0]  # the prefix's peak
        assert start.min() >= LOW
        assert start.max() <= HIGH / 2
    before = np.arange(T)[None] < plan.branch[:, None]
    assert plan.rates[before].min() >= LOW / 10
    assert plan.rates[before].max() <= HIGH
    inverse = np.array(plan.family) == "inverse"
    for rates, branch in zip(plan.rates[inverse], plan.branch[inverse], strict=True):
        expected = np.maximum(rates[0] / np.arange(1, branch + 1), LOW / 10)
        np.testing.assert_allclose(rates[:branch], expected, rtol=1e-5)


def test_over_many_keys_every_family_meets_every_branch_epoch():
    met = set()
    for seed in range(60):
        plan = branched(jax.random.key(seed), 5 * T, 1, T, LOW, HIGH)
        met |= set(zip(plan.family, plan.branch.tolist(), strict=True))
    assert len(met) == len(NAMES) * T  # each key meets a fifth: 5 (4/5)^60 = 8e-6 by chance


def test_offsets_of_candidates_are_uniform():
    """Kolmogorov–Smirnov."""
    plan = branched(jax.random.key(5), 1000, 3, 1, LOW, HIGH)
    spread = np.log(plan.rates[:, 0] / LOW) / np.log(HIGH / LOW)
    assert stats.kstest(3 * spread.reshape(-1, 3)[:, 0], "uniform").pvalue > 1e-4


def test_a_budget_of_one_epoch_and_fewer_cells_than_epochs():
    assert branched(KEY, 3, 2, 1, LOW, 1.0).rates.shape == (6, 1)
    plan = branched(KEY, 5, 2, T, LOW, 1.0)
    assert sorted(set(plan.branch)) == [0, 4, 8, 12, 16]


def test_bounds_less_than_twice_apart():
    assert branched(KEY, 5, 2, T, LOW, 1.5 * LOW).rates.max() <= 1.5 * LOW


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: free(KEY, 0, T, LOW, HIGH), "count must be >= 1, got 0"),
        (lambda: free(KEY, 1, 0, LOW, HIGH), "epochs must be >= 1, got 0"),
        (lambda: free(KEY, 1, T, 0.0, HIGH), "got 0.0 and 6.0"),
        (lambda: free(KEY, 1, T, HIGH, LOW), "0 < low < high < inf, got 6.0 and 0.01"),
        (lambda: free(KEY, 1, T, LOW, float("inf")), "got 0.01 and inf"),
        (lambda: branched(KEY, 0, 1, T, LOW, HIGH), "cells must be >= 1, got 0"),
        (lambda: branched(KEY, 1, 0, T, LOW, HIGH), "candidates must be >= 1, got 0"),
        (lambda: branched(KEY, 1, 1, T, float("nan"), HIGH), "got nan"),
    ],
)
def test_mistakes_are_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()
