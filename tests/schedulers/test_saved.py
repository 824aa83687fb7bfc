"""A clock's state as plain numbers: back to the same bits, or refused by the key."""

import json
import math
from typing import Any

import numpy as np
import pytest

from psi.law.clock import Clock, ClockState, first, observe, start, tick
from psi.law.law import Law
from psi.schedulers.saved import restored, saved

LOSSES = [1.7, 1.1, math.nan, 0.9, 0.30000000000000004, math.inf, 0.7]


def states(clock: Clock) -> list[ClockState]:
    found = [first(clock, start(clock, np), np.float64(2.1), np)]
    for loss in LOSSES:
        found.append(observe(found[-1], np.float64(loss)))
        found.append(tick(clock, found[-1], np))
    return found


def bits(state: ClockState) -> list[bytes]:
    return [np.asarray(value, float).tobytes() for value in state]


@pytest.mark.parametrize("epochs", [5, 9])
def test_a_run_goes_on_bit_by_bit_from_any_state(law: Law, epochs: int) -> None:
    clock = Clock(law, epochs, max_change=1.5)
    every = states(clock)
    for number, state in enumerate(every):
        # Through text, as a checkpoint of JSON would keep it.
        again = restored(json.loads(json.dumps(saved(state))))
        assert bits(again) == bits(state)
        if number % 2 and number + 1 < len(every):
            assert bits(tick(clock, again, np)) == bits(every[number + 1])


def test_an_unknown_budget_is_kept(make_formula: Any) -> None:
    state = start(Clock(make_formula("loss", ("loss", 0.1, 5.0))), np)
    assert math.isnan(restored(saved(state)).horizon)


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
    "a budget of nothing": ({"horizon": 0.0}, "horizon of .* NaN or >= 1, got 0.0"),
    "a key too many": ({"law": 1.0}, "has no 'law'"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_state_is_refused_by_its_key(formula_law: Law, damage: str) -> None:
    change, reason = DAMAGED[damage]
    with pytest.raises(ValueError, match=reason):
        restored(saved(start(Clock(formula_law, 3), np)) | change)


@pytest.mark.parametrize("key", ClockState._fields)
def test_a_key_that_is_missing_is_named(formula_law: Law, key: str) -> None:
    found = saved(start(Clock(formula_law, 3), np))
    del found[key]
    with pytest.raises(ValueError, match=f"lacks '{key}'"):
        restored(found)


def test_what_is_no_mapping_is_refused() -> None:
    with pytest.raises(ValueError, match="mapping of numbers, got list"):
        restored([1.0])
