"""A task from a user's file: CSV, Parquet or NPZ.

CSV and Parquet hold a table, one column of which is the target. NPZ holds arrays x, of shape
(rows, …), and y, of shape (rows,), and where the data come with parts of their own x_val, y_val
and x_test, y_test. Nothing in a file is executed: no pickle, hence no object arrays.
"""

import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from psi.lab.hyper import Hyper
from psi.lab.tasks.columns import Rows, rows_task, table_task
from psi.lab.tasks.data_config import DataConfig
from psi.lab.tasks.splitting import Parts
from psi.lab.tasks.task import Task

PART_SUFFIXES = ("", "_val", "_test")  # of the arrays' names; in the order of Parts


def file_task(path: Path, data: DataConfig, hyper: Hyper) -> Task:
    """The task of a file, named by its stem: a dense network unless `hyper` names another.

    Raises ValueError, which begins with the path, where the file is not there or damaged, and
    where its rows make no task.
    """
    known = dict(TASKS)
    if path.suffix.lower() not in known:
        raise ValueError(
            f"{path}: unknown suffix {path.suffix!r}; allowed: {', '.join(sorted(known))}"
        )
    if not path.is_file():
        raise ValueError(f"{path}: there is no such file")
    if not path.stat().st_size:
        raise ValueError(f"{path}: the file is empty")
    return known[path.suffix.lower()](path, data, hyper)


def _csv_task(path: Path, data: DataConfig, hyper: Hyper) -> Task:
    try:
        # In one piece: in pieces, a column's type may differ between them.
        table = pd.read_csv(path, header=0 if data.header else None, low_memory=False)
    except (ValueError, OSError) as error:
        raise _unreadable(path, "CSV", error) from error
    if not table.index.equals(pd.RangeIndex(len(table))):  # pandas took the first cell for a label
        raise ValueError(f"{path}: the rows hold more cells than the header names columns")
    return table_task(path.stem, str(path), table, data, hyper)


def _parquet_task(path: Path, data: DataConfig, hyper: Hyper) -> Task:
    try:
        # The file alone: pandas would add columns for folders that are named key=value.
        with pq.ParquetFile(path) as file:
            table = file.read().to_pandas()
    except (ValueError, OSError, NotImplementedError) as error:
        raise _unreadable(path, "Parquet", error) from error
    return table_task(path.stem, str(path), table, data, hyper)


def _npz_task(path: Path, data: DataConfig, hyper: Hyper) -> Task:
    arrays = _read_npz(path)
    pairs = [(arrays.get(f"x{suffix}"), arrays.get(f"y{suffix}")) for suffix in PART_SUFFIXES]
    for suffix, (x, y) in zip(PART_SUFFIXES, pairs, strict=True):
        if x is not None and y is not None:
            _check_pair(path, suffix, x, y, arrays["x"].shape[1:])
    ends = np.cumsum([0 if y is None else len(y) for _, y in pairs])
    given = Parts(*np.split(np.arange(ends[-1]), ends[:-1]))
    frames = {name: _frame(name, array) for name, array in arrays.items()}
    x = pd.concat({name: frame for name, frame in frames.items() if name[0] == "x"})
    y = pd.concat({name: frame.iloc[:, 0] for name, frame in frames.items() if name[0] == "y"})
    rows = Rows(x, y.rename("y"))
    shape = arrays["x"].shape[1:]
    image = (shape[0], shape[1]) if len(shape) == 2 else None
    return rows_task(path.stem, str(path), rows, data, hyper, given, image)


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays x, y, x_val, … that are there, each x beside its y."""
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path}: cannot be read as NPZ (it is no whole zip archive)")
    arrays = {}
    with np.load(path, allow_pickle=False) as file:
        for suffix in PART_SUFFIXES:
            pair = (f"x{suffix}", f"y{suffix}")
            missing = [name for name in pair if name not in file.files]
            if len(missing) == 1 or (missing and not suffix):
                names = ", ".join(file.files[:10])
                raise ValueError(f"{path}: there is no array {missing[0]!r}; arrays: {names}")
            for name in pair[: 2 - len(missing)]:
                try:
                    arrays[name] = np.asarray(file[name])
                except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
                    raise _unreadable(path, f"NPZ, array {name!r}", error) from error
    return arrays


def _check_pair(
    path: Path, suffix: str, x: np.ndarray, y: np.ndarray, row_shape: tuple[int, ...]
) -> None:
    if x.dtype.kind not in "biuf" or y.dtype.kind not in "biufU":
        raise ValueError(
            f"{path}: x{suffix} must be an array of numbers and y{suffix} one of numbers or text, "
            f"got {x.dtype} and {y.dtype}"
        )
    if y.ndim != 1 or x.shape[:1] != y.shape or not len(y):
        raise ValueError(
            f"{path}: x{suffix} must have shape (rows, …) and y{suffix} (rows,), of as many rows, "
            f"at least one; got {x.shape} and {y.shape}"
        )
    if x.shape[1:] != row_shape:
        raise ValueError(
            f"{path}: a row of x{suffix} has shape {x.shape[1:]} and one of x {row_shape}; they "
            "must agree"
        )


def _frame(name: str, array: np.ndarray) -> pd.DataFrame:
    """Rows flattened; an array of inputs as float64, since a bool would count as a category."""
    flat = array.reshape(len(array), -1)
    columns = [f"{name[0]}[{k}]" for k in range(flat.shape[1])]
    index = pd.RangeIndex(1, len(flat) + 1)
    return pd.DataFrame(flat.astype(np.float64) if name[0] == "x" else flat, index, columns)


def _unreadable(path: Path, kind: str, error: Exception) -> ValueError:
    return ValueError(f"{path}: cannot be read as {kind} ({' '.join(str(error).split())})")


TASKS: tuple[tuple[str, Callable[[Path, DataConfig, Hyper], Task]], ...] = (
    (".csv", _csv_task),
    (".npz", _npz_task),
    (".parquet", _parquet_task),
)
