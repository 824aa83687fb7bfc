"""What searches are told, against the population engine."""

from typing import Any

import jax
import numpy as np
import pytest

from psi.bench.searches import objective as module
from psi.bench.searches import training
from psi.bench.searches.methods import TRIALS
from psi.bench.searches.objective import Objective
from psi.bench.searches.stagewise import RATES
from psi.lab.engine.policy import trajectory
from psi.lab.engine.population import population
from psi.lab.engine.seeds import SCORING, SEARCHES
from psi.lab.engine.work import Layout
from psi.lab.hyper import Hyper
from psi.lab.optimizers import bounds
from psi.lab.tasks.table import make_task

KEY = jax.random.key(2)
T = 3
SEEDS = SCORING.array(4)
POINTS = np.random.default_rng(1).random((4, 3, 2))


@pytest.fixture(scope="module")
def objective():
    return Objective(make_task("wine", Hyper(epochs=T, width=4)), SEEDS, KEY)


def val_losses(objective, rates, seeds):
    """Validation losses by the population engine, shape=(lane, seed, epoch)."""
    lanes = np.asarray(rates, np.float32)
    return population(objective.task, trajectory, lanes, seeds, KEY, Layout(10, 4)).val_loss


def test_trials_have_seeds_of_their_own_in_the_ledger(objective):
    trials = Objective(objective.task, SCORING.array(SCORING.count), KEY).trials
    assert len(np.unique(trials)) == SCORING.count * TRIALS == SEARCHES.count
    assert set(trials.flat) == set(SEARCHES.array(SEARCHES.count))


def test_a_trial_is_the_run_that_the_engine_trains_from_its_seed(objective):
    found = objective.losses(POINTS, 5)
    rates, trials = objective.plans(POINTS), objective.trials[:, 5:8]
    alone = val_losses(objective, rates.reshape(12, T), trials.reshape(12))
    expected = np.diagonal(alone[..., -1]).reshape(4, 3)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_a_diverged_trial_is_worse_than_any_other(objective):
    """A peak of 600^10 times the lowest does, whatever the seed."""
    points = np.repeat(np.array([[0.5, 0.5], [10, 0], [0.9, 0]])[None], 4, axis=0)
    losses = objective.losses(points, 0)
    assert np.isfinite(losses[:, [0, 2]]).all()
    assert (losses[:, 1] == np.inf).all()
    assert (losses[:, [0, 2]] <= 2 * objective.task.facts.chance_loss).all()


def test_the_stagewise_plan_is_the_greedy_one(objective):
    """By training every prefix from the start in the population engine."""
    rates = np.geomspace(*bounds("sgd"), RATES)
    for search, plan in enumerate(objective.staged()):
        prefix = np.empty((RATES, 0))
        for epoch in range(T):
            lanes = np.c_[prefix, rates, np.zeros((RATES, T - epoch - 1))]
            losses = val_losses(objective, lanes, objective.trials[search, :1])[:, 0, epoch]
            best = losses.argmin()
            assert plan[epoch] == rates[best]
            prefix = np.repeat(lanes[best : best + 1, : epoch + 1], RATES, axis=0)


def test_what_is_trained_is_what_is_charged(objective, monkeypatch):
    trained = []

    def watched(task, runs, rates, first, end):
        trained.append((end - first).sum())
        return training.trained(task, runs, rates, first, end)

    monkeypatch.setattr(module, "trained", watched)
    objective.staged()
    assert sum(trained) == RATES * T
    trained.clear()
    objective.losses(POINTS, 0)
    assert sum(trained) == POINTS.shape[1] * T


def test_two_programs_serve_a_task(objective):
    """What one trial of each search has compiled serves any number of them, and stages."""
    objective.losses(POINTS[:, :1], 1)
    programs: Any = training._programs("cpu")
    before = [each._cache_size() for each in programs]
    objective.losses(POINTS, 2)
    objective.staged()
    assert [each._cache_size() for each in programs] == before


def test_a_search_is_that_of_its_seed_whatever_the_others(objective):
    few, turned = (Objective(objective.task, s, KEY) for s in (SEEDS[2:], SEEDS[::-1]))
    np.testing.assert_array_equal(few.trials, objective.trials[2:])
    keys = [np.asarray(jax.random.key_data(each.keys)) for each in (few, objective)]
    np.testing.assert_array_equal(keys[0], keys[1][2:])
    assert len(np.unique(keys[1], axis=0)) == len(SEEDS)
    np.testing.assert_array_equal(turned.losses(POINTS[::-1], 0), objective.losses(POINTS, 0)[::-1])


def test_objectives_are_equal_where_all_they_hold_is(objective):
    task = objective.task
    same = Objective(task._replace(name="other"), SEEDS.copy(), jax.random.key(2))
    assert same == objective
    assert hash(same) == hash(objective)
    assert Objective(task, SEEDS[1:], KEY) != objective
    assert Objective(task, SEEDS, jax.random.key(3)) != objective
    assert Objective(make_task("wine", Hyper(epochs=T, width=5)), SEEDS, KEY) != objective
    moved = jax.tree.map(lambda a: a + 0, task.arrays)
    assert Objective(task._replace(arrays=moved), SEEDS, KEY) != objective
