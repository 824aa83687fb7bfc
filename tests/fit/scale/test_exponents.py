"""Intervals of the exponents, and their place beside published ones."""

from typing import Any

import numpy as np
import pytest

from psi.fit.scale.exponents import BY_ROWS, PUBLISHED, beside_published, exponents
from psi.fit.scale.facts import FACTS, FactSet
from psi.fit.scale.linear import Candidate
from psi.fit.scale.tuned import tuned_tasks
from tests.fit.scale.planted import WEIGHTS, planted

PLANTED = FactSet("planted", tuple(WEIGHTS))


def table_of(seed, resamples=40, **config):
    made = planted(seed, domains=12, each=8, **config)
    tasks = tuned_tasks(made.atlas, "adam", "validation")
    return exponents(tasks, Candidate(PLANTED, 1e-3), resamples)


def test_the_planted_exponents_are_in_their_intervals():
    """20 intervals of 4 seeds: if 93 % hold the truth, fewer than 16 do in 1 % of draws."""
    inside = []
    for seed in range(4):
        table = table_of(seed, domain_spread=0.1).set_index("name").loc[[*WEIGHTS]]
        truth = np.array([*WEIGHTS.values()])
        inside += [*((table.low <= truth) & (truth <= table.high))]
        assert (table.low < table.value).all()
        assert (table.value < table.high).all()
    assert sum(inside) >= 16


@pytest.mark.parametrize(
    "weights",
    [
        {"parameters": -0.5, "batch": 0.5},
        {"parameters": 0.3, "steps": -1.0},
        {"rows": 0.4, "weight_rms": 1.0, "classes": -0.3},
    ],
)
def test_kind_of_power_laws(weights):
    """Other laws than the one above are found as well, within 4 standard errors."""
    made = planted(5, domains=12, each=12, weights=weights)
    tasks = tuned_tasks(made.atlas, "adam", "validation")
    table = exponents(tasks, Candidate(FactSet("", tuple(weights)), 1e-3), 20).iloc[1:]
    error = np.maximum((table.high - table.low) / (2 * 1.96), 0.02)
    assert (np.abs(table.value - [*weights.values()]) < 4 * error).all()


def test_published_exponents_stand_beside_those_of_the_same_facts():
    table = table_of(0, resamples=5)
    beside = beside_published(table, "adam")
    assert {*beside.name} == {"parameters", BY_ROWS, "steps", "budget"}
    mup = beside[beside.rule.str.startswith("muP")].iloc[0]
    assert mup.published == -0.5
    assert mup.within == (mup.low <= -0.5 <= mup.high)
    assert len(beside_published(table, "sgd")) == 2


def test_a_rule_of_the_batch_is_held_to_what_fewer_steps_do_as_well():
    table = table_of(1).set_index("name")
    row: Any = table.loc[BY_ROWS]
    assert row.value == pytest.approx(table.value["batch"] - table.value["steps"])
    assert row.low < WEIGHTS["batch"] - WEIGHTS["steps"] < row.high
    beside = beside_published(table.reset_index(), "adam")
    square_root: Any = beside[beside.fact == "batch"].iloc[0]
    assert (square_root["name"], square_root.published) == (BY_ROWS, 0.5)


def test_every_published_exponent_has_a_source():
    for row in PUBLISHED:
        assert "arXiv" in row.source
        assert row.fact in (*FACTS, "data")
        assert row.optimizer in ("sgd", "momentum", "adam")


def test_one_domain_says_nothing_of_others():
    tasks = tuned_tasks(planted(0, domains=1, each=8).atlas, "adam", "validation")
    with pytest.raises(ValueError, match="at least 2 of them, got 1"):
        exponents(tasks, Candidate(PLANTED))
