"""The comparison on validation domains: regrets by task, means over domains."""

import numpy as np
import pandas as pd
import pytest

import psi
from psi.fit.feedback import judging
from psi.fit.feedback.family import Family
from psi.fit.feedback.judging import judge, summary, tuned_constants
from tests.fit.feedback.conftest import free_of


def test_tuned_constants_are_the_schedule_of_the_task(pool) -> None:
    family = Family(psi.load("adam"))
    for k, constants in enumerate(tuned_constants(pool, family)[:5]):
        named = dict(zip(family.constants, constants, strict=True))
        names, facts = family.base.features, pool.facts.iloc[k]
        at = np.array([0.0 if name == "progress" else facts[name] for name in names])
        assert family.base(at) * np.exp(named["level"]) == pytest.approx(pool.peak[k])
        assert named["power"] == {"linear": 1.0, "constant": 0.0}[pool.schedule[k]]


def test_regret_is_of_the_mean_loss_against_the_tuned_lane(pool, monkeypatch) -> None:
    family, few = Family(psi.load("adam")), pool.take(np.arange(3))

    def losses(some, plan, lanes, seeds):
        return np.broadcast_to([1.0, 2.0, 4.0, 4.0], (3, 4)) * seeds[0]

    monkeypatch.setattr(judging, "losses", losses)
    monkeypatch.setattr(judging, "scored", lambda _, losses: np.log(losses))
    both = {"a": family.start, "b": family.start}
    found = judge(few, [(family, both)], 4, np.array([1, 3]))
    assert found.task.tolist() == [each.task.number for each in few.entries]
    assert found.a.tolist() == pytest.approx([np.log(1 / 4)] * 3)
    assert found.b.tolist() == pytest.approx([np.log(2 / 4)] * 3)
    with pytest.raises(ValueError, match="at most 1 candidates"):
        judge(few, [(family, both)], 2, np.array([1]))


def test_laws_without_t_are_judged_by_the_tuned_lane_of_those_with_it(pool, monkeypatch) -> None:
    known, few = Family(psi.load("adam"), ()), pool.take(np.arange(3))
    free = Family(free_of(psi.load("adam")), ("v_above",))
    asked = []

    def losses(some, plan, lanes, seeds):
        asked.append(lanes[0])
        return np.broadcast_to([1.0, 2.0, 2.0] if len(asked) == 1 else [8.0, 16.0, 16.0], (3, 3))

    monkeypatch.setattr(judging, "losses", losses)
    monkeypatch.setattr(judging, "scored", lambda _, losses: np.log(losses))
    judged = [(known, {"facts": known.start}), (free, {"a": free.start + 1, "b": free.start})]
    found = judge(few, judged, 3, np.array([1]))
    assert found.columns.tolist() == ["task", "domain", "stream", "facts", "a", "b"]
    assert found.facts.tolist() == pytest.approx([np.log(1 / 2)] * 3)
    assert found.a.tolist() == pytest.approx([np.log(8 / 2)] * 3)
    assert found.b.tolist() == pytest.approx([np.log(16 / 2)] * 3)
    assert asked[1][0].tolist() == (free.start + 1).tolist()
    with pytest.raises(ValueError, match="first must be a family of formulas that know T"):
        judge(few, judged[::-1], 4, np.array([1]))


def test_means_are_over_domains() -> None:
    table = pd.DataFrame({
        "task": range(4), "domain": ["x", "x", "x", "y"], "stream": [False, False, True, True],
        "facts": [0.3, 0.3, 0.3, 0.1], "law": [0.0, -0.3, 0.0, 0.2],
    })  # fmt: skip
    facts, law = summary(table, "facts").to_dict("records")
    assert facts["regret"] == pytest.approx(0.2)
    assert facts["more"] == 0
    assert law["regret"] == pytest.approx((-0.1 + 0.2) / 2)
    assert law["more"] == pytest.approx((-0.4 + 0.1) / 2)
    assert (law["fixed"], law["streams"]) == (pytest.approx(-0.15), pytest.approx(0.1))
    assert (law["won"], law["worst"]) == (0.25, 0.2)
