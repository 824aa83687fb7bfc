"""Inputs of a task from columns: numbers standardised, categories one-hot.

Numeric columns: a missing cell takes the median of the training rows; each column is standardised
by the mean and deviation of the training rows (a constant one by deviation 1) and clipped at ±5;
where a training row misses its cell, an indicator of missing cells, 0 or 1, stands beside. All
others (text, bool, category) are one-hot encoded; a missing cell is a category of its own, and a
category that no training row holds is all zeros.
"""

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float32, Float64, Int, Shaped
from pandas.api.types import is_bool_dtype, is_complex_dtype, is_numeric_dtype
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from psi.lab.tasks.real import CLIP

MAX_CATEGORIES = 1000  # a column of more is one of names, or of numbers with a slip among them
LIMIT = float(np.finfo(np.float32).max)


def encode(
    where: str, x: pd.DataFrame, train: Int[np.ndarray, " train"]
) -> Float32[np.ndarray, "rows inputs"]:
    """Numeric columns, their indicators, then one-hot columns: learnt from the rows `train`."""
    numeric = [is_number(dtype) for dtype in x.dtypes]
    numbers = floats(where, x.loc[:, numeric])
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


def is_number(dtype: Any) -> bool:
    """Whether a column of this type is one of real numbers."""
    return is_numeric_dtype(dtype) and not is_bool_dtype(dtype) and not is_complex_dtype(dtype)


def floats(where: str, x: pd.DataFrame) -> Float64[np.ndarray, "rows columns"]:
    """Numbers, NaN where a cell is missing. Raises for what float32 cannot hold."""
    values = x.to_numpy(np.float64, na_value=np.nan)
    bad = np.argwhere(np.abs(values) > LIMIT)
    if len(bad):
        row, column = bad[0]
        raise ValueError(
            f"{where}: column {x.columns[column]!r} holds {values[row, column]} in "
            f"{row_name(x.index[row])}; numbers must be finite and within ±{LIMIT:.1e}"
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
        wrong = int(np.argmax(no_number(column)))
        raise ValueError(
            f"{where}: column {column.name!r} is not numeric (its first such cell is "
            f"{texts[wrong]!r} in {row_name(column.index[wrong])}) and holds {count} distinct "
            f"values in training rows; one-hot encoding takes at most {MAX_CATEGORIES}"
        )
    return texts


def no_number(column: pd.Series) -> Bool[np.ndarray, " rows"]:
    """Where a cell is there that is no number."""
    numbers = pd.to_numeric(column.astype(object), errors="coerce")
    return (numbers.isna() & column.notna()).to_numpy()


def row_name(label: Any) -> str:
    """Row 3, or row 3 of x_val; counted from 1, a header not counted."""
    return f"row {label[1]} of {label[0]}" if isinstance(label, tuple) else f"row {label}"
