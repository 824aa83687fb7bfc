"""The words of a command: what it was told, and what would have to be typed to run it again."""

from collections.abc import Collection, Sequence
from dataclasses import fields
from typing import Any

from psi.law.checks import unknown


def options_of(command: Any, but: Collection[str]) -> list[str]:
    """The options of a command's fields that differ from their defaults, those in `but` left out.

    Args:
        command: a dataclass.
        but: names of fields.

    Returns:
        Words, each option before its values.
    """
    words: list[str] = []
    for each in fields(command):
        value, option = getattr(command, each.name), each.name.replace("_", "-")
        if each.name in but or value == each.default:
            continue
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        else:
            values = value if isinstance(value, tuple) else (value,)
            words += [f"--{option}", *map(str, values)]
    return words


def told(words: Sequence[str], names: Collection[str], what: str) -> dict[str, str]:
    """NAME=VALUE words by name.

    Args:
        words: as typed.
        names: those that there are.
        what: what a name is of, in the singular.

    Returns:
        The values, as text.

    Raises:
        ValueError: a name is unknown or comes twice, or a word is no NAME=VALUE.

    Example:
        >>> told(["rows=1000", "stream=no"], ("rows", "stream"), "fact")
        {'rows': '1000', 'stream': 'no'}
    """
    found: dict[str, str] = {}
    for word in words:
        name, given, value = word.partition("=")
        if name not in names:
            raise ValueError(unknown(what, name, names))
        if not given or name in found:
            raise ValueError(f"{what}s must be NAME=VALUE, each once, got {word!r:.60}")
        found[name] = value
    return found
