"""A clock's state as plain numbers, for checkpoints: back from them it goes on bit by bit.

No law and no arrays: what a framework saves beside its weights, and loads without unpickling.
"""

import math
from collections.abc import Mapping

import numpy as np

from psi.law.clock import ClockState, whole

COUNTS = ("epoch", "count", "skipped")
POSITIVE = ("learning_rate", "initial_loss", "parameters")
ANY = ("total", "horizon")
"""The sum of an epoch's losses may be no finite number; T is NaN where it is not known."""

Saved = dict[str, float | int]


def saved(state: ClockState) -> Saved:
    """The state's fields by name."""
    return {
        name: int(value) if name in COUNTS else float(value)
        for name, value in state._asdict().items()
    }


def restored(found: object) -> ClockState:
    """The state that `saved` wrote, on numpy.

    Raises ValueError with the key's name where one is missing, unknown or of no use.
    """
    if not isinstance(found, Mapping):
        raise ValueError(f"a saved clock is a mapping of numbers, got {type(found).__name__}")
    for name in ClockState._fields:
        if name not in found:
            raise ValueError(f"a saved clock lacks {name!r}")
    for name in found:
        if name not in ClockState._fields:
            raise ValueError(f"a saved clock has no {name!r:.60}")
    return ClockState(**{name: _number(name, found[name]) for name in ClockState._fields})


def _number(name: str, value: object) -> np.ndarray:
    if name in COUNTS:
        return np.asarray(whole(name, value, least=0))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} of a saved clock must be a number, got {value!r:.60}")
    if name not in ANY and not math.isfinite(value):
        raise ValueError(f"{name} of a saved clock must be finite, got {value}")
    # A rate of 0 is what min_lr = max_lr · 0 may ask for; a loss of 0 is no ε_0.
    if name in POSITIVE and (value < 0 or (value == 0 and name != "learning_rate")):
        raise ValueError(f"{name} of a saved clock must be positive, got {value}")
    if name == "horizon" and (value < 1 or math.isinf(value)):
        raise ValueError(f"horizon of a saved clock must be NaN or >= 1, got {value}")
    return np.asarray(float(value))
