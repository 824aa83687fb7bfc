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
        one, facts, domain, both, own = table
        assert one > facts > both > own
        assert one > domain > both
        assert abs(own - EXTRA[schedule]) < 0.02
