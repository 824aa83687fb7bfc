"""Regret by what is known of a task."""

from psi.fit.scale.facts import FactSet
from psi.fit.scale.knowledge import regret_by_knowledge
from psi.fit.scale.linear import Candidate
from psi.fit.scale.tuned import tuned_tasks
from tests.fit.scale.planted import EXTRA, WEIGHTS, planted


def test_more_knowledge_loses_less():
    made = planted(0, domains=9, each=12, domain_spread=0.5)
    tasks = tuned_tasks(made.atlas, "adam", "validation")
    for schedule in ("linear", "constant"):
        candidate = Candidate(FactSet("", tuple(WEIGHTS)), schedule=schedule)
        table = regret_by_knowledge(tasks, candidate).set_index("knowledge").regret
        one, counted, facts, domain, both, own = table
        assert one > counted > facts > both > own
        assert one > domain > both
        assert abs(own - EXTRA[schedule]) < 0.02


def test_the_tuned_schedule_is_judged_beside_the_best_of_all(monkeypatch):
    monkeypatch.setitem(EXTRA, "linear", 0.2)
    tasks = tuned_tasks(planted(0).atlas, "adam", "validation")
    table = regret_by_knowledge(tasks, Candidate(FactSet("", tuple(WEIGHTS))))
    assert abs(table.set_index("knowledge").regret["its own sweep"] - 0.17) < 0.02
