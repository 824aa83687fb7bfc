"""The network beside the power law, on left-out domains."""

import numpy as np
import pytest

from psi.fit.scale.facts import SETS, FactSet
from psi.fit.scale.left_out import domain_folds, linear
from psi.fit.scale.linear import Candidate
from psi.fit.scale.network import network
from psi.fit.scale.regret import regret_at
from psi.fit.scale.tuned import tuned_tasks
from tests.fit.scale.planted import planted

FACTS = FactSet("", ("parameters", "steps", "batch"))


def regrets(more, seed=0):
    """(of the power law, of the network) on a third of the domains."""
    weights = {"parameters": -0.5, "batch": 0.2}
    made = planted(seed, domains=12, each=12, weights=weights, more=more, spread=0.2)
    tasks = tuned_tasks(made.atlas, "adam", "validation")
    out = domain_folds(tasks.domain) < 4
    fits = (linear(Candidate(FACTS)), network(FACTS))
    held = tasks.curves["linear"].take(out)
    return [regret_at(held, fit(tasks.take(~out))(tasks.facts[out])).mean() for fit in fits]


def test_it_finds_what_no_power_law_has():
    """A bend: the exponent of the steps is −1 above 35 of them and +1 below."""
    power, bent = regrets(lambda facts: -np.abs(np.log(facts.steps / 35).to_numpy()))
    assert bent < 0.85 * power


@pytest.mark.slow
def test_it_adds_little_where_there_is_nothing():
    power, straight = regrets(None)
    assert straight < power + 0.02


def test_without_facts_there_is_no_network():
    with pytest.raises(ValueError, match="at least one fact, got 'one rate'"):
        network(SETS[0])
