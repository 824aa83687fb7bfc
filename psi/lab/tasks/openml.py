"""A task from OpenML, by name or number (Vanschoren et al. 2013, arXiv 1407.7722).

What was fetched once is read from a folder of the user's from then on, without the network.
"""

import re
from dataclasses import replace
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.datasets import fetch_openml
from sklearn.utils import Bunch

from psi.lab.cache import cache_folder
from psi.lab.hyper import Hyper
from psi.lab.tasks.columns import Rows, table_rows, table_task
from psi.lab.tasks.data_config import DataConfig
from psi.lab.tasks.reading import UserTable
from psi.lab.tasks.task import Task

DECLARED = DataConfig().target  # "-1": the target that OpenML declares


def openml_task(name_or_id: str, data: DataConfig, hyper: Hyper, cache: Path | None = None) -> Task:
    """The task `openml-NAME` of a data set's active version, or of its number.

    `cache` is a folder, by default psi/openml in $XDG_CACHE_HOME or ~/.cache. Columns that OpenML
    marks as identifiers or to be ignored are left out. Raises ValueError where the data set is
    unknown or cannot be reached, and as `table_task` does.
    """
    where, frame, data = _table(name_or_id, data, cache)
    return table_task(where, where, frame, data, hyper)


def describe(name_or_id: str, data: DataConfig, cache: Path | None = None) -> Rows:
    """What each column of a data set is. Raises ValueError as `openml_task`."""
    where, frame, data = _table(name_or_id, data, cache)
    return table_rows(where, UserTable(frame, ("OpenML",)), data)


def _table(
    name_or_id: str, data: DataConfig, cache: Path | None
) -> tuple[str, pd.DataFrame, DataConfig]:
    """What messages begin with, the rows, and `data` with the target that OpenML declares."""
    where = f"openml-{name_or_id}"
    if not re.fullmatch(r"\w[\w.()+-]*", name_or_id, re.ASCII):
        raise ValueError(
            f"{where}: a name must be letters, digits and _ . ( ) + -, beginning with a letter or "
            f"digit; got {name_or_id!r}"
        )
    found = _fetch(where, name_or_id, cache or cache_folder() / "openml")
    if data.target == DECLARED:
        if len(found.target_names) != 1:
            raise ValueError(
                f"{where}: OpenML declares {len(found.target_names)} targets; name one of the "
                f"columns {', '.join(found.frame.columns[:10])}"
            )
        data = replace(data, target=found.target_names[0])
    return where, found.frame, data


def _fetch(where: str, name_or_id: str, cache: Path) -> Bunch:
    number = int(name_or_id) if name_or_id.isdecimal() else None
    name = None if number is not None else name_or_id
    fetch: Any = fetch_openml  # annotated as if it might return a pair, which it is not asked for
    try:
        return fetch(name, data_id=number, data_home=cache, as_frame=True, n_retries=1)
    except (OSError, EOFError, HTTPException, ValueError, KeyError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"{where}: cannot be fetched ({reason}); tried the cache {cache} and www.openml.org"
        ) from error
