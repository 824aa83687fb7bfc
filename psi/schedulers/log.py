"""A user's training log, a CSV file with one line per epoch or per step.

Columns are found by the names that trainers give them, in any case: the log of Keras's CSVLogger,
of Lightning's, or a table of one's own.
"""

import csv
import re
from collections.abc import Sequence
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
RATE = ("learning_rate", "lr", "train_learning_rate", "train_lr", r"lr_\w+")
RATIO = ("update_ratio", r"update_(to_)?weights?(_ratio)?")
NOTHING = ("", "none", "null", "na", "n/a")


@dataclass(frozen=True)
class Columns:
    """Names of columns, where they are not to be guessed."""

    at: str | None = None
    """Of the count of steps or epochs. None: step, global_step, iteration, …, epoch."""
    loss: str | None = None
    """Of the training loss. None: loss, train_loss, train/loss, …"""
    rate: str | None = None
    """Of the learning rate. None: learning_rate, lr, lr-Adam, …"""
    update_ratio: str | None = None
    """Of the norm of updates over that of weights. None: update_ratio, update_to_weight, …"""


class Log(NamedTuple):
    """The lines that have a loss, in their order; shape=(lines,) each."""

    unit: str
    """What `at` counts: the column's name, "line" where there is none."""
    at: Values
    loss: Values
    """In nats, NaN or infinite where it was logged so."""
    rate: Values
    """In force at that line: the last one logged; NaN where none is."""
    update_ratio: Values
    """‖update‖/‖weights‖, NaN where there is none."""
    epoch: Values | None
    """Of each line, where the log says it."""


def read_log(path: Path, columns: Columns | None = None) -> Log:
    """Read a log. An empty cell is nothing logged, nan and inf are losses.

    Raises ValueError with the line where one is no number, where `at` falls, where no column is a
    loss or where none holds one; OSError where the file cannot be read.
    """
    columns = columns or Columns()
    names, rows = _table(path)
    at = _column(names, columns.at, (*STEP, *EPOCH), path)
    loss = _column(names, columns.loss, LOSS, path)
    if loss is None:
        raise ValueError(f"{path}: no column is a loss: name one with --loss; there are {names}")
    rate = _column(names, columns.rate, RATE, path)
    ratio = _column(names, columns.update_ratio, RATIO, path)
    epoch = _column(names, None, EPOCH, path)

    def values(name: str | None) -> Values:
        if name is None:
            return np.full(len(rows), np.nan)
        place = names.index(name)
        try:
            return np.array([float(row[place]) for row in rows])
        except ValueError:
            return np.array([_number(row[place], path, k + 2, name) for k, row in enumerate(rows)])

    told = ~np.array([_nothing(row[names.index(loss)]) for row in rows], bool)
    if not told.any():
        raise ValueError(f"{path}: column {loss!r} holds no loss")
    places, epochs = _held(values(at)), _held(values(epoch))
    if not np.isfinite(places).all():
        at, places = None, np.arange(1.0, len(rows) + 1)
    return Log(
        unit=at or "line",
        at=_rising(places[told], path, at),
        loss=values(loss)[told],
        rate=_held(values(rate))[told],
        update_ratio=values(ratio)[told],
        epoch=epochs[told] if np.isfinite(epochs).all() else None,
    )


def _table(path: Path) -> tuple[list[str], list[list[str]]]:
    with path.open(newline="", encoding="utf-8-sig", errors="strict") as file:
        try:
            head = file.readline()
            delimiter = max(",;\t", key=head.count)
            file.seek(0)
            names, *rows = csv.reader(file, delimiter=delimiter)
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{path} is no CSV file: {error}") from None
        except ValueError:
            raise ValueError(f"{path} is empty") from None
    names = [name.strip() for name in names]
    rows = [row for row in rows if any(map(str.strip, row))]
    for number, row in enumerate(rows):
        if len(row) != len(names):
            raise ValueError(f"{path}, row {number + 2}: {len(row)} cells under {len(names)} names")
    return names, rows


def _column(
    names: Sequence[str], wanted: str | None, usual: Sequence[str], path: Path
) -> str | None:
    if wanted is not None and wanted not in names:
        raise ValueError(f"{path} has no column {wanted!r}; there are {list(names)}")
    if wanted is not None:
        return wanted
    plain = {re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_"): name for name in names}
    for pattern in usual:
        for name, written in plain.items():
            if re.fullmatch(pattern, name):
                return written
    return None


def _nothing(cell: str) -> bool:
    return cell.strip().lower() in NOTHING


def _number(cell: str, path: Path, row: int, name: str) -> float:
    if _nothing(cell):
        return np.nan
    try:
        return float(cell)
    except ValueError:
        raise ValueError(f"{path}, row {row}: {name} must be a number, got {cell!r:.40}") from None


def _held(values: Values) -> Values:
    """Where nothing is logged, the last value that was; before the first one, the first."""
    known = np.flatnonzero(np.isfinite(values))
    if len(known) == 0:
        return values
    return values[known[np.maximum(np.searchsorted(known, np.arange(len(values)), "right") - 1, 0)]]


def _rising(at: Values, path: Path, name: str | None) -> Values:
    falls = np.flatnonzero(np.diff(at) < 0)
    if len(falls):
        before, after = at[falls[0]], at[falls[0] + 1]
        raise ValueError(f"{path}: one run a log, but {name} falls from {before:g} to {after:g}")
    return at
