"""Facts: what makes none, and what follows from those that are given."""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from psi.law.facts import Facts

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no rows": ({"rows": 0}, "rows must be a whole number >= 1, got 0"),
    "half a row": ({"rows": 1.5}, "rows must be a whole number"),
    "rows in text": ({"rows": "100"}, "rows must be a whole number"),
    "a batch of true": ({"batch": True}, "batch must be a whole number >= 1, got True"),
    "no steps": ({"steps_per_epoch": -1}, "steps_per_epoch must be a whole number >= 1, got -1"),
    "no parameters": ({"parameters": 0}, "parameters must be a whole number >= 1, got 0"),
    "one class": ({"classes": 1}, "classes must be >= 2, or 0 for a regression; got 1"),
    "classes below zero": ({"classes": -2}, "classes must be a whole number >= 0, got -2"),
    "a chance loss of zero": ({"chance_loss": 0.0}, "chance_loss must be positive"),
    "a chance loss that is no number": ({"chance_loss": math.nan}, "chance_loss must be positive"),
    "a chance loss in text": ({"chance_loss": "2.3"}, "chance_loss must be a number, got '2.3'"),
    "infinite weights": ({"weight_rms": math.inf}, "weight_rms must be positive and finite"),
    "a stream of one": ({"stream": 1}, "stream must be True or False, got 1"),
    "rows of a stream": ({"stream": True, "rows": 9}, "rows must be None, got 9"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_makes_no_fact_is_refused(wrong: str) -> None:
    facts, reason = WRONG[wrong]
    with pytest.raises(ValueError, match=reason):
        Facts(**facts)


def test_whole_numbers_of_numpy_are_whole_numbers() -> None:
    facts = Facts(rows=np.int64(7), classes=np.uint8(3))  # type: ignore
    assert (type(facts.rows), type(facts.classes)) == (int, int)


@pytest.mark.parametrize(
    ("facts", "feature", "value"),
    [
        (Facts(), "steps", math.nan),
        (Facts(rows=100), "steps", math.nan),
        (Facts(rows=100, batch=32), "steps", 4.0),
        (Facts(rows=96, batch=32), "steps", 3.0),
        (Facts(rows=100, batch=32, steps_per_epoch=3), "steps", 3.0),
        (Facts(classes=10), "chance_loss", math.log(10)),
        (Facts(classes=10, chance_loss=2.0), "chance_loss", 2.0),
        (Facts(classes=0), "chance_loss", math.nan),
        (Facts(classes=0), "classes", 1.0),
        (Facts(stream=True), "rows", 1.0),
        (Facts(stream=True), "stream", 1.0),
        (Facts(), "stream", 0.0),
        (Facts(), "rows", math.nan),
        (Facts(steps_per_epoch=5, batch=8), "rows", math.nan),  # the steps may be of a period
    ],
)
def test_what_can_be_derived_is(facts: Facts, feature: str, value: float) -> None:
    assert facts.values()[feature] == pytest.approx(value, nan_ok=True)


def test_what_was_counted_fills_what_is_lacking_and_wins_over_nothing() -> None:
    facts = Facts(batch=8).filled(batch=16, rows=100, classes=None)
    assert facts == Facts(batch=8, rows=100)
    # Derived facts are none that were given.
    assert Facts(rows=100, batch=10).filled(steps_per_epoch=50).values()["steps"] == 50
    assert Facts(stream=True).filled(rows=100) == Facts(stream=True)


def test_weights_on_a_device_stay_there() -> None:
    assert Facts(weight_rms=jnp.asarray(0.5)).values()["weight_rms"].shape == ()
