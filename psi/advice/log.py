"""A user's training log, as one record whatever wrote it.

Columns are found by the names that trainers give them (`column_names`), in any of `formats`; their
lines are put in one order (`merging`). What was decided on the way stands in `Log.notes`.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from psi.advice.choosing import FILES, Columns, chosen, column, logged_losses
from psi.advice.column_names import COUNTS, ROLES, ranked, words
from psi.advice.formats import read_table
from psi.advice.merging import (
    held,
    never_beside,
    positions,
    resumed,
    validations_logged,
)  # fmt: skip
from psi.advice.optimizer_named import optimizer_named
from psi.advice.reshaping import of_one_run, reshaped
from psi.advice.table import Numbers, Table, Values, count
from psi.progress import Report, silent
from psi.schedulers.kin import Found


class Series(NamedTuple):
    """A quantity that has lines of its own; shape=(values,) each."""

    at: Values = np.zeros(0)
    """Position in the log's unit; never falls."""
    value: Values = np.zeros(0)
    """NaN or infinite where it was logged so."""


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
    validation: Series = Series()
    """Validation loss; empty where there is none."""
    gradient_norm: Series = Series()
    """Norm of the gradient; empty where there is none."""
    optimizer: Found | None = None
    """The optimizer that the log names."""
    notes: tuple[str, ...] = ()
    """What the reader decided, a sentence each."""


def read_log(path: Path, columns: Columns | None = None, report: Report = silent) -> Log:
    """Read a training log: CSV, JSON, JSON lines or what was printed.

    An empty cell means that nothing was logged; nan and inf are losses. Of a quantity's usual names
    the first is taken that holds enough numbers; a count of steps or epochs should also never fall.

    Args:
        path: the file; `-` for standard input.
        columns: names of its columns, where they are not the usual ones. The rate, the validation
            loss and the gradient norm may also stand in a file of their own, named here.
        report: told how many lines are read.

    Returns:
        The lines that have a loss.

    Raises:
        ValueError: a loss or a named column is no number, the count falls again and again, or
            there is no loss; the message gives the line and the column.
        OSError: a file cannot be read.

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
    wanted = columns or Columns()
    try:
        table = reshaped(of_one_run(read_table(path, report), wanted.loss))
        log = _log(table, chosen(table, wanted))
    except ValueError as error:
        raise ValueError(f"{name_of(path)}: {error}") from None
    named = {field: name for field in FILES if (name := getattr(wanted, field)) is not None}
    files = {field: Path(name) for field, name in named.items() if name not in table.cells}
    for field, file in files.items():
        log = _with_file(log, field, file, report)
    return log._replace(notes=(*_said(log.columns, list(files)), *log.notes))


def name_of(path: Path) -> str:
    """What a log is called in a message."""
    return "standard input" if str(path) == "-" else str(path)


def _said(columns: Columns, elsewhere: Sequence[str]) -> list[str]:
    """A sentence for each quantity: the column that it was read from, or that there is none."""
    notes = []
    for role in ROLES:
        name = getattr(columns, role.field)
        if name is not None and role.field not in elsewhere:
            notes.append(f"{role.title}: column {name!r}")
        elif name is None and role.field == "rate":
            notes.append("learning rate: no column; --rate names one, or a file of it")
    return notes


def _log(table: Table, names: Columns) -> Log:
    """The record of a table whose columns are known."""
    assert names.loss is not None
    logged = logged_losses(table, names.loss)
    nothing = Numbers(np.full(len(logged), np.nan), np.zeros(len(logged), bool))
    number = {
        role.field: table.numbers(name) if (name := getattr(names, role.field)) else nothing
        for role in ROLES
    }
    at = held(number["at"].values) if names.at else np.cumsum(logged, dtype=float)
    again = resumed(at, logged, table.restarts if names.at else (), names.at or "line")
    kept = again.kept(at)
    lines, notes = logged & kept, list(table.notes)
    if again.runs:
        left_out = count(int(logged.sum() - lines.sum()), "line")
        notes.append(f"{names.at} begins again {count(again.runs, 'time')}: {left_out} of resumed "
                     "runs left out, the later ones count")  # fmt: skip
    own = number["at"].logged & np.isfinite(number["at"].values)
    gradient = number["gradient_norm"]
    measured = {
        "validation": validations_logged(number["validation"], logged),
        "gradient_norm": gradient.logged & ~never_beside(gradient.values, number["loss"].values),
    }
    if names.validation and number["validation"].logged.any() and not measured["validation"].any():
        notes.append(f"{names.validation} is NaN in all lines: taken as not logged")
    series = {}
    for field, rows in measured.items():
        where = positions(at, own, rows, logged)
        rows &= again.kept(where)
        series[field] = Series(np.maximum.accumulate(where[rows]), number[field].values[rows])
    epoch = column(table, "epoch", None)
    epochs = held(table.numbers(epoch).values)[lines] if epoch else None
    if epochs is not None and (np.diff(epochs) < 0).any():
        epochs = None
    rate = Numbers(number["rate"].values[kept], number["rate"].logged[kept])
    return Log(
        names.at or "line", at[lines], number["loss"].values[lines], _rates(rate, logged[kept]),
        number["update_ratio"].values[lines], epochs, names, **series,
        optimizer=optimizer_named(table), notes=tuple(notes),
    )  # fmt: skip


def _rates(rate: Numbers, logged: np.ndarray) -> Values:
    """The rate in force at each loss; not finite from where it is so beside losses to the end."""
    rates, beside = held(rate.values)[logged], rate.values[logged]
    finite = np.flatnonzero(np.isfinite(beside))
    if len(finite) > len(beside) / 2:
        bad = rate.logged[logged] & ~np.isfinite(beside)
        bad[: finite[-1]] = False
        rates = np.where(bad, beside, rates)
    return rates


def _with_file(log: Log, field: str, path: Path, report: Report) -> Log:
    """The log with a quantity from a file of its own, put at its positions."""
    try:
        series = _series(reshaped(read_table(path, report)), field, log)
    except ValueError as error:
        raise ValueError(f"{name_of(path)}: {error}") from None
    title = next(role.title for role in ROLES if role.field == field)
    notes = (*log.notes, f"{title}: {count(len(series.at), 'line')} of {path}")
    columns = replace(log.columns, **{field: str(path)})
    if field == "rate":
        last = np.searchsorted(series.at, log.at, "right") - 1
        return log._replace(rate=series.value[np.maximum(last, 0)], columns=columns, notes=notes)
    return log._replace(**{field: series}, columns=columns, notes=notes)


def _series(table: Table, field: str, log: Log) -> Series:
    """The quantity of a table, by the table's count where the log has the same, else by its lines.

    Raises:
        ValueError: no column is the quantity, or its lines cannot be put beside the log's.
    """
    counts = [name for kind in ("step", "epoch") for name in ranked(kind, table.cells)]
    others = [name for name in table.cells if name not in counts]
    usual = [*ranked(field, table.cells), *(others if len(others) == 1 else [])]
    if field == "validation":  # in a file of its own it may be called a loss
        usual += ranked("loss", table.cells)
    usual += [name for name in ("Value", "value") if name in table.cells]
    if not usual:
        raise ValueError(f"no column is a {field.replace('_', ' ')}; there are {list(table.cells)}")
    value, logged = table.numbers(usual[0])
    for name in counts:
        at = held(table.numbers(name).values)[logged]
        if _counts_steps(name) == _counts_steps(log.unit) and log.unit != "line":
            pass
        elif not _counts_steps(name) and log.epoch is not None:
            at = log.at[np.minimum(np.searchsorted(log.epoch, at), len(log.at) - 1)]
        else:
            continue
        order = np.argsort(at, kind="stable")
        if at[order[0]] > log.at[-1] or at[order[-1]] < log.at[0]:
            raise ValueError(f"its {name} is from {at.min():g} to {at.max():g}, the log's from "
                             f"{log.at[0]:g} to {log.at[-1]:g}")  # fmt: skip
        return Series(at[order], value[logged][order])
    if logged.sum() != len(log.at):
        raise ValueError(f"{logged.sum()} lines, and the log has {len(log.at)}: without a count "
                         "in both they must be as many")  # fmt: skip
    return Series(log.at, value[logged])


def _counts_steps(name: str) -> bool:
    return bool(set(words(name)) & set(COUNTS))
