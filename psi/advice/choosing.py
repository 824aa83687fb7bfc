"""Which columns of a training log are read: those named, or the first usual ones that serve."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from psi.advice.column_names import ROLES, only_loss, ranked
from psi.advice.merging import Mask, held, losses_logged
from psi.advice.table import MIN_LINES, Table


@dataclass(frozen=True)
class Columns:
    """Names of a log's columns, where they are not the usual ones."""

    at: str | None = None
    """Of the count of steps or epochs. None: step, global_step, iteration, …, epoch."""
    loss: str | None = None
    """Of the training loss. None: loss, train_loss, train/loss, TrainLoss, …"""
    validation: str | None = None
    """Of the validation loss, or a file of it. None: val_loss, eval/loss, ValLoss, …"""
    rate: str | None = None
    """Of the learning rate, or a file of it. None: learning_rate, lr, lr-Adam, x/lr0, …"""
    gradient_norm: str | None = None
    """Of the gradient norm, or a file of it. None: grad_norm, gradient_norm, …"""
    update_ratio: str | None = None
    """Of the norm of updates over that of weights. None: update_ratio, update_to_weight, …"""


FILES = ("validation", "rate", "gradient_norm")
"""What may stand in a file of its own."""


def chosen(table: Table, wanted: Columns) -> Columns:
    """The columns' names; of the losses the first that holds enough numbers."""
    loss = wanted.loss or _loss_column(table)
    others = {
        role.field: column(table, role.field, getattr(wanted, role.field)) for role in ROLES[2:]
    }
    only = [name for name in only_loss(table.cells, True) if finite(table, name)]
    if others["validation"] is None and len(only) == 1:
        others["validation"] = only[0]
    if loss not in table.cells:
        raise ValueError(f"no column {loss!r}; there are {list(table.cells)}")
    logged = logged_losses(table, loss)
    return Columns(_count(table, wanted.at, logged), loss, **others)


def _loss_column(table: Table) -> str:
    usual = ranked("loss", table.cells) or [n for n in ("Value", "value") if n in table.cells]
    if not usual and len(only := only_loss(table.cells, False)) == 1:
        usual = only
    if not usual:
        there = f"there are {list(table.cells)}"
        raise ValueError(f"no column is a loss: name one with --loss; {there}")
    counts = {name: finite(table, name) for name in usual}
    enough = [name for name in usual if counts[name] >= MIN_LINES]
    # The first by name, even if it holds what is no number: the user should hear of that.
    most = max(counts.values())
    return enough[0] if enough else usual[0] if most < 2 else max(usual, key=lambda n: counts[n])


def finite(table: Table, name: str) -> int:
    """How many finite numbers a column holds; 0 where it holds text."""
    try:
        return int(np.isfinite(table.numbers(name).values).sum())
    except ValueError:
        return 0


def column(table: Table, field: str, wanted: str | None) -> str | None:
    """The wanted column, or else the first usual one that holds numbers; None for a file."""
    if wanted is not None:
        if wanted in table.cells:
            if not np.isfinite(table.numbers(wanted).values).any():
                raise ValueError(f"column {wanted!r} holds no number")
            return wanted
        if field in FILES and Path(wanted).is_file():
            return None
        raise ValueError(f"no column {wanted!r}; there are {list(table.cells)}")
    for name in ranked(field, table.cells):
        try:
            if table.numbers(name).logged.any():
                return name
        except ValueError:
            continue
    return None


def logged_losses(table: Table, loss: str) -> Mask:
    """Which rows hold a training loss."""
    found, others = table.numbers(loss), []
    counts = [*ranked("step", table.cells), *ranked("epoch", table.cells)]
    for name in table.cells if np.isnan(found.values[found.logged]).any() else ():
        if name != loss and name not in counts:
            try:
                others.append(table.numbers(name).values)
            except ValueError:
                continue
    logged = losses_logged(found, others)
    if not logged.any():
        raise ValueError(f"column {loss!r} holds no loss")
    return logged


def _count(table: Table, wanted: str | None, logged: Mask) -> str | None:
    """The column that counts: the first of steps, then of epochs, that falls least often."""
    if wanted is not None:
        return column(table, "at", wanted)
    falls: dict[str, int] = {}
    for name in ranked("step", table.cells) + ranked("epoch", table.cells):
        try:
            values = held(table.numbers(name).values)[logged]
        except ValueError:
            continue
        fall = np.diff(values) < 0
        begins = set(values[1:][fall])
        # One that begins again and again counts within epochs, as a batch does.
        within = (fall.sum() > 2 and len(begins) == 1) or (len(values) > 1 and np.ptp(values) == 0)
        if np.isfinite(values).all() and not within:
            falls[name] = int(fall.sum())
    return min(falls, key=lambda name: falls[name]) if falls else None
