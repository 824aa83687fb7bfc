"""A user's table of finished runs: which of its columns is what, checked, as numbers.

Each row is a run, as sweeps and tracking tools write them. A loss that is not finite is a run that
diverged: it counts as +inf. A row without a rate, a fact or a loss is no finished run and is left
out; what else is wrong is an error that names the row.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from psi.lab.tasks.data_config import DataConfig
from psi.lab.tasks.encoding import is_number, row_name
from psi.lab.tasks.files import read_table
from psi.lab.tasks.inventory import MAX_CLASSES, read_cells
from psi.lab.tasks.numerals import is_gap, plain
from psi.law.checks import unknown

DIVERGED = ("nan", "-nan", "+nan")
"""A loss so written was computed: its cell is not empty."""


@dataclass(frozen=True)
class Columns:
    """The columns of a table of runs.

    Raises:
        ValueError: there are no facts, or a column is named twice.

    Example:
        >>> from psi.fit.runs import Columns
        >>> Columns("lr", "val_loss", facts=("N", "D"), tuned=("batch",)).keys
        ('N', 'D', 'lr', 'batch')
    """

    rate: str
    """The learning rate; of a schedule, its peak."""
    loss: str
    """What the best rate has least of."""
    facts: tuple[str, ...]
    """What the best rate is a law of. Runs of equal facts are a group."""
    tuned: tuple[str, ...] = ()
    """What was tuned beside the rate, the batch size for instance."""

    def __post_init__(self) -> None:
        if not self.facts:
            raise ValueError("facts must name a column at least")
        names = (*self.keys, self.loss)
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"rate, loss, facts and tuned must be distinct: {twice[0]!r} is twice")

    @property
    def keys(self) -> tuple[str, ...]:
        """All but the loss: runs that agree in them differ by their seed."""
        return (*self.facts, self.rate, *self.tuned)


class Runs(NamedTuple):
    """Runs that have a loss, finite or not, and what there is to say about the others."""

    table: pd.DataFrame
    """A row a run, float64: rate, loss (+inf where it diverged), facts, tuned. All but the loss
    are positive and finite."""
    columns: Columns
    notes: tuple[str, ...] = ()


def read_runs(path: Path, columns: Columns, data: DataConfig, only: tuple[str, ...] = ()) -> Runs:
    """The runs of a CSV or Parquet file, or of a folder of parts.

    `only`: COLUMN=VALUE, the rows that count. Raises ValueError, which begins with the path, where
    the file cannot be read, a column is missing or holds what is no number, no row is left, or a
    rate, a fact or a tuned number is not positive.
    """
    source = read_table(path, data)
    cells = source.cells.set_axis([str(name) for name in source.cells.columns], axis=1)
    if isinstance(cells.index, pd.RangeIndex):
        cells = cells.set_axis(pd.RangeIndex(1, len(cells) + 1), axis=0)
    pairs = [each.rpartition("=") for each in only]
    for name in (*columns.keys, columns.loss, *(column for column, _, _ in pairs)):
        if name not in cells.columns:
            raise ValueError(f"{path}: {unknown('column', name, cells.columns)}")
    for column, _, value in pairs:
        texts = plain(cells[column])
        found = (texts == value) | (pd.to_numeric(texts, "coerce") == _number(value))
        if not found.any():
            raise ValueError(f"{path}: {unknown(f'value of {column!r}', value, texts.unique())}")
        cells = cells[found]
    return _checked(cells, source.comma, columns, str(path))


def _number(text: str) -> float:
    with contextlib.suppress(ValueError):
        return float(text)
    return np.nan


def _checked(cells: pd.DataFrame, comma: bool, columns: Columns, where: str) -> Runs:
    table = pd.DataFrame(
        {name: _numbers(cells[name], comma, where) for name in (*columns.keys, columns.loss)}
    )
    loss = table[columns.loss]
    table[columns.loss] = loss.mask(np.isinf(loss) | _is_nan(cells[columns.loss]), np.inf)
    finished = table.notna().all(axis=1)
    for name in columns.keys:
        bad = table.index[finished & ~((table[name] > 0) & (table[name] < np.inf))]
        if len(bad):
            rule = "its logarithm is taken, so it must be positive and finite"
            got = f"{table.loc[bad[0], name]:g}"
            raise ValueError(f"{where}: column {name!r} in {row_name(bad[0])}: {rule}, got {got}")
    left_out = int((~finished).sum())
    notes = [f"rows without a rate, a fact or a loss, left out: {left_out}"] * bool(left_out)
    table = table[finished]
    return Runs(table, columns, (*notes, *_mixed(cells[finished], table, columns)))


def _numbers(column: pd.Series, comma: bool, where: str) -> pd.Series:
    """The numbers of a column, NaN where a cell is empty or says that there is no value."""
    read = read_cells(column, comma, "numeric")
    texts = read.slips if read.numeric else plain(column)
    slips = texts[~texts.map(is_gap).astype(bool)]
    if len(slips):
        raise ValueError(
            f"{where}: column {column.name!r} must hold numbers, got {slips.iloc[0]!r:.60} in "
            f"{row_name(slips.index[0])}"
        )
    return read.values if read.numeric else pd.Series(np.nan, column.index)


def _is_nan(loss: pd.Series) -> pd.Series:
    """Whether a loss was computed and is no number: text files tell that from an empty cell."""
    return loss.isna() if is_number(loss.dtype) else plain(loss).str.lower().isin(DIVERGED)


def _mixed(cells: pd.DataFrame, table: pd.DataFrame, columns: Columns) -> Iterator[str]:
    """Settings that differ among runs which would be taken for seeds of each other."""
    others = cells.drop(columns=[*columns.keys, columns.loss])
    few = [name for name in others if 1 < others[name].astype(str).nunique() <= MAX_CLASSES]
    few = [name for name in few if "seed" not in str(name).lower()]
    if few:
        keys = [table[name] for name in columns.keys]
        differ = others[few].astype(str).groupby(keys).nunique().gt(1).any()
        if names := ", ".join(differ.index[differ]):
            yield f"runs that are averaged as seeds differ in {names}: facts, or tuned?"
