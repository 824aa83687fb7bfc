"""Checks of arguments, with messages that give the rule and the value."""

import math
from collections.abc import Iterable
from difflib import get_close_matches
from numbers import Integral
from typing import Any, TypeGuard


def whole_number(name: str, number: object, least: int = 1) -> int:
    """`number` as an int. Raises ValueError unless it is a whole number >= least."""
    # numpy's integers are Integral, but so is True.
    if isinstance(number, bool) or not isinstance(number, Integral) or number < least:
        raise ValueError(f"{name} must be a whole number >= {least}, got {number!r:.60}")
    return int(number)


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is there to be checked: JAX's own arrays may be traced, and have none."""
    return value is not None and not hasattr(value, "aval")


def check_positive(name: str, number: float) -> None:
    """Raises ValueError unless the number is positive and finite."""
    if not 0 < number < math.inf:
        raise ValueError(f"{name} must be positive and finite, got {number}")


def at_least(config: Any, /, **limits: int) -> None:
    """Raise ValueError where a field of `config` is below its limit: field=least value, …."""
    for name, low in limits.items():
        if getattr(config, name) < low:
            raise ValueError(f"{name} must be >= {low}, got {getattr(config, name)}")


FEW = 15  # names that a message lists whole


def unknown(what: str, name: object, names: Iterable[str]) -> str:
    """What to say of a name that is none of `names`: the closest three of them, or few all.

    >>> unknown("unit", "metre", [f"meter{k}" for k in range(20)])
    "unknown unit 'metre'; closest of 20: meter9, meter8, meter7"
    >>> unknown("unit", "yard", ["metre", "foot"])
    "unknown unit 'yard'; allowed: metre, foot"
    """
    every, text = list(names), f"unknown {what} {name!r:.60}"
    if len(every) <= FEW:
        return f"{text}; allowed: {', '.join(every)}"
    closest = get_close_matches(str(name), every, 3, 0.0)
    return f"{text}; closest of {len(every)}: {', '.join(closest)}"
