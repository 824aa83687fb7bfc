"""The clock's arguments: what makes no sense is refused, with the rule and the value."""

import math
from typing import Any

import numpy as np
import pytest

from psi.law.law import Law
from psi.law.settings import Clock

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "facts of another type": ({"facts": {"rows": 3}}, "facts must be psi.Facts"),
    "law of another type": ({"law": lambda loss: loss}, "law must be a psi.Law"),
    "no law": ({"law": "law.json"}, "law must be a psi.Law"),
    "no epochs": ({"epochs": 0}, "epochs must be a whole number >= 1, got 0"),
    "half an epoch": ({"epochs": 1.5}, "epochs must be a whole number >= 1, got 1.5"),
    "epochs of a float": ({"epochs": 3.0}, "epochs must be"),
    "epochs in text": ({"epochs": "3"}, "epochs must be"),
    "true epochs": ({"epochs": True}, "epochs must be a whole number >= 1, got True"),
    "no budget for a law that sees it": ({"epochs": None}, "epochs must be given, got None"),
    "a warm-up before the start": ({"warmup": -1}, "warmup must be a whole number >= 0, got -1"),
    "half a warm-up": ({"warmup": 0.5}, "warmup must be a whole number >= 0, got 0.5"),
    "no change at all": ({"max_change": 1.0}, "max_change must be a factor above 1, got 1.0"),
    "any change": ({"max_change": math.inf}, "max_change must be a factor above 1, got inf"),
    "a change that is no number": ({"max_change": math.nan}, "max_change must be a factor"),
    "first loss zero": ({"initial_loss": 0.0}, "initial_loss must be positive"),
    "first loss negative": ({"initial_loss": -1.0}, "initial_loss must be positive"),
    "first loss not a number": ({"initial_loss": math.nan}, "initial_loss must be positive"),
    "first loss not finite": ({"initial_loss": math.inf}, "initial_loss must be positive"),
    "limits upside down": ({"min_lr": 2.0, "max_lr": 1.0}, "got 2.0 and 1.0"),
    "a negative limit": ({"min_lr": -1e-3}, "rates must be 0 <= min_lr"),
    "no rate but zero": ({"min_lr": 0.0, "max_lr": 0.0}, "rates must be"),
    "no upper limit": ({"max_lr": math.inf}, "rates must be"),
    "a lower limit that is no number": ({"min_lr": math.nan}, "rates must be"),
    "an upper limit that is no number": ({"max_lr": math.nan}, "rates must be"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_makes_no_clock_is_refused(formula_law: Law, wrong: str) -> None:
    change, reason = WRONG[wrong]
    with pytest.raises(ValueError, match=reason):
        Clock(**({"law": formula_law, "epochs": 3} | change))


def test_whole_numbers_of_numpy_are_whole_numbers(formula_law: Law) -> None:
    clock = Clock(formula_law, np.int64(7))  # type: ignore
    assert (clock.epochs, type(clock.epochs)) == (7, int)
