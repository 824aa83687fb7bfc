"""Tables of training logs brought into one shape: a column for each quantity.

What comes otherwise: training and validation in lines of their own that a column tells apart, a
line for each tag and value, a single unnamed value (TensorBoard's export), a loss in parts.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from psi.advice.choosing import finite
from psi.advice.column_names import HELD_OUT, TRAIN, parts, ranked, words
from psi.advice.table import EMPTY, Table, of_rows

SPLITS = ("mode", "phase", "split", "stage", "subset", "set", "partition")
RUNS = ("run", "run_id", "run_name", "run name", "experiment", "trial", "fold", "seed")
TAGS = ("tag", "metric", "name", "key", "variable")


def reshaped(table: Table) -> Table:
    """The table with a column for each quantity, and with what was done said."""
    for rule in RULES:
        table = rule(table)
    return table


def of_one_run(table: Table, loss: str | None) -> Table:
    """The table with one of the runs that it holds: wandb's columns, or a column that names them.

    Args:
        table: a log's.
        loss: the column that was asked for; its run is kept, or else the first.
    """
    for name in [each for each in table.cells if each.lower() in RUNS]:
        own = table.texts(name)
        runs = [run for run in dict.fromkeys(own) if run not in EMPTY]
        if 1 < len(runs) < len(own) / 2:
            rows = [k for k, run in enumerate(own) if run == runs[0] or run in EMPTY]
            cells = {key: [column[k] for k in rows] for key, column in table.cells.items()}
            note = f"column {name!r} tells {len(runs)} runs apart: {runs[0]!r} is read"
            table = replace(table, lines=[table.lines[k] for k in rows], restarts=())
            table = _with(table, cells, note)
    of = {name: name.rpartition(" - ")[0] for name in table.cells}
    losses = [name for name in of if ranked("loss", [name]) and finite(table, name)]
    runs = list(dict.fromkeys(of[name] for name in losses if of[name]))
    if len(runs) < 2:
        return table
    run = of.get(loss or "") or runs[0]
    kept = {name: cells for name, cells in table.cells.items() if of[name] in (run, "")}
    return _with(table, kept, f"{len(runs)} runs: {run!r} is read; --loss names another's column")


def _by_tag(table: Table) -> Table:
    """Lines of tag and value."""
    by_name = {name.lower(): name for name in table.cells}
    tag = next((by_name[name] for name in TAGS if name in by_name), None)
    if tag is None or "value" not in by_name:
        return table
    counts = [name for kind in ("step", "epoch") for name in ranked(kind, table.cells)]
    if not counts:
        return table
    rows: dict[Any, dict[str, Any]] = {}  # by count: tags may come one after the other
    lines: dict[Any, int] = {}
    columns = [table.cells[name] for name in (counts[0], tag, by_name["value"])]
    for at, name, value, line in zip(*columns, table.lines, strict=True):
        rows.setdefault(at, {counts[0]: at})[str(name)] = value
        lines.setdefault(at, line)
    note = f"column {tag!r} says what a line's value is"
    return of_rows(list(rows.values()), list(lines.values()), notes=(*table.notes, note))


def _by_split(table: Table) -> Table:
    """Lines of training and of validation."""
    for name in table.cells:
        if name.lower() not in SPLITS:
            continue
        splits = table.texts(name)
        there = set(splits) - EMPTY
        if there & TRAIN and there & {*HELD_OUT}:
            losses = [each for each in table.cells if "loss" in words(each)]
            new = {
                f"{split}/{loss}": [
                    cell if own == split else None
                    for own, cell in zip(splits, table.cells[loss], strict=True)
                ]
                for loss in losses
                for split in there & {*TRAIN, *HELD_OUT}
            }
            kept = {k: v for k, v in table.cells.items() if k not in losses}
            return _with(table, kept | new, f"column {name!r} says what a line is of")
    return table


def _one_value(table: Table) -> Table:
    """TensorBoard's export of one scalar: Wall time, Step, Value."""
    names = {name.lower(): name for name in table.cells}
    if set(names) != {"wall time", "step", "value"}:
        return table
    new = {names["step"]: table.cells[names["step"]], names["value"]: table.cells[names["value"]]}
    return _with(table, new, "the export of one scalar: its values are taken for what was asked")


def _total(held_out: bool) -> Callable[[Table], Table]:
    """A rule that adds up a loss of which only parts are logged."""

    def rule(table: Table) -> Table:
        some = parts(table.cells, held_out)
        if ranked("validation" if held_out else "loss", table.cells) or len(some) < 2:
            return table
        try:
            numbers = [table.numbers(name) for name in some]
        except ValueError:
            return table
        total = np.sum([each.values for each in numbers], axis=0).tolist()
        logged = np.all([each.logged for each in numbers], axis=0)
        cells = [each if there else None for each, there in zip(total, logged, strict=True)]
        name = f"{'val' if held_out else 'train'} loss"
        return _with(table, {**table.cells, name: cells}, f"{name}: the sum of {', '.join(some)}")

    return rule


RULES = (_by_tag, _by_split, _one_value, _total(False), _total(True))


def _with(table: Table, cells: dict, note: str) -> Table:
    return replace(table, cells=cells, notes=(*table.notes, note))
