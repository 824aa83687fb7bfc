"""Facts of a training as a command's words: rows=1000 batch=32 classes=10."""

from collections.abc import Sequence
from dataclasses import fields

from psi.commands.words import told
from psi.law.facts import Facts

MEASURED = ("chance_loss", "weight_rms", "initial_grad_norm")
TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def facts_of(words: Sequence[str]) -> Facts:
    """NAME=VALUE words as facts. Raises ValueError for what is no fact, or no number.

    Example:
        >>> facts_of(["rows=1000", "chance_loss=0.69", "stream=no"]).rows
        1000
    """
    found: dict[str, object] = {}
    for name, value in told(words, [each.name for each in fields(Facts)], "fact").items():
        try:
            if name == "stream":
                found[name] = TRUTH[value.lower()]
            else:
                number = float(value.replace(",", ""))
                found[name] = number if name in MEASURED else _whole(number)
        except (KeyError, ValueError, OverflowError):
            kinds = {"stream": "yes or no"} | dict.fromkeys(MEASURED, "a number")
            kind = kinds.get(name, "a whole number")
            raise ValueError(f"the fact {name} must be {kind}, got {value!r:.60}") from None
    return Facts(**found)  # type: ignore[arg-type]


def _whole(number: float) -> int:
    """A whole number, also as 1e5. Raises ValueError for others."""
    if number != int(number):
        raise ValueError
    return int(number)
