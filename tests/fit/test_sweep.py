"""The best rate of each group of runs: exact on parabolas, honest about edges and noise."""

import numpy as np
import pandas as pd
import pytest

from psi.fit.runs import Columns
from psi.fit.sweep import best_rates
from tests.fit.planted import planted_sweep

N = Columns("lr", "loss", ("N",))
ND = Columns("lr", "loss", ("N", "D"))
RATES = 1e-3 * 2.0 ** np.arange(9)


def sweep(loss, rates=RATES, n=1.0, **more):
    return pd.DataFrame({"N": n, "lr": rates, "loss": loss, **more})


def valley(best, rates=RATES, depth=0.1):
    return 2 + depth * np.log(rates / best) ** 2


@pytest.mark.parametrize("best", [0.011, 0.016, 0.03, 0.1])
@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e4])
def test_the_least_point_of_a_parabola_is_found_in_any_unit_of_the_loss(best, unit):
    (found,) = best_rates(sweep(unit * valley(best)), N)
    assert found.rate == pytest.approx(best, rel=1e-6)
    assert found.low <= best * (1 + 1e-6)
    assert best * (1 - 1e-6) <= found.high < 1.01 * found.low
    assert (found.runs, found.rates, found.diverged, found.edge) == (9, 9, 0, "")


def test_what_is_tuned_beside_the_rate_moves_the_best_rate():
    """L = (x − y)² + y²/2 with x, y the logs over (0.02, 100): best at both, not at y's mean."""
    rates, batches = np.meshgrid(RATES, 25 * 2.0 ** np.arange(6))
    x, y = np.log(rates / 0.02), np.log(batches / 100)
    runs = sweep((2 + (x - y) ** 2 + y**2 / 2).ravel(), rates.ravel(), B=batches.ravel())
    (found,) = best_rates(runs, Columns("lr", "loss", ("N",), tuned=("B",)))
    assert found.rate == pytest.approx(0.02, rel=1e-6)
    assert (found.tuned, found.rates, found.edge) == ((100.0,), 9, "")
    low = best_rates(runs[runs.B >= 100], Columns("lr", "loss", ("N",), tuned=("B",)))
    assert low[0].edge == "lowest B"
    two = best_rates(runs[runs.B.isin([50, 100])], Columns("lr", "loss", ("N",), tuned=("B",)))
    assert two[0].rate == pytest.approx(0.02, rel=1e-6)  # no curve over two values: the better's
    assert (two[0].tuned, two[0].edge) == ((100.0,), "")


@pytest.mark.parametrize(
    ("best", "edge"), [(5e-4, "lowest lr"), (1e-3, "lowest lr"), (1.0, "highest lr")]
)
def test_a_best_run_at_an_edge_is_said(best, edge):
    (found,) = best_rates(sweep(valley(best)), N)
    assert found.edge == edge


def test_a_rate_at_which_runs_diverged_was_tried():
    """The best finite run has the highest finite rate: it is no edge, what is beyond diverged."""
    loss = valley(0.5)
    loss[-2:] = np.inf
    (found,) = best_rates(sweep(loss), N)
    assert (found.edge, found.diverged, found.rates) == ("", 2, 9)
    assert RATES[5] <= found.low <= found.rate <= found.high <= RATES[-1]


def test_seeds_are_averaged_before_the_best_is_looked_for():
    lucky = sweep(valley(0.016)).assign(loss=lambda t: t.loss + 0.02)
    unlucky = lucky.assign(loss=lambda t: t.loss - 0.04)
    runs = pd.concat([lucky, unlucky]).sample(frac=1, random_state=0, ignore_index=True)
    (found,) = best_rates(runs, N)
    assert found.rate == pytest.approx(0.016, rel=1e-6)
    assert (found.runs, found.rates) == (18, 9)
    runs.loc[0, "loss"] = np.inf
    assert best_rates(runs, N)[0].diverged == 2  # its other seed with it


def test_three_rates_are_a_parabola_whose_interval_reaches_to_the_neighbours():
    rates = np.array([0.01, 0.03, 0.09])
    (found,) = best_rates(sweep(valley(0.04, rates), rates), N)
    assert found.rate == pytest.approx(0.04, rel=1e-6)
    assert (found.low, found.high) == pytest.approx((0.01, 0.09))


@pytest.mark.parametrize(
    ("loss", "rates", "edge"),
    [
        # One run is far better than all others, and more of them come high than low.
        ([2.0, 1.0, 2.0, 1.9, 2.1, 1.8, 2.0, 2.2, 1.95], (1, 1), ""),
        ([2.0] * 9, (0, 8), "lowest lr, highest lr"),
        ([2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0], (1, 7), ""),
        ([1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0], (0, 3), "lowest lr"),
    ],
)
def test_where_there_is_no_valley_the_best_runs_stand_between_their_neighbours(loss, rates, edge):
    (found,) = best_rates(sweep(loss), N)
    first, last = rates
    assert found.rate == pytest.approx(np.sqrt(RATES[first] * RATES[last]))
    assert (found.low, found.high) == pytest.approx(
        (RATES[max(first - 1, 0)], RATES[min(last + 1, 8)])
    )
    assert found.edge == edge
    assert 0 < found.error < np.inf


def test_groups_of_two_rates_or_without_a_finite_loss_have_no_best_rate():
    two, diverged = sweep(valley(0.016)[:2], RATES[:2], 1.0), sweep(np.inf, RATES, 2.0)
    found = best_rates(pd.concat([two, diverged, sweep(valley(0.016), n=3.0)]), N)
    assert [group.facts for group in found] == [(3.0,)]


@pytest.mark.parametrize("seed", range(3))
def test_rates_drawn_at_random_serve_as_well(seed):
    rng = np.random.default_rng(seed)
    rates = np.exp(rng.uniform(np.log(1e-3), np.log(0.3), 40))
    (found,) = best_rates(sweep(valley(0.02, rates) + 0.003 * rng.normal(size=40), rates), N)
    assert found.rate == pytest.approx(0.02, rel=0.15)


@pytest.mark.parametrize(
    ("name", "sweeps"),
    [
        ("fine", {}),
        ("symmetric", {"skew": 0.0}),
        ("steep", {"skew": 0.8}),
        ("a factor of 3", {"rates": 1e-4 * 3.0 ** np.arange(8)}),
        ("three seeds", {"seeds": 3, "noise": 0.01}),
    ],
    ids=str,
)
def test_kind_intervals_cover_the_best_rates(name, sweeps):
    """Of 240 groups, 12 in each of 20 sweeps.

    In 80 sweeps of other seeds 93 to 98 % were covered, and the share varies between sets of 20
    sweeps by 0.018 or less: 87 % is more than 3 standard errors below, 1 in 700.
    """
    covered = []
    for seed in range(20):
        for each in best_rates(planted_sweep(np.random.default_rng(seed), **sweeps), ND):
            n, d = each.facts
            best = 2e-3 * (n / 1e8) ** -0.6 * (d / 1e10) ** 0.3
            covered += [each.low <= best <= each.high] * (not each.edge)
    assert np.mean(covered) > 0.87, name
