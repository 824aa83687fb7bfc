"""Searches over whole trainings, against losses known in advance."""

import numpy as np
import pytest

from psi.fit.formula.families import RELATIVE
from psi.fit.formula.formula import Candidate, Formula, Parameter
from psi.fit.search.arena import arena
from psi.fit.search.evolution import PolishConfig
from psi.fit.search.objective import TrainingTask
from psi.ideal.oracle import trajectory_losses
from psi.law.parsing import parse
from tests.fit.search.planted import DOMAIN, KEY, LINEAR, POWER, quadratic


def test_a_law_ends_where_its_schedule_does():
    """a (1 − i/T) as a law and as a trajectory: the same trainings, seed by seed."""
    task, seeds, rates = quadratic(), np.arange(5), np.array([0.1, 0.3])
    where = arena([LINEAR, POWER], [TrainingTask(task, 0.0, KEY)], RELATIVE, DOMAIN, False, KEY)
    plans = rates[:, None] * (1 - np.arange(6) / 6)
    expected = trajectory_losses(task, plans, seeds, KEY)
    mixed = [np.log([[0.1]]), np.array([[np.log(0.3), 1.0]])]
    regret = where.regrets([0, 1], mixed, seeds)[0]
    span = task.facts.chance_loss
    np.testing.assert_allclose(np.exp(regret), expected.mean(0) + 0.01 * span, rtol=1e-4)


def test_a_population_is_cut_and_put_together_in_order():
    """21 laws in blocks of 12, each as it is alone."""
    task, seeds = quadratic(), np.arange(3)
    vectors = np.log(np.geomspace(0.01, 0.4, 21))[:, None]
    where = arena([LINEAR], [TrainingTask(task, 0.0, KEY)], RELATIVE, DOMAIN, False, KEY)
    whole = where.regrets([0], [vectors], seeds)[0]
    alone = [where.regrets([0], [v[None]], seeds)[0, 0] for v in vectors[::7]]
    np.testing.assert_allclose(whole[::7], alone, rtol=1e-5)


def test_polishing_trainings_finds_the_best_constant():
    """The best constant rate over 6 steps of a noisy quadratic, from the moment recursion."""
    task = quadratic()
    h, variance, moment = 2.0, 1.0, 4.0

    def end(rate):
        a = moment
        for _ in range(6):
            a = (1 - rate * h) ** 2 * a + rate**2 * variance
        return a

    grid = np.linspace(0.05, 0.5, 500)
    best = grid[np.argmin([end(rate) for rate in grid])]
    constant = Candidate(Formula(parse("a"), (Parameter("a", True, "rate"),)), np.log([0.1]))
    where = arena([constant], [TrainingTask(task, 0.0, KEY)], RELATIVE, DOMAIN, False, KEY)
    config = PolishConfig(population=8, generations=30, seeds=256)
    found = where.polished([0], [constant.start], config)[0]
    assert end(np.exp(found[0])) < 1.02 * end(best)


def test_a_level_far_off_is_put_right_before_a_search():
    """a (1 − i/T) ends best near a = 0.45 = 1/h: from e^±1.5 of that the way is ∓1.5. A formula
    whose first constant is no rate stays."""
    best = np.log(0.45)
    other = Candidate(Formula(parse("0.1 + c"), (Parameter("c"),)), np.array([0.05]))
    where = arena(
        [LINEAR, POWER, other], [TrainingTask(quadratic(), 0.0, KEY)], RELATIVE, DOMAIN, False, KEY
    )
    begin = [np.array([best - 1.5]), np.array([best + 1.5, 1.0]), other.start]
    one, two, three = where.levelled([0, 1, 2], begin, np.arange(128))
    assert one == pytest.approx([best], abs=0.51)
    assert two == pytest.approx([best, 1.0], abs=0.51)
    assert two[1] == 1.0
    assert three == other.start
    assert where.levelled([2], [other.start], np.arange(8)) == [other.start]
