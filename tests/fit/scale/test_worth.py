"""What a fact is worth on left-out domains."""

import pytest

from psi.fit.scale.facts import FactSet
from psi.fit.scale.linear import Candidate
from psi.fit.scale.tuned import tuned_tasks
from psi.fit.scale.worth import worth
from tests.fit.scale.planted import WEIGHTS, planted


@pytest.mark.slow
def test_planted_facts_are_worth_something_and_others_nothing():
    tasks = tuned_tasks(planted(0, domains=9, each=12).atlas, "adam", "validation")
    table = worth(tasks, Candidate(FactSet("", (*WEIGHTS, "classes")))).set_index("fact")
    assert table.worth["parameters"] > 0.2
    assert table.worth_low["parameters"] > 0
    assert table.worth["steps"] > 0.02
    assert abs(table.worth["classes"]) < 0.02
    assert table.worth_low["classes"] < 0.005
    assert table.alone["parameters"] > 0.1
    assert table.worth_low["all of the training"] > 0.1
    assert (table.worth_low <= table.worth).all()
    assert (table.alone <= table.alone_high).all()
