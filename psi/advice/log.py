"""Reading a user's training log, a CSV file with one line per epoch or per step.

Columns are found by the names that trainers give them, in any letter case: in a log of Keras's
CSVLogger, of Lightning's, or in a table of one's own.
"""

import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
EPOCH = ("epoch",)
STEP = ("step", "global_step", "train_global_step", "iteration", "iter", "batch")
LOSS = (
    "loss", "train_loss", "training_loss", "train_loss_epoch", "loss_epoch", "train_loss_step",
    "loss_step", "loss_running",
)  # fmt: skip
# Lightning's monitor writes lr-Adam, or lr-SGD/pg1 for a group.
RATE = (
    "learning_rate", "lr", r"\w+_learning_rate", r"\w+_lr",
    r"lr_(\w*(ada|sgd|prop|opt)\w*|\w*\d)",
)  # fmt: skip
RATIO = ("update_ratio", r"update_(to_)?weights?(_ratio)?")
EMPTY = ("", "none", "null", "na", "n/a")


@dataclass(frozen=True)
class Columns:
    """Names of a log's columns, where they are not the usual ones."""

    at: str | None = None
    """Of the count of steps or epochs. None: step, global_step, iteration, …, epoch."""
    loss: str | None = None
    """Of the training loss. None: loss, train_loss, train/loss, …"""
    rate: str | None = None
    """Of the learning rate. None: learning_rate, lr, lr-Adam, …"""
    update_ratio: str | None = None
    """Of the norm of updates over that of weights. None: update_ratio, update_to_weight, …"""


class Log(NamedTuple):
    """The lines of a training log that have a loss; shape=(lines,) each."""

    unit: str
    """What `at` counts: the column's name, "line" where there is none."""
    at: Values
    loss: Values
    """In nats, NaN or infinite where it was logged so."""
    rate: Values
    """Learning rate in force at that line: the last one logged; NaN where none is."""
    update_ratio: Values
    """‖update‖/‖weights‖, NaN where there is none."""
    epoch: Values | None
    """Epoch of each line; None where the log has none."""
    columns: Columns = Columns()
    """The columns that it was read from."""


def read_log(path: Path, columns: Columns | None = None) -> Log:
    """Read a training log from a CSV file.

    An empty cell means that nothing was logged; nan and inf are losses. Of a quantity's usual names
    the first is taken whose cells are numbers; a count of steps or epochs must also never fall.

    Args:
        path: the file; cells are separated by commas, semicolons or tabs.
        columns: names of its columns, where they are not the usual ones.

    Returns:
        The lines that have a loss.

    Raises:
        ValueError: a loss or a named column is no number, a named `at` falls, or there is no loss;
            the message gives the line and the column.
        OSError: the file cannot be read.

    Example:
        >>> import pathlib, tempfile
        >>> from psi.advice import read_log
        >>> path = pathlib.Path(tempfile.mkdtemp(), "log.csv")
        >>> with path.open("w") as file:
        ...     print("step", "train/loss", "lr-Adam", sep=",", file=file)
        ...     print(100, 2.1, 0.01, sep=",", file=file)
        ...     print(200, 1.7, 0.01, sep=",", file=file)
        >>> log = read_log(path)
        >>> log.unit, log.loss.tolist(), log.rate.tolist()
        ('step', [2.1, 1.7], [0.01, 0.01])
    """
    table, wanted = _table(path), columns or Columns()
    # The first loss by name, even if it holds what is no number: the user should hear of that.
    if (loss := wanted.loss or next(iter(_usual(table, LOSS)), None)) is None:
        there = f"there are {list(table.names)}"
        raise ValueError(f"{path}: no column is a loss: name one with --loss; {there}")
    losses = table.values(loss)
    logged = ~np.array([_is_empty(cell) for cell in table.cells(loss)], bool)
    if not logged.any():
        raise ValueError(f"{path}: column {loss!r} holds no loss")

    def rises(values: Values) -> bool:
        return bool((np.diff(values[logged]) >= 0).all())

    at, positions = _column(table, wanted.at, (*STEP, *EPOCH), rises)
    rate, rates = _column(table, wanted.rate, RATE)
    ratio, ratios = _column(table, wanted.update_ratio, RATIO, hold=False)
    epoch, epochs = _column(table, None, EPOCH, rises)
    positions = positions if at else np.arange(1.0, len(logged) + 1)
    if not rises(positions):
        k = int(np.argmax(np.diff(positions[logged]) < 0))
        before, after = positions[logged][[k, k + 1]]
        raise ValueError(f"{path}: one run a log, but {at} falls from {before:g} to {after:g}")
    return Log(
        unit=at or "line", at=positions[logged], loss=losses[logged], rate=rates[logged],
        update_ratio=ratios[logged], epoch=epochs[logged] if epoch and rises(epochs) else None,
        columns=Columns(at, loss, rate, ratio),
    )  # fmt: skip


@dataclass(frozen=True)
class _Table:
    path: Path
    names: tuple[str, ...]
    rows: list[list[str]]
    lines: list[int]  # number of each row's last line in the file

    def cells(self, name: str) -> list[str]:
        if name not in self.names:
            raise ValueError(f"{self.path} has no column {name!r}; there are {list(self.names)}")
        column = self.names.index(name)
        return [row[column] for row in self.rows]

    def values(self, name: str) -> Values:
        cells = self.cells(name)
        try:
            return np.array([float(cell) for cell in cells])
        except ValueError:
            each = zip(cells, self.lines, strict=True)
            return np.array([_number(cell, f"{self.path}, line {k}", name) for cell, k in each])


def _table(path: Path) -> _Table:
    with path.open(newline="", encoding="utf-8-sig") as file:
        try:
            head = file.readline()
            delimiter = max(",;\t", key=head.count)
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter)
            rows = [(row, reader.line_num) for row in reader if any(map(str.strip, row))]
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{path} is no CSV file: {error}") from None
    if not rows:
        raise ValueError(f"{path} is empty")
    names = tuple(name.strip() for name in rows[0][0])
    if twice := [name for name in names if name and names.count(name) > 1]:
        raise ValueError(f"{path}: columns must have different names, got {twice[0]!r} twice")
    for row, line in rows[1:]:
        if len(row) != len(names):
            raise ValueError(f"{path}, line {line}: {len(row)} cells under {len(names)} names")
    return _Table(path, names, [row for row, _ in rows[1:]], [line for _, line in rows[1:]])


def _usual(table: _Table, patterns: Sequence[str]) -> list[str]:
    """The columns whose names match a pattern, in the order of the patterns."""
    plain: dict[str, str] = {}
    for name in table.names:
        plain.setdefault(re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_"), name)
    found = [(each, name) for each in patterns for name in plain if re.fullmatch(each, name)]
    return [plain[name] for _, name in found]


def _column(
    table: _Table,
    wanted: str | None,
    patterns: Sequence[str],
    serves: Callable[[Values], bool] = lambda _: True,
    hold: bool = True,
) -> tuple[str | None, Values]:
    """Name and values of the wanted column, or else of the first usual one that holds numbers.

    One that `serves` is preferred. With `hold`, empty cells get the last value before them. Without
    a column: None and NaN.
    """
    found: list[tuple[str, Values]] = []
    for name in [wanted] if wanted is not None else _usual(table, patterns):
        try:
            values = table.values(name)
        except ValueError:
            if wanted is not None:
                raise
            continue
        if np.isfinite(values).any():
            found.append((name, _held(values) if hold else values))
        if found and serves(found[-1][1]):
            return found[-1]
    if wanted is not None and not found:
        raise ValueError(f"{table.path}: column {wanted!r} holds no number")
    return found[0] if found else (None, np.full(len(table.rows), np.nan))


def _is_empty(cell: str) -> bool:
    return cell.strip().lower() in EMPTY


def _number(cell: str, line: str, name: str) -> float:
    if _is_empty(cell):
        return np.nan
    try:
        return float(cell)
    except ValueError:
        raise ValueError(f"{line}: {name} must be a number, got {cell!r:.40}") from None


def _held(values: Values) -> Values:
    """Replace what is not logged by the last value before it, or else by the first one."""
    known = np.flatnonzero(np.isfinite(values))
    return values[known[np.maximum(np.searchsorted(known, np.arange(len(values)), "right") - 1, 0)]]
