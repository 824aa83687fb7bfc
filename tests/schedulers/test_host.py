"""The clock on the host, by hand; its state as plain numbers: the same bits, or refused by key."""

import json
import math
from fractions import Fraction
from typing import Any

import jax
import numpy as np
import pytest

import psi
from psi.law.clock import Clock, ClockState, first, observe, start, tick
from psi.law.law import Law
from psi.schedulers import host
from psi.schedulers.host import LATER, PLAIN, from_state_dict, state_dict
from tests.law.conftest import LAWS

LOSSES = [1.7, 1.1, math.nan, 0.9, 0.30000000000000004, math.inf, 0.7]


def alpha(loss: float, epoch: int, budget: int, initial: float) -> float:
    """The rate of the law `formula`, by hand."""
    return 0.2 * math.sqrt(loss / initial) * (1 - epoch / budget)


def test_an_epoch_ends_with_the_mean_of_its_losses_or_with_a_given_one(formula: Law) -> None:
    clock = Clock(formula, 8)
    state = host.observe(clock, start(clock, np), 1.8, begins=True)
    state = host.end_epoch(clock, host.observe(clock, state, 1.0, begins=False))
    assert state.learning_rate == pytest.approx(alpha(1.4, 1, 8, 1.8))
    state = host.end_epoch(clock, host.observe(clock, state, 9.0, begins=False), 0.5)
    assert state.learning_rate == pytest.approx(alpha(0.5, 2, 8, 1.8))
    state = host.end_epoch(clock, host.extend(clock, state, 16), 0.4)
    assert state.learning_rate == pytest.approx(alpha(0.4, 3, 16, 1.8))


def test_an_epoch_without_a_loss_keeps_the_rate_and_is_said_once(formula: Law) -> None:
    clock = Clock(formula, 8)
    begun = start(clock, np)
    with pytest.warns(
        UserWarning, match="epoch 0 ended with no loss; the rate stays 0.2 until step"
    ):
        state = host.end_epoch(clock, begun)
    state = host.end_epoch(clock, state, math.nan)  # a warning would be an error here
    assert (float(state.learning_rate), int(state.skipped)) == (begun.learning_rate, 2)


def test_a_restart_begins_epoch_0_with_what_was_observed(formula: Law) -> None:
    clock = Clock(formula, 8, max_change=1.01)
    state = host.observe(clock, start(clock, np), 1.6, begins=True)
    warmed = host.restart(clock, host.end_epoch(clock, state))
    assert warmed.epoch == 0
    state = host.restart(clock, host.observe(clock, warmed, 0.4, begins=False))
    assert state.learning_rate == pytest.approx(alpha(0.4, 0, 8, 1.6))
    assert (int(state.epoch), int(state.count), float(state.initial_loss)) == (0, 0, 1.6)


@pytest.mark.parametrize("loss", [1.0, np.float32(1), np.ones(()), np.ones(1), Fraction(1)])
def test_one_number_is_a_loss(loss: object) -> None:
    assert host.as_float(loss) == 1.0


@pytest.mark.parametrize(
    "loss", [None, "1.0", b"1", np.array("1.0"), np.ones(2), [1.0], 1j, {"loss": 1.0}]
)
def test_anything_else_is_no_loss(loss: object) -> None:
    with pytest.raises(ValueError, match="a loss must be one number, got"):
        host.as_float(loss)


@pytest.mark.parametrize("loss", [1, True, np.int64(1), np.bool_(1), np.ones(1, int)])
def test_a_whole_number_is_no_loss(loss: object) -> None:
    with pytest.raises(ValueError, match="a loss must be a float, in nats, got"):
        host.as_float(loss)


# States as plain numbers

OLD = {
    "learning_rate": 0.0494711604142371, "epoch": 2, "count": 0, "total": 0.0, "loss": 1.25,
    "initial_loss": 2.1, "best_loss": 1.25, "skipped": 0, "parameters": 1000.0, "horizon": 10.0,
}  # fmt: skip
"""Stored by version 0.1.0, with the law `momentum` and T = 10."""


def test_a_state_of_version_0_1_goes_on_bit_by_bit() -> None:
    clock = Clock(psi.load("momentum@0.1.0"), 10)
    state = from_state_dict(OLD)
    assert state.budget == 10
    assert host.end_epoch(clock, state, 1.0).learning_rate == 0.04356014745952952
    assert "horizon" not in state_dict(state)
    assert host.resumed(clock, OLD, None).learning_rate == state.learning_rate  # and no warning
    facts = Clock(psi.load("momentum"), 10)
    with pytest.warns(UserWarning, match=r'0.1.0; psi.load\("momentum@0.1.0"\) is the law'):
        host.resumed(facts, OLD, None)
    with pytest.raises(ValueError, match="has no 'horizon'"):
        from_state_dict(OLD | {"budget": 10.0})


def states(clock: Clock) -> list[ClockState]:
    found = [first(clock, start(clock, np), np.float64(2.1), np)]
    for loss in LOSSES:
        found.append(observe(found[-1], np.float64(loss)))
        found.append(tick(clock, found[-1], np))
    return found


def bits(state: ClockState) -> list[bytes]:
    return [np.asarray(value, float).tobytes() for value in jax.tree.leaves(state)]


@pytest.mark.parametrize("epochs", [5, 9])
def test_a_run_goes_on_bit_by_bit_from_any_state(law: Law, epochs: int) -> None:
    clock = Clock(law, epochs, max_change=1.5)
    every = states(clock)
    for number, state in enumerate(every):
        # Through text, as a checkpoint of JSON would keep it.
        again = from_state_dict(json.loads(json.dumps(state_dict(state))))
        assert bits(again) == bits(state)
        if number % 2 and number + 1 < len(every):
            assert bits(tick(clock, again, np)) == bits(every[number + 1])


def test_an_unknown_budget_is_kept(make_formula: Any) -> None:
    state = start(Clock(make_formula("loss", ("loss", 0.1, 5.0))), np)
    assert math.isnan(from_state_dict(state_dict(state)).budget)


def test_a_memory_goes_on_bit_by_bit() -> None:
    clock = Clock(LAWS["feedback"](), 9)
    every = [start(clock, np)]
    for loss, held in zip(LOSSES, [math.nan, 1.5, 1.2, math.nan, 1.3, 1.1, 1.2], strict=True):
        every.append(host.observe(clock, every[-1], loss, begins=False))
        every.append(tick(clock, every[-1], np, np.float64(held)))
    for number, state in enumerate(every[:-1]):
        again = from_state_dict(json.loads(json.dumps(state_dict(state))))
        assert bits(again) == bits(state)
        if number % 2:
            held = [math.nan, 1.5, 1.2, math.nan, 1.3, 1.1, 1.2][number // 2]
            assert bits(tick(clock, again, np, np.float64(held))) == bits(every[number + 1])


def test_a_validation_loss_within_an_epoch_is_saved_and_waits_for_its_end() -> None:
    clock = Clock(LAWS["feedback"](), 9)
    state = host.end_epoch(
        clock, host.observe(clock, start(clock, np), 2.0, begins=True), None, 1.5
    )
    state = host.observe(clock, state, 1.8, begins=False)
    for v in (1.3, 1.7, math.nan):  # the newest that is finite counts
        state = host.validated(clock, state, v)
    again = from_state_dict(json.loads(json.dumps(state_dict(state))))
    ended, wanted = host.end_epoch(clock, again), host.end_epoch(clock, state, None, 1.7)
    assert bits(ended) == bits(wanted)
    assert np.isnan(ended.memory.pending)
    assert ended.memory.validation.last == 1.7


def test_a_restart_begins_without_feedback_and_a_loss_before_training_is_no_news() -> None:
    clock = Clock(LAWS["feedback"](), 9)
    begun = start(clock, np)
    assert host.validated(clock, begun, 1.0) is begun
    state = host.end_epoch(clock, host.observe(clock, begun, 2.0, begins=True), None, 1.0)
    state = host.end_epoch(clock, host.observe(clock, state, 1.0, begins=False), None, 1.5)
    assert state.memory.feedback < -0.1
    state = host.validated(clock, host.observe(clock, state, 1.0, begins=False), 3.0)
    after = host.restart(clock, state)
    assert (int(after.epoch), float(after.memory.feedback)) == (0, 0.0)
    assert after.memory.validation.last == 1.5


def test_a_law_that_is_never_validated_says_so_once() -> None:
    clock = Clock(LAWS["feedback"](), 5)
    state = start(clock, np)
    for loss in (1.0, 0.9):
        state = host.end_epoch(clock, state, loss)
    with pytest.warns(UserWarning, match="answers a validation loss, and none has come"):
        state = host.end_epoch(clock, state, 0.8)
    host.end_epoch(clock, state, 0.7)  # a second warning would be an error here


def test_a_law_that_is_validated_in_time_says_nothing(formula: Law) -> None:
    clock, plain = Clock(LAWS["feedback"](), 5), Clock(formula, 5)
    state, other = start(clock, np), start(plain, np)
    for epoch, loss in enumerate((1.0, 0.9, 0.8, 0.7)):
        state, other = host.end_epoch(clock, state, loss), host.end_epoch(plain, other, loss)
        if epoch == 1:  # less often than once an epoch
            state = host.validated(clock, state, 1.1)


def test_a_state_without_a_memory_begins_one_and_a_law_without_takes_none(formula: Law) -> None:
    clock, plain = Clock(LAWS["feedback"](), 9), Clock(formula, 9)
    remembered, bare = (start(each, np) for each in (clock, plain))
    begun = host.resumed(clock, state_dict(bare), 9)
    assert (float(begun.memory.loss.best), float(begun.memory.feedback)) == (float(bare.loss), 0.0)
    assert host.resumed(plain, state_dict(remembered), 9).memory == ()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"loss_last": None}, "number, got None"),
        ({"val_best": math.inf}, "val_best of a saved clock must be finite"),
        ({"val_other": 1.0}, "missing or unknown keys"),
        ({"memory_feedback": "1"}, "memory_feedback of a saved clock must be a number"),
    ],
)
def test_a_damaged_memory_is_refused(change: dict[str, Any], reason: str) -> None:
    found = state_dict(start(Clock(LAWS["feedback"](), 9), np))
    with pytest.raises(ValueError, match=reason):
        from_state_dict(found | change)
    del found["memory_feedback"]
    with pytest.raises(ValueError, match="missing or unknown keys"):
        from_state_dict(found)


DAMAGED: dict[str, tuple[dict[str, Any], str]] = {
    "a rate that is no number": ({"learning_rate": math.nan}, "learning_rate of .* finite"),
    "a negative rate": ({"learning_rate": -0.1}, "learning_rate of .* positive"),
    "an ε_0 of zero": ({"initial_loss": 0.0}, "initial_loss of .* positive"),
    "no parameters": ({"parameters": 0.0}, "parameters of .* positive"),
    "an infinite loss": ({"loss": math.inf}, "loss of .* finite"),
    "text": ({"best_loss": "1.0"}, "best_loss of .* number, got '1.0'"),
    "nothing": ({"best_loss": None}, "best_loss of .* number"),
    "true": ({"total": True}, "total of .* number, got True"),
    "half an epoch": ({"epoch": 0.5}, "epoch must be a whole number >= 0, got 0.5"),
    "an epoch before the first": ({"epoch": -1}, "epoch must be a whole number"),
    "a budget of nothing": ({"budget": 0.0}, "budget of .* NaN or >= 1, got 0.0"),
    "a key too many": ({"law": 1.0}, "has no 'law'"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_state_is_refused_by_its_key(formula_law: Law, damage: str) -> None:
    change, reason = DAMAGED[damage]
    with pytest.raises(ValueError, match=reason):
        from_state_dict(state_dict(start(Clock(formula_law, 3), np)) | change)


@pytest.mark.parametrize("key", [name for name in PLAIN if name not in LATER])
def test_a_key_that_is_missing_is_named(formula_law: Law, key: str) -> None:
    found = state_dict(start(Clock(formula_law, 3), np))
    del found[key]
    with pytest.raises(ValueError, match=f"lacks '{key}'"):
        from_state_dict(found)


def test_what_is_no_mapping_is_refused() -> None:
    with pytest.raises(ValueError, match="mapping of numbers, got list"):
        from_state_dict([1.0])
