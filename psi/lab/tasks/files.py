"""A task from a user's file or folder of parts: CSV, Parquet or NPZ.

CSV and Parquet hold a table, one column of which is the target. NPZ holds arrays x, of shape
(rows, …), and y, of shape (rows,), and where the data come with parts of their own x_val, y_val
and x_test, y_test. Nothing in a file is executed: no pickle, hence no object arrays.
"""

import zipfile
import zlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from psi.lab.hyper import Hyper
from psi.lab.tasks.columns import Rows, rows_task, table_rows
from psi.lab.tasks.data_config import DataConfig
from psi.lab.tasks.names import FILE_SUFFIXES, parts_of, stem, suffix
from psi.lab.tasks.parquet import keys_of, read_parquet, read_parts
from psi.lab.tasks.reading import UserTable, read_text
from psi.lab.tasks.splitting import Parts
from psi.lab.tasks.task import Task

PART_SUFFIXES = ("", "_val", "_test")  # of the arrays' names; in the order of Parts


def file_task(path: Path, data: DataConfig, hyper: Hyper) -> Task:
    """The task of a file, named by its stem: a dense network unless `hyper` names another.

    Raises ValueError, which begins with the path, where the file is not there or damaged, and
    where its rows make no task.
    """
    rows, *parts = _rows(path, data)
    return rows_task(stem(path), str(path), rows, data, hyper, *parts)


def describe(path: Path, data: DataConfig) -> Rows:
    """How a file was read and what each of its columns is. Raises ValueError as `file_task`."""
    return _rows(path, data)[0]


def _rows(path: Path, data: DataConfig) -> tuple[Any, ...]:
    """Rows, and of an NPZ file the parts it comes with and an image's shape."""
    _check(path)
    if suffix(path) == ".npz" and not path.is_dir():
        if data.ignore or data.numeric or data.categorical:
            raise ValueError(f"{path}: ignore, numeric and categorical name columns of a table")
        return _npz_rows(path)
    stats = (file.stat() for file in parts_of(path))
    stamps = tuple((stat.st_ino, stat.st_mtime_ns, stat.st_size) for stat in stats)
    return (_read_once(path, data, stamps),)


@lru_cache(maxsize=4)
def _read_once(path: Path, data: DataConfig, stamps: tuple[tuple[int, ...], ...]) -> Rows:
    """A table's rows, kept while its files are the same: a dry run asks several times."""
    del stamps
    return table_rows(str(path), read_table(path, data), data)


def _check(path: Path) -> None:
    if not path.is_dir() and suffix(path) not in FILE_SUFFIXES:
        raise ValueError(
            f"{path}: unknown suffix {path.suffix!r}; allowed: {', '.join(FILE_SUFFIXES)}"
        )
    if not path.exists():
        raise ValueError(f"{path}: there is no such file")
    if path.is_file() and not path.stat().st_size:
        raise ValueError(f"{path}: the file is empty")


def read_table(path: Path, data: DataConfig) -> UserTable:
    """The table of a CSV or Parquet file, or of a folder of parts.

    Raises ValueError, which begins with the path, where the file is not there or damaged.
    """
    _check(path)
    files = parts_of(path)
    if kinds := {suffix(file) == ".parquet" for file in files}:
        if len(kinds) > 1 or any(suffix(file) == ".npz" for file in files):
            raise ValueError(f"{path}: the parts must be all CSV or all Parquet")
    else:
        raise ValueError(f"{path}: the folder holds no part that is CSV or Parquet")
    if kinds == {False}:
        return _read_csv(path, files, data)
    try:
        return read_parts(path, files) if path.is_dir() else read_parquet(path)
    except (ValueError, OSError, NotImplementedError, TypeError) as error:
        raise _unreadable(path, "Parquet", error) from error


def _read_csv(path: Path, files: list[Path], data: DataConfig) -> UserTable:
    tables = {}
    for file in files:
        try:
            tables[file] = read_text(file.read_bytes(), data)
        except (ValueError, OSError) as error:
            raise ValueError(f"{file}: {error}") from error
    first, *others = tables.values()
    if not path.is_dir():
        return first
    cells = {f: t.cells.assign(**keys_of(path, f)) for f, t in tables.items()}
    for file, part in cells.items():
        if list(part.columns) != list(cells[files[0]].columns):
            raise ValueError(f"{path}: {file.name} and {files[0].name} differ in their columns")
    cells = pd.concat({str(f.relative_to(path)): part for f, part in cells.items()})
    cells = cells[[*keys_of(path, files[0]), *first.cells.columns]]  # the target stays the last
    notes = (*first.notes, f"{len(files)} parts")
    return UserTable(cells, notes, any(table.comma for table in (first, *others)))


def _npz_rows(path: Path) -> tuple[Rows, Parts, tuple[int, int] | None]:
    arrays = _read_npz(path)
    pairs = [(arrays.get(f"x{part}"), arrays.get(f"y{part}")) for part in PART_SUFFIXES]
    for part, (x, y) in zip(PART_SUFFIXES, pairs, strict=True):
        if x is not None and y is not None:
            _check_pair(path, part, x, y, arrays["x"].shape[1:])
    ends = np.cumsum([0 if y is None else len(y) for _, y in pairs])
    given = Parts(*np.split(np.arange(ends[-1]), ends[:-1]))
    frames = {name: _frame(name, array) for name, array in arrays.items()}
    x = pd.concat({name: frame for name, frame in frames.items() if name[0] == "x"})
    y = pd.concat({name: frame.iloc[:, 0] for name, frame in frames.items() if name[0] == "y"})
    shapes = (f"{name} of shape {array.shape}" for name, array in arrays.items())
    shape = arrays["x"].shape[1:]
    image = (shape[0], shape[1]) if len(shape) == 2 else None
    return Rows(x, y.rename("y"), ("NPZ", *shapes)), given, image


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays x, y, x_val, … that are there, each x beside its y."""
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path}: cannot be read as NPZ (it is no whole zip archive)")
    arrays = {}
    with np.load(path, allow_pickle=False) as file:
        for part in PART_SUFFIXES:
            pair = (f"x{part}", f"y{part}")
            missing = [name for name in pair if name not in file.files]
            if len(missing) == 1 or (missing and not part):
                names = ", ".join(file.files[:10])
                raise ValueError(f"{path}: there is no array {missing[0]!r}; arrays: {names}")
            for name in pair[: 2 - len(missing)]:
                try:
                    arrays[name] = np.asarray(file[name])
                except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
                    raise _unreadable(path, f"NPZ, array {name!r}", error) from error
    return arrays


def _check_pair(
    path: Path, part: str, x: np.ndarray, y: np.ndarray, row_shape: tuple[int, ...]
) -> None:
    if x.dtype.kind not in "biuf" or y.dtype.kind not in "biufU":
        raise ValueError(
            f"{path}: x{part} must be an array of numbers and y{part} one of numbers or text, "
            f"got {x.dtype} and {y.dtype}"
        )
    if y.ndim != 1 or x.shape[:1] != y.shape or not len(y):
        raise ValueError(
            f"{path}: x{part} must have shape (rows, …) and y{part} (rows,), of as many rows, "
            f"at least one; got {x.shape} and {y.shape}"
        )
    if x.shape[1:] != row_shape:
        raise ValueError(
            f"{path}: a row of x{part} has shape {x.shape[1:]} and one of x {row_shape}; they "
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
