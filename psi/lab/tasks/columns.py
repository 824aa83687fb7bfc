"""From a table of columns to the arrays of a task.

What each column is, `psi.lab.tasks.inventory` decides; how it becomes inputs, `….encoding`.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import jax
import numpy as np
import pandas as pd
from jaxtyping import Float32, Float64, Int, Int32, Shaped

from psi.lab.hyper import Hyper
from psi.lab.networks.table import network
from psi.lab.tasks.build import fixed_task
from psi.lab.tasks.data_config import DataConfig
from psi.lab.tasks.encoding import encode, floats, is_number, no_number, row_name
from psi.lab.tasks.inventory import MAX_CLASSES, Column, take_inventory
from psi.lab.tasks.reading import UserTable
from psi.lab.tasks.splitting import Parts, split
from psi.lab.tasks.task import Batch, Splits, Task

SHOWN = 10  # columns that a message names


class Rows(NamedTuple):
    """Inputs and target row by row, under an index by which messages name a row."""

    x: pd.DataFrame
    y: pd.Series
    notes: tuple[str, ...] = ()
    """How they were read."""
    columns: tuple[Column, ...] = ()
    """What each column of a table is; none of an NPZ file, whose arrays are numbers throughout."""


def table_task(
    name: str, where: str, table: pd.DataFrame | UserTable, data: DataConfig, hyper: Hyper
) -> Task:
    """The task of a table. `where`, the file for instance, begins every message.

    Raises ValueError where the target is not there or not what its kind needs, where a number is
    not finite, where no column of inputs is left, or where rows are too few or of one class only.
    """
    return rows_task(name, where, table_rows(where, table, data), data, hyper)


def table_rows(where: str, table: pd.DataFrame | UserTable, data: DataConfig) -> Rows:
    """Inputs and target of a table, and what each of its columns is."""
    table = table if isinstance(table, UserTable) else UserTable(table)
    cells = table.cells.set_axis([str(column) for column in table.cells.columns], axis=1)
    if isinstance(cells.index, pd.RangeIndex):
        cells = cells.set_axis(pd.RangeIndex(1, len(cells) + 1), axis=0)
    if not cells.columns.is_unique:
        repeated = cells.columns[cells.columns.duplicated()][0]
        raise ValueError(f"{where}: two columns are named {repeated!r}; names must be distinct")
    names = [column for column in cells.columns if column not in table.labels]
    target = data.target if data.target in cells else target_column(where, names, data.target)
    asked = {
        key: tuple(c if c in cells else target_column(where, names, c) for c in getattr(data, key))
        for key in ("ignore", "numeric", "categorical")
    }
    for key, chosen in asked.items():
        if target in chosen:
            raise ValueError(f"{where}: {key} names the target {target!r}; --kind says what it is")
    try:
        found = take_inventory(cells, target, replace(data, **asked), table.comma, table.labels)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    _check_slips(where, found.y, found.slips, data.kind)
    labels, is_class = _target(where, found.y, data.kind)
    task = f"classification, {len(np.unique(labels))} classes" if is_class else "regression"
    columns = [_as_target(c, task) if c.name == target else c for c in found.columns]
    return Rows(found.x, found.y, table.notes, tuple(columns))


def _as_target(column: Column, task: str) -> Column:
    """The target's column, with the task that it makes; how its numbers are written stays."""
    written = f"; {column.why}" if column.kind == "numbers" and column.why else ""
    return replace(column, why=f"the target: {task}{written}")


def _check_slips(where: str, y: pd.Series, slips: pd.Series, kind: str) -> None:
    """Raise ValueError where a target is numbers but for a few cells."""
    if len(slips) and kind != "classification":
        row, got = row_name(slips.index[0]), repr(slips.iloc[0])
        raise ValueError(
            f"{where}: the target {y.name!r} of a regression must be numbers, got {got} in {row}"
            if kind == "regression"
            else f"{where}: the target {y.name!r} is numbers but for {got} in {row} ({len(slips)} "
            f"of {len(y)} cells): mend or drop such rows, or --kind classification"
        )


def _check_rows(where: str, rows: Rows) -> None:
    if not len(rows.y) or not rows.x.shape[1]:
        left_out = [f"{c.name!r} ({c.why})" for c in rows.columns if c.kind == "left out"]
        why = f"; left out: {_shortened(left_out)}" if left_out else ""
        why += "; is --delimiter another?" * (len(rows.columns) == 1)
        raise ValueError(
            f"{where}: at least one row and, beside the target, one column of inputs are needed; "
            f"got {len(rows.y)} rows and {rows.x.shape[1]} columns of inputs{why}"
        )


def _shortened(texts: Sequence[str]) -> str:
    return ", ".join(texts[:SHOWN]) + (", …" if len(texts) > SHOWN else "")


def target_column(where: str, columns: Sequence[str], target: str) -> str:
    """The column that a name, or else an index, stands for."""
    if target in columns:
        return target
    try:
        index = int(target)
    except ValueError:
        raise ValueError(
            f"{where}: no column is named {target!r}; columns: {_shortened(columns)}"
        ) from None
    if not -len(columns) <= index < len(columns):
        raise ValueError(
            f"{where}: the target's index must be in [{-len(columns)}, {len(columns) - 1}], "
            f"got {index}"
        )
    return columns[index]


def rows_task(
    name: str,
    where: str,
    rows: Rows,
    data: DataConfig,
    hyper: Hyper,
    given: Parts | None = None,
    image: tuple[int, int] | None = None,
) -> Task:
    """The task of rows, with the parts that the data come with: those empty in `given` are drawn.

    Raises ValueError as `table_task` does.
    """
    _check_rows(where, rows)
    labels, is_class = _target(where, rows.y, data.kind)
    given = given or Parts(np.arange(len(labels)), np.arange(0), np.arange(0))
    try:
        parts = split(where, labels if is_class else None, data, given)
    except ValueError as error:
        if not is_class or "class" not in str(error):
            raise
        classes, first, counts = np.unique(labels, return_index=True, return_counts=True)
        alone = row_name(rows.y.index[first[counts.argmin()]])
        quantity = labels.dtype != object and data.kind == "auto"
        hint = f"; if {rows.y.name!r} is a quantity: --kind regression" if quantity else ""
        raise ValueError(
            f"{error}; the first of class {classes[counts.argmin()]} is {alone}{hint}"
        ) from None
    y, classes = (_coded if is_class else _scaled)(where, labels, parts.train)
    x = encode(where, rows.x, parts.train)
    if not np.ptp(x[parts.train], axis=0).any():
        raise ValueError(f"{where}: every input is constant or missing in the training rows")
    image = image if image and math.prod(image) == x.shape[1] else None
    hyper = replace(hyper, network=hyper.network or "mlp")
    model = network(hyper, x.shape[1], classes or 1, image=image)
    # Not jnp.asarray, which compiles a program for each shape, even of rows that are then refused.
    splits = Splits(*(Batch(*jax.device_put((x[part], y[part]))) for part in parts))
    task = fixed_task(name, model, splits, hyper, classes)
    return task._replace(facts=replace(task.facts, domain=name))


def _target(where: str, y: pd.Series, kind: str) -> tuple[Shaped[np.ndarray, " rows"], bool]:
    """(labels, True) of a classification, (numbers, False) of a regression."""
    missing = np.flatnonzero(y.isna())
    if len(missing):
        raise ValueError(
            f"{where}: the target {y.name!r} is missing in {row_name(y.index[missing[0]])}; every "
            "row needs one (an empty cell, NA, NaN, null, None and ? count as missing)"
        )
    numeric = is_number(y.dtype)
    wrong = np.flatnonzero(no_number(y))
    if kind == "regression" and len(wrong):
        raise ValueError(
            f"{where}: the target {y.name!r} of a regression must be numbers, got "
            f"{str(y.iloc[wrong[0]])!r} in {row_name(y.index[wrong[0]])}"
        )
    if not numeric and kind != "regression":
        return y.astype(str).to_numpy(object), True
    values = floats(where, pd.to_numeric(y.astype(object)).to_frame())[:, 0]
    whole = bool((values % 1 == 0).all())
    few = whole and len(np.unique(values)) <= MAX_CLASSES
    if kind == "classification" or (kind == "auto" and few):
        return values.astype(np.int64) if whole and np.abs(values).max() < 2**53 else values, True
    return values, False


def _coded(
    where: str, labels: Shaped[np.ndarray, " rows"], train: Int[np.ndarray, " train"]
) -> tuple[Int32[np.ndarray, " rows"], int]:
    """Labels as numbers from 0, and how many there are."""
    classes, codes = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"{where}: every row is of class {classes[0]}; at least 2 are needed")
    unseen = np.setdiff1d(codes, codes[train])
    if len(unseen):
        raise ValueError(f"{where}: no training row is of class {classes[unseen[0]]}")
    return codes.astype(np.int32), len(classes)


def _scaled(
    where: str, y: Float64[np.ndarray, " rows"], train: Int[np.ndarray, " train"]
) -> tuple[Float32[np.ndarray, " rows"], int]:
    """A target of mean 0 and deviation 1 over the training rows, and 0 classes."""
    mean, deviation = y[train].mean(), y[train].std()
    if deviation == 0:
        raise ValueError(f"{where}: the target is {mean:g} in every training row")
    return ((y - mean) / deviation).astype(np.float32), 0
