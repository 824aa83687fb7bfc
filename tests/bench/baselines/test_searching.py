"""Rows that search: what they plan, what they charge, and what they share."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from psi.bench.baselines import searching
from psi.bench.baselines.searching import RANDOM, ROWS
from psi.bench.searches.objective import Objective
from psi.bench.searches.space import schedules
from psi.lab.engine.seeds import SCORING
from psi.lab.hyper import Hyper
from psi.lab.optimizers import bounds
from psi.lab.tasks.table import make_task

KEY = jax.random.key(4)
T = 3
SEEDS = SCORING.array(4)
NAMES = [row.name for row in ROWS]
# What searches do with a task is slow: evosax compiles for seconds. Fast: tests/bench/searches.
CHARGED = [3, 10, 30, 100, 30, 30, 30, 30, 10]


@pytest.fixture(scope="module")
def wine():
    return make_task("wine", Hyper(epochs=T, width=4))


@pytest.fixture(scope="module")
def asked(wine):
    """(row → its plan, trials that were trained for it), the rows in turn."""
    searching._random.cache_clear()
    trained, losses, found = [], Objective.losses, {}

    def watched(self, points, before):
        trained.append(points.shape[1])
        return losses(self, points, before)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Objective, "losses", watched)
        for row in ROWS:
            before = sum(trained)
            found[row.name] = plan(row, wine), sum(trained) - before
    return found


def plan(row, task, seeds=SEEDS):
    assert row.plan is not None
    return row.plan(task, seeds, KEY)


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_a_plan_has_rates_within_the_bounds_for_every_seed(asked, row):
    rates = asked[row.name][0].rates
    low, high = bounds("sgd")
    assert rates.shape == (len(SEEDS), T)
    assert (rates > low * (1 / T) ** 2 * 0.999).all()
    assert (rates < high * 1.001).all()
    assert not row.tuned


@pytest.mark.slow
def test_a_row_trains_what_it_charges_and_random_rows_share_their_trials(asked):
    assert [asked[name][0].runs for name in NAMES] == CHARGED
    assert [asked[name][1] for name in NAMES] == [3, 7, 20, 70, 30, 30, 30, 30, 0]


@pytest.mark.slow
def test_a_random_row_is_the_best_of_the_first_trials_of_all(asked, wine):
    objective = Objective(wine, SEEDS, KEY)
    tried = searching.random_trials(objective, 100)
    for runs in RANDOM:
        best = tried.losses[:, :runs].argmin(1)
        points = tried.points[np.arange(len(SEEDS)), best]
        expected = schedules(points, bounds("sgd"), T)
        np.testing.assert_array_equal(asked[f"random search, {runs} runs"][0].rates, expected)
        again = objective.losses(tried.points[:, :runs], 0)
        np.testing.assert_array_equal(again, tried.losses[:, :runs])
    assert len(np.unique(asked["random search, 100 runs"][0].rates, axis=0)) == len(SEEDS)


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_the_same_seeds_give_the_same_plan(asked, wine, row):
    searching._random.cache_clear()
    np.testing.assert_array_equal(plan(row, wine).rates, asked[row.name][0].rates)


@pytest.mark.slow  # compiles all for another number
@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_a_plan_does_not_depend_on_how_many_seeds_are_asked(asked, wine, row):
    np.testing.assert_allclose(plan(row, wine, SEEDS[:2]).rates, asked[row.name][0].rates[:2])


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_a_run_under_a_plan_has_its_rates(row):
    policy = row.make(jnp.array([0.3, 0.2, 0.1]), T)
    chosen = [policy.step((), SimpleNamespace(epoch=i))[1] for i in range(T)]  # pyright: ignore
    np.testing.assert_allclose(chosen, [0.3, 0.2, 0.1])
