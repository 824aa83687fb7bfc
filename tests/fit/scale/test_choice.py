"""Choices by left-out domains: what was planted, and few facts rather than many."""

import pytest

from psi.fit.scale.choice import candidates, choose, nested_regret
from psi.fit.scale.facts import SETS, FactSet
from psi.fit.scale.tuned import tuned_tasks
from tests.fit.scale.planted import WEIGHTS, planted

PLANTED = FactSet("planted", tuple(WEIGHTS))
MADE = planted(0, domains=9, each=12)
TASKS = tuned_tasks(MADE.atlas, "adam", "validation")


def test_the_facts_that_were_planted_are_chosen_and_no_more():
    tried = candidates(sets=(*SETS[:2], PLANTED, *SETS[-2:]), penalties=(1e-2,))
    choice = choose(TASKS, tried)
    assert choice.candidate.facts == PLANTED
    assert choice.candidate.schedule == "linear"
    assert choice.table.chosen.sum() == 1
    row = choice.table[choice.table.chosen].iloc[0]
    assert row.low < row.regret < row.high
    # The planted constant schedule loses 0.15 nats more than the linear one at its best.
    same = choice.table[(choice.table.facts == "planted")].set_index("schedule").regret
    assert same["constant"] - same["linear"] == pytest.approx(0.15, abs=0.04)
    nested = nested_regret(choice, tried)
    assert nested.mean >= choice.by_domain.mean(1).min() - 1e-12
    assert nested.mean < row.regret + 0.02


def test_one_rate_is_tried_with_one_penalty_alone():
    tried = candidates()
    assert sum(each.facts.name == "one rate" for each in tried) == 3
    assert len(tried) == 3 + (len(SETS) - 1) * 9
