"""A training log as a table of cells, and the numbers in them.

What a cell may hold: a number, a number in brackets (`[0.1]`, `tensor(0.1)`), nothing, or text.
"""

import contextlib
import itertools
import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
MIN_LINES = 8  # with a finite loss: a trend needs as many
EMPTY = frozenset(("", "none", "null", "na", "n/a", "no log", "-", "--", "#na#", "#n/a", "<na>"))
FLOAT = r"[+-]?(?:(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|nan|inf(?:inity)?)"
WRAPPED = re.compile(rf"(?:[\w.]+\([\[(]*|[\[(]+)\s*({FLOAT})\s*[,\])].*", re.IGNORECASE)


class Numbers(NamedTuple):
    """The numbers of a column; shape=(rows,) each."""

    values: Values
    """NaN where nothing was logged, or NaN was."""
    logged: NDArray[np.bool_]


@dataclass(frozen=True)
class Table:
    """What a log file holds, before it is known which columns are which."""

    cells: Mapping[str, Sequence[Any]]
    """Cells by name of column, of text or of values."""
    lines: Sequence[int]
    """Number of each row's line in the file."""
    restarts: tuple[int, ...] = ()
    """Rows before which the header stands again: a resumed run begins there."""
    notes: tuple[str, ...] = ()
    """What the reader decided, a sentence each."""
    words: str = ""
    """Text around the table, which may name the optimizer."""
    _numbers: dict[str, Numbers] = field(default_factory=dict, init=False, compare=False)

    def numbers(self, name: str) -> Numbers:
        """The numbers of a column; ValueError names the line of a cell that is none."""
        if name not in self._numbers:
            self._numbers[name] = _numbers(self.cells[name], self.lines, name)
        return self._numbers[name]

    def texts(self, name: str) -> list[str]:
        """The cells of a column as lower-case text."""
        return [str(cell).strip().lower() for cell in self.cells[name]]


def _numbers(cells: Sequence[Any], lines: Sequence[int], name: str) -> Numbers:
    with contextlib.suppress(ValueError, TypeError):
        values = np.fromiter(map(float, cells), float, len(cells))
        return Numbers(values, np.ones(len(cells), bool))
    with contextlib.suppress(ValueError, TypeError):  # None and "" are neither true nor 0
        values = np.array([float(cell) if cell or cell == 0 else np.nan for cell in cells], float)
        filled = np.fromiter(map(bool, cells), bool, len(cells))
        return Numbers(values, filled | (values == 0))
    pairs = zip(cells, lines, strict=True)
    found = [number(cell, f"line {line}: {name}") for cell, line in pairs]
    values = np.array([np.nan if each is None else each for each in found], float)
    return Numbers(values, np.array([each is not None for each in found], bool))


def number(cell: Any, what: str) -> float | None:
    """The number in a cell, None in an empty one; ValueError says `what` is no number."""
    if isinstance(cell, (list, tuple)):  # a rate for each parameter group
        return number(cell[0], what) if cell else None
    text = str(cell).strip()
    if text.lower() in EMPTY:
        return None
    found = WRAPPED.fullmatch(text)
    try:
        return float(found[1] if found else text)
    except ValueError:
        raise ValueError(f"{what} must be a number, got {text!r:.40}") from None


def of_rows(rows: Sequence[Mapping[str, Any]], lines: Sequence[int], **more: Any) -> Table:
    """A table of rows that each name their cells."""
    cells: dict[str, list[Any]] = {}
    for name in dict.fromkeys(itertools.chain.from_iterable(rows)):
        try:
            cells[name] = list(map(operator.itemgetter(name), rows))
        except KeyError:
            cells[name] = [row.get(name) for row in rows]
    return Table(cells, lines, **more)


def left_out(wrong: Sequence[str], most: float) -> list[str]:
    """Notes of lines that are left out, by what is wrong with each; ValueError where many are."""
    if len(wrong) > most:
        raise ValueError(wrong[0])
    more = [f"{len(wrong) - 3} more such lines left out"] * (len(wrong) > 3)
    return [f"{each}, left out" for each in wrong[:3]] + more


def count(number: int, noun: str) -> str:
    """A number of things in words, e.g. "1 line" or "1,200 lines"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
