"""A training log as a table of cells, and the numbers in them.

What a cell may hold: a number, a number in brackets (`[0.1]`, `tensor(0.1)`), nothing, or text.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
MIN_LINES = 8  # with a finite loss: a trend needs as many
EMPTY = frozenset(("", "none", "null", "na", "n/a", "no log", "-", "--"))
FLOAT = r"[+-]?(?:(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|nan|inf(?:inity)?)"
WRAPPED = re.compile(rf"(?:[\w.]+\()?[\[(]*\s*({FLOAT})\s*(?:[,\])].*)?", re.IGNORECASE)


class Numbers(NamedTuple):
    """The numbers of a column; shape=(rows,) each."""

    values: Values
    """NaN where nothing was logged, or NaN was."""
    logged: NDArray[np.bool_]


class Table(NamedTuple):
    """What a log file holds, before it is known which columns are which."""

    cells: Mapping[str, Sequence[Any]]
    """Cells by name of column, of text or of values; a float array where all are numbers."""
    lines: Sequence[int]
    """Number of each row's line in the file."""
    restarts: tuple[int, ...] = ()
    """Rows before which the header stands again: a resumed run begins there."""
    notes: tuple[str, ...] = ()
    """What the reader decided, a sentence each."""
    words: str = ""
    """Text around the table, which may name the optimizer."""

    def numbers(self, name: str) -> Numbers:
        """The numbers of a column; ValueError names the line of a cell that is none."""
        cells = self.cells[name]
        if isinstance(cells, np.ndarray):
            return Numbers(cells, np.ones(len(cells), bool))
        logged = np.array([cell is not None and cell != "" for cell in cells], bool)
        values = np.full(len(cells), np.nan)
        try:
            values[logged] = [float(cell) for cell in cells if cell is not None and cell != ""]
        except (ValueError, TypeError):
            for k, cell in enumerate(cells):
                found = number(cell, f"line {self.lines[k]}: {name}")
                logged[k] = found is not None
                values[k] = np.nan if found is None else found
        return Numbers(values, logged)

    def texts(self, name: str) -> list[str]:
        """The cells of a column as lower-case text."""
        return [str(cell).strip().lower() for cell in self.cells[name]]


def number(cell: Any, what: str) -> float | None:
    """The number in a cell, None in an empty one; ValueError says `what` is no number."""
    if isinstance(cell, (list, tuple)):  # a rate for each parameter group
        return number(cell[0], what) if cell else None
    text = str(cell).strip()
    if text.lower() in EMPTY:
        return None
    if found := WRAPPED.fullmatch(text):
        return float(found[1])
    raise ValueError(f"{what} must be a number, got {text!r:.40}")


def of_rows(rows: Sequence[Mapping[str, Any]], lines: Sequence[int], **more: Any) -> Table:
    """A table of rows that each name their cells."""
    names = dict.fromkeys(name for row in rows for name in row)
    return Table({name: [row.get(name) for row in rows] for name in names}, lines, **more)


def count(number: int, noun: str) -> str:
    """A number of things in words, e.g. "1 line" or "1,200 lines"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
