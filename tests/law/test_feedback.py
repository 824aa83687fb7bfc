"""Feedback: the leaky sum by hand, its limits, and what is refused."""

import json
import math
from dataclasses import replace
from types import ModuleType

import jax
import numpy as np
import pytest

import psi
from psi.law.clock import Clock, ClockState, again, first, observe, start, tick, validated
from psi.law.feedback import Feedback
from psi.law.law import Law, Range
from psi.law.parsing import parse
from tests.law.conftest import LAWS

RULE = "0.1 - 0.7*tanh(20*val_excess)"
SEEN = {"progress": (0.0, 1.0), "val_excess": (0.0, 1.0), "feedback": (-2.0, 0.5)}


def law(change: str = RULE, keep: float = 0.9, **seen: tuple[float, float]) -> Law:
    ranges = SEEN | seen
    return Law(
        parse("0.1*(1 - progress)*exp(feedback)"),
        tuple(ranges),
        tuple(Range(*each) for each in ranges.values()),
        Range(1e-6, 10.0),
        "adam",
        2.3,
        feedback=Feedback(keep, parse(change)),
    )


def run(clock: Clock, held: list[float], xp: ModuleType) -> list[ClockState]:
    states = [start(clock, xp)]
    for v in held:
        state = observe(states[-1], xp.asarray(1.0, dtype=float))
        states.append(tick(clock, state, xp, xp.asarray(v, dtype=float)))
    return states


def test_the_leaky_sum_is_that_of_the_formula(xp: ModuleType) -> None:
    held, u, best = [1.0, 0.9, 0.95, 0.85, 0.9, 1.2, 1.2, 1.2, 1.2, 1.2], 0.0, math.inf
    states = run(Clock(law(), 12), held, xp)
    assert float(states[0].learning_rate) == pytest.approx(0.1)
    for i, (v, state) in enumerate(zip(held, states[1:], strict=True), start=1):
        best = min(best, v)
        u = min(max(0.9 * u + 0.1 - 0.7 * math.tanh(20 * math.log(v / best)), -2.0), 0.5)
        assert float(state.memory.feedback) == pytest.approx(u, abs=1e-12)
        assert float(state.learning_rate) == pytest.approx(0.1 * (1 - i / 12) * math.exp(u))
    assert u == -2.0  # the limit was reached


def test_without_a_validation_loss_a_law_does_what_it_says(xp: ModuleType) -> None:
    last = run(Clock(law(), 12), [math.nan] * 3, xp)[-1]
    assert float(last.memory.feedback) == pytest.approx(0.1 * (1 + 0.9 + 0.81))


def test_a_bad_epoch_leaves_the_feedback_as_it_was() -> None:
    clock = Clock(law(), 12)
    before = run(clock, [1.0, 1.1], np)[-1]
    bad = tick(clock, observe(before, np.float64(math.nan)), np, np.float64(1.0))
    assert bad.memory.feedback == before.memory.feedback
    assert bad.learning_rate == before.learning_rate
    after = tick(clock, observe(bad, np.float64(1.0)), np, np.float64(1.0))
    assert after.memory.feedback == pytest.approx(0.9 * before.memory.feedback + 0.1)


def test_a_late_or_repeated_choice_adds_nothing_twice() -> None:
    clock = Clock(law(), 12)
    here = run(clock, [1.0, 1.1], np)[-1]
    late = tick(clock, observe(run(clock, [1.0], np)[-1], np.float64(1.0)), np)
    late = validated(clock, late, np.float64(1.1), np)
    for other in (late, again(clock, here, np), validated(clock, here, np.float64(math.nan), np)):
        found, wanted = jax.tree.leaves(other.memory), jax.tree.leaves(here.memory)
        np.testing.assert_array_equal(found, wanted)
        assert other.learning_rate == here.learning_rate
    assert run(Clock(LAWS["formula"](), 12), [1.0], np)[-1].memory == ()


def test_the_first_minibatch_s_loss_is_what_the_memory_begins_with(xp: ModuleType) -> None:
    clock = Clock(LAWS["feedback"](), 12)
    state = first(clock, start(clock, xp), xp.asarray(5.0), xp)
    assert [float(each) for each in state.memory.loss[:3]] == [5.0, 5.0, 0.0]


def test_a_late_choice_keeps_the_limit_of_change_from_the_rate_before() -> None:
    clock = Clock(law("0 - 3*tanh(20*val_excess)"), 12, max_change=1.5)
    before = run(clock, [1.0], np)[-1]
    late = tick(clock, observe(before, np.float64(1.0)), np)
    for _ in range(3):
        late = validated(clock, late, np.float64(2.0), np)
    assert float(late.learning_rate) == pytest.approx(float(before.learning_rate) / 1.5)
    at_once = tick(clock, observe(before, np.float64(1.0)), np, np.float64(2.0))
    assert late.learning_rate == at_once.learning_rate


def test_a_changed_budget_keeps_what_was_seen() -> None:
    clock = Clock(law(), 12)
    here = run(clock, [1.0, 1.1], np)[-1]
    longer = again(clock, here._replace(budget=np.asarray(24.0)), np)
    assert longer.memory == here.memory
    ratio = float(longer.learning_rate / here.learning_rate)
    assert ratio == pytest.approx((1 - 2 / 24) / (1 - 2 / 12))


REFUSED = {
    "no rule": ({"feedback": None}, "a law that sees feedback declares its rule"),
    "no feature": (
        {"features": ("progress",), "domain": (Range(0, 1),), "model": parse("1 - progress")},
        "and no other law does",
    ),
    "unused": ({"model": parse("1 - progress")}, "has it in its formula"),
    "keep": ({"feedback": Feedback(1.5, parse(RULE))}, r"keep of a feedback must be in \[0, 1\]"),
    "a number": ({"feedback": Feedback(math.nan, parse(RULE))}, "got nan"),
    "limits": (
        {"domain": (Range(0, 1), Range(0, 1), Range(0.1, 1))}, "domain of feedback must hold 0"
    ),
    "unseen": ({"feedback": Feedback(0.9, parse("loss"))}, "uses 'loss', not a feature"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_sense_is_refused(case: str) -> None:
    change, reason = REFUSED[case]
    with pytest.raises(ValueError, match=reason):
        replace(law(), **change)


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ([0.9, 1.0], "feedback must be null or"),
        ({"keep": 0.9}, "feedback must be null or"),
        ({"keep": "0.9", "change": 1.0}, "keep must be a finite number"),
        ({"keep": 0.9, "change": ["eval", "loss"]}, "eval"),
    ],
)
def test_a_file_s_rule_is_checked(rule: object, reason: str, tmp_path) -> None:
    path = tmp_path / "law.json"
    law().save(path)
    assert psi.load(path) == law()
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"feedback": rule}))
    with pytest.raises(psi.LawFileError, match=reason):
        psi.load(path)
