"""From a table of columns to the arrays of a task.

Numeric columns: a missing cell takes the median of the training rows; each column is standardised
by the mean and deviation of the training rows (a constant one by deviation 1) and clipped at ±5;
where a training row misses its cell, an indicator of missing cells, 0 or 1, stands beside. All
others (text, bool, category, dates) are one-hot encoded; a missing cell is a category of its own,
and a category that no training row holds is all zeros.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float32, Float64, Int, Int32, Shaped
from pandas.api.types import is_bool_dtype, is_complex_dtype, is_numeric_dtype
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from psi.lab.hyper import Hyper
from psi.lab.networks.table import network
from psi.lab.tasks.build import fixed_task
from psi.lab.tasks.data_config import DataConfig
from psi.lab.tasks.real import CLIP
from psi.lab.tasks.splitting import Parts, split
from psi.lab.tasks.task import Batch, Splits, Task

MAX_CLASSES = 20  # whole numbers that take more values are a regression's, unless told otherwise
MAX_CATEGORIES = 1000  # a column of more is one of names, or of numbers with a slip among them
LIMIT = float(np.finfo(np.float32).max)
SHOWN = 10  # columns that a message names


class Rows(NamedTuple):
    """Inputs and target row by row, under an index by which messages name a row."""

    x: pd.DataFrame
    y: pd.Series


def table_task(name: str, where: str, table: pd.DataFrame, data: DataConfig, hyper: Hyper) -> Task:
    """The task of a table. `where`, the file for instance, begins every message.

    Raises ValueError where the target is not there or not what its kind needs, where a number is
    not finite, or where rows are too few or of one class only.
    """
    table = table.set_axis([str(column) for column in table.columns], axis=1)
    table = table.set_axis(pd.RangeIndex(1, len(table) + 1), axis=0)
    if not table.columns.is_unique:
        repeated = table.columns[table.columns.duplicated()][0]
        raise ValueError(f"{where}: two columns are named {repeated!r}; names must be distinct")
    column = target_column(where, table.columns.to_list(), data.target)
    rows = Rows(table.drop(columns=column), table[column])
    return rows_task(name, where, rows, data, hyper)


def target_column(where: str, columns: Sequence[str], target: str) -> str:
    """The column that a name, or else an index, stands for."""
    if target in columns:
        return target
    try:
        index = int(target)
    except ValueError:
        shown = ", ".join(columns[:SHOWN]) + (", …" if len(columns) > SHOWN else "")
        raise ValueError(f"{where}: no column is named {target!r}; columns: {shown}") from None
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
    if not len(rows.y) or not rows.x.shape[1]:
        raise ValueError(
            f"{where}: at least one row and, beside the target, one column of inputs are needed; "
            f"got {len(rows.y)} rows and {rows.x.shape[1]} columns of inputs"
        )
    labels, is_class = _target(where, rows.y, data.kind)
    given = given or Parts(np.arange(len(labels)), np.arange(0), np.arange(0))
    parts = split(where, labels if is_class else None, data, given)
    y, classes = (_coded if is_class else _scaled)(where, labels, parts.train)
    x = encode(where, rows.x, parts.train)
    image = image if image and math.prod(image) == x.shape[1] else None
    hyper = replace(hyper, network=hyper.network or "mlp")
    model = network(hyper, x.shape[1], classes or 1, image=image)
    # Not jnp.asarray, which compiles a program for each shape, even of rows that are then refused.
    splits = Splits(*(Batch(*jax.device_put((x[part], y[part]))) for part in parts))
    task = fixed_task(name, model, splits, hyper, classes)
    return task._replace(facts=replace(task.facts, domain=name))


def encode(
    where: str, x: pd.DataFrame, train: Int[np.ndarray, " train"]
) -> Float32[np.ndarray, "rows inputs"]:
    """Numeric columns, their indicators, then one-hot columns: learnt from the rows `train`."""
    numeric = [_is_numeric(dtype) for dtype in x.dtypes]
    numbers = _floats(where, x.loc[:, numeric])
    others = x.loc[:, [not is_number for is_number in numeric]]
    pieces = []
    if numbers.shape[1]:
        scale = make_pipeline(
            SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()
        )
        missing = MissingIndicator(error_on_new=False).fit(numbers[train])
        standard = scale.fit(numbers[train]).transform(numbers)
        pieces += [np.clip(standard, -CLIP, CLIP), missing.transform(numbers)]
    if others.shape[1]:
        texts = np.stack([_texts(where, others.iloc[:, k], train) for k in range(others.shape[1])])
        one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        pieces.append(one_hot.fit(texts.T[train]).transform(texts.T))
    return np.concatenate(pieces, axis=1).astype(np.float32)


def _is_numeric(dtype: Any) -> bool:
    return is_numeric_dtype(dtype) and not is_bool_dtype(dtype) and not is_complex_dtype(dtype)


def _floats(where: str, x: pd.DataFrame) -> Float64[np.ndarray, "rows columns"]:
    """Numbers, NaN where a cell is missing. Raises for what float32 cannot hold."""
    values = x.to_numpy(np.float64, na_value=np.nan)
    bad = np.argwhere(np.abs(values) > LIMIT)
    if len(bad):
        row, column = bad[0]
        raise ValueError(
            f"{where}: column {x.columns[column]!r} holds {values[row, column]} in "
            f"{_said(x.index[row])}; numbers must be finite and within ±{LIMIT:.1e}"
        )
    return values


def _texts(
    where: str, column: pd.Series, train: Int[np.ndarray, " train"]
) -> Shaped[np.ndarray, " rows"]:
    """Cells as text, None where missing."""
    cells = zip(column.astype(object), column.isna(), strict=True)
    texts = np.array([None if missing else str(cell) for cell, missing in cells], dtype=object)
    count = len(set(texts[train]))
    if count > MAX_CATEGORIES:
        wrong = int(np.flatnonzero(_no_number(column))[0])
        raise ValueError(
            f"{where}: column {column.name!r} is not numeric (its first such cell is "
            f"{texts[wrong]!r} in {_said(column.index[wrong])}) and holds {count} distinct values "
            f"in training rows; one-hot encoding takes at most {MAX_CATEGORIES}"
        )
    return texts


def _no_number(column: pd.Series) -> Bool[np.ndarray, " rows"]:
    numbers = pd.to_numeric(column.astype(object), errors="coerce")
    return (numbers.isna() & column.notna()).to_numpy()


def _said(label: Any) -> str:
    """Row 3, or row 3 of x_val; counted from 1, a header not counted."""
    return f"row {label[1]} of {label[0]}" if isinstance(label, tuple) else f"row {label}"


def _target(where: str, y: pd.Series, kind: str) -> tuple[Shaped[np.ndarray, " rows"], bool]:
    """(labels, True) of a classification, (numbers, False) of a regression."""
    missing = np.flatnonzero(y.isna())
    if len(missing):
        raise ValueError(
            f"{where}: the target {y.name!r} is missing in {_said(y.index[missing[0]])}; every row "
            "needs one (an empty cell, NA, NaN, null and None count as missing)"
        )
    numeric = _is_numeric(y.dtype)
    wrong = np.flatnonzero(_no_number(y))
    if kind == "regression" and len(wrong):
        raise ValueError(
            f"{where}: the target {y.name!r} of a regression must be numbers, got "
            f"{str(y.iloc[wrong[0]])!r} in {_said(y.index[wrong[0]])}"
        )
    if not numeric and kind != "regression":
        return y.astype(str).to_numpy(object), True
    values = _floats(where, pd.to_numeric(y.astype(object)).to_frame())[:, 0]
    whole = bool((values % 1 == 0).all())
    few = whole and len(np.unique(values)) <= MAX_CLASSES
    if kind == "classification" or (kind == "auto" and few):
        return values.astype(np.int64) if whole else values, True
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
