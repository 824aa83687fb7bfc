"""Tables of training logs brought into one shape: a column for each quantity.

What comes otherwise: training and validation in lines of their own that a column tells apart, a
line for each tag and value, a single unnamed value (TensorBoard's export), a loss in parts.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from psi.advice.column_names import HELD_OUT, TRAIN, parts, ranked, words
from psi.advice.table import EMPTY, Table

SPLITS = ("mode", "phase", "split", "stage", "subset", "set", "partition")
TAGS = ("tag", "metric", "name", "key", "variable")


def reshaped(table: Table) -> Table:
    """The table with a column for each quantity, and with what was done said."""
    for rule in RULES:
        table = rule(table)
    return table


def _by_tag(table: Table) -> Table:
    """Lines of tag and value."""
    by_name = {name.lower(): name for name in table.cells}
    tag = next((by_name[name] for name in TAGS if name in by_name), None)
    if tag is None or "value" not in by_name:
        return table
    tags, values = table.texts(tag), table.cells[by_name["value"]]
    new = {
        each: [value if own == each else None for own, value in zip(tags, values, strict=True)]
        for each in dict.fromkeys(tags)
    }
    kept = {k: v for k, v in table.cells.items() if k not in (tag, by_name["value"])}
    return _with(table, kept | new, f"column {tag!r} says what a line's value is")


def _by_split(table: Table) -> Table:
    """Lines of training and of validation."""
    for name in table.cells:
        if name.lower() not in SPLITS or isinstance(table.cells[name], np.ndarray):
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
            total = np.sum([table.numbers(name).values for name in some], axis=0)
        except ValueError:
            return table
        cells: list[float | None] = [None if np.isnan(each) else each for each in total]
        name = f"{'val' if held_out else 'train'} loss"
        return _with(table, {**table.cells, name: cells}, f"{name}: the sum of {', '.join(some)}")

    return rule


RULES = (_by_tag, _by_split, _one_value, _total(False), _total(True))


def _with(table: Table, cells: dict, note: str) -> Table:
    return replace(table, cells=cells, notes=(*table.notes, note))
