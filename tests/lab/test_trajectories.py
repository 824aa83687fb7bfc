"""Trajectories are what their docstrings say."""

import numpy as np
import pytest

from psi.lab.trajectories import RANDOM, branched, plain

T = 20


def test_plain_schedules():
    plan = plain(np.array([0.1, 0.4]), T)
    rates = dict(zip(plan.family, plan.rates, strict=True))  # the last peak of each family
    i = np.arange(T)
    np.testing.assert_allclose(rates["constant"], np.full(T, 0.4))
    np.testing.assert_allclose(rates["linear"], 0.4 * (1 - i / T))
    np.testing.assert_allclose(rates["cosine"], 0.2 * (1 + np.cos(np.pi * i / T)))
    assert (plan.cell == -1).all()
    assert (plan.branch == -1).all()


def test_branched_cells_share_a_prefix_and_then_go_linearly_to_zero():
    plan = branched(np.random.default_rng(0), 40, 9, T, 0.01, 6.0)
    assert sorted(set(plan.branch)) == list(range(T))
    assert set(plan.family) == {name for name, _ in RANDOM}
    for cell in range(40):
        of = plan.cell == cell
        (at,) = set(plan.branch[of])
        group = plan.rates[of]
        assert (group[:, :at] == group[:1, :at]).all()
        candidates = group[:, at]
        assert (np.diff(np.log(candidates)) > 0).all()
        np.testing.assert_allclose(np.diff(np.log(candidates)), np.log(600) / 9, rtol=1e-9)
        assert candidates.min() >= 0.01
        assert candidates.max() <= 6.0
        left = (T - np.arange(at, T)) / (T - at)
        np.testing.assert_allclose(group[:, at:], candidates[:, None] * left, rtol=1e-12)


def test_the_same_seed_gives_the_same_plan_and_another_another():
    one, same, other = (
        branched(np.random.default_rng(s), 8, 5, T, 0.01, 6.0).rates for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


@pytest.mark.parametrize(("name", "draw"), RANDOM)
def test_random_prefixes_are_positive_rates(name, draw):
    rates = draw(np.random.default_rng(3), 0.5, T)
    assert rates.shape == (T,)
    assert (rates > 0).all()
    assert np.isfinite(rates).all()


def test_a_budget_of_one_epoch_and_fewer_cells_than_epochs():
    assert branched(np.random.default_rng(0), 3, 2, 1, 0.01, 1.0).rates.shape == (6, 1)
    plan = branched(np.random.default_rng(0), 5, 2, T, 0.01, 1.0)
    assert sorted(set(plan.branch)) == [0, 4, 8, 12, 16]
