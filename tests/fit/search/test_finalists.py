"""A competition of candidates on a problem whose best constant rate is known."""

import numpy as np
import pytest

from psi.fit.formula.families import RELATIVE
from psi.fit.formula.formula import Candidate, Formula, Parameter
from psi.fit.search.arena import Arena, arena
from psi.fit.search.evolution import PolishConfig
from psi.fit.search.finalists import Rounds, compete, intervals, rates_over
from psi.fit.search.objective import TrainingTask
from psi.lab.engine.seeds import POLISH
from psi.law.law import Range
from psi.law.parsing import parse
from tests.fit.search.test_objective import DOMAIN, KEY, LINEAR, quadratic

SMALL = Rounds(PolishConfig(6, generations=2, seeds=64), PolishConfig(6, generations=2, seeds=64))
LOW = Candidate(LINEAR.formula, np.log([0.01]), "low")


@pytest.mark.slow
def test_a_start_that_is_far_too_low_is_levelled_and_searched():
    where = arena(
        [LOW, LINEAR], [TrainingTask(quadratic(), 0.0, KEY)], RELATIVE, DOMAIN, False, KEY
    )
    steps = []
    found = compete(where, [0, 1], SMALL, lambda *step: steps.append(step))
    assert [finalist.polished for finalist in found] == sorted(f.polished for f in found)
    low = next(finalist for finalist in found if finalist.number == 0)
    assert low.polished < low.fitted - 0.5
    assert low.regrets.mean() == low.polished
    done, total, _ = steps[-1]
    assert done == total == SMALL.steps() == 5
    ends = intervals(where, found[0])
    assert (ends[0] <= ends[1]).all()


def test_rates_of_a_formula_over_its_domain():
    """a (1 − t) over t in [0, 0.5]: from a/2 to a."""
    formula = Formula(parse("a*(1 - progress)"), (Parameter("a", True, "rate"),))
    domain = (Range(0.1, 1.0), Range(0.0, 0.5))
    assert rates_over(formula, np.log([0.4]), RELATIVE, domain) == Range(0.2, 0.4)


def test_no_seed_is_searched_on_twice(monkeypatch):
    seen = []
    regrets = Arena.regrets

    def noted(self, number, vectors, seeds, *rest):
        seen.append(tuple(int(seed) for seed in seeds))
        return regrets(self, number, vectors, seeds, *rest)

    monkeypatch.setattr(Arena, "regrets", noted)
    task = TrainingTask(quadratic(), 0.0, KEY)
    compete(arena([LINEAR], [task], RELATIVE, DOMAIN, False, KEY), [0], SMALL)
    searched = [s for each in seen for s in each if POLISH.first <= s < POLISH.first + POLISH.count]
    assert len(searched) == len(set(searched)) == 4 * 64
