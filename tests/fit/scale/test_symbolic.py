"""Formulas from nothing, fitted to the regret."""

import numpy as np
import pytest

from psi.fit.scale.facts import FactSet
from psi.fit.scale.linear import Candidate, fit_linear
from psi.fit.scale.regret import regret_at
from psi.fit.scale.symbolic import CONFIG, fit_symbolic, symbolic
from psi.fit.scale.tuned import tuned_tasks
from tests.fit.scale.planted import planted

FACTS = FactSet("", ("parameters", "steps"))
FEW = CONFIG.__class__(
    runs=1, views=CONFIG.views[:1], generations=15, population=200, length=15, threads=1
)


@pytest.mark.slow
def test_a_planted_power_law_is_found():
    weights = {"parameters": -0.5, "steps": -0.4}
    tasks = tuned_tasks(planted(0, weights=weights, spread=0.2).atlas, "adam", "validation")
    fit = fit_symbolic(tasks, FACTS, config=FEW)
    found = regret_at(tasks.curves["linear"], fit.log_rates(tasks.facts)).mean()
    power = fit_linear(tasks, Candidate(FACTS)).log_rates(tasks.facts)
    assert found < regret_at(tasks.curves["linear"], power).mean() + 0.03
    again = symbolic(FACTS, config=FEW)(tasks)(tasks.facts)
    np.testing.assert_array_equal(again, fit.log_rates(tasks.facts))
