"""An atlas: a folder of Parquet tables that say what plain schedules of every rate come to.

`tasks.parquet` has a row a task with its facts, `runs.parquet` one a task, optimizer, schedule and
peak rate with the mean final losses over seeds, in nats where these are cross-entropies.
"""

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from psi.law.checks import unknown
from psi.law.law import Provenance

RUNS = (
    "task", "optimizer", "schedule", "rate", "seeds", "train_loss", "val_loss", "train_error",
    "val_error",
)  # fmt: skip
TASKS = (
    "task", "domain", "parameters", "rows", "stream", "batch", "steps", "epochs", "classes",
    "chance_loss", "train_chance_loss", "floor", "weight_rms", "initial_grad_norm",
)  # fmt: skip


class Atlas(NamedTuple):
    """The two tables of an atlas that a fit reads."""

    tasks: pd.DataFrame
    runs: pd.DataFrame


def read_atlas(folder: str | Path) -> Atlas:
    """The tables of an atlas's folder.

    Args:
        folder: where `tasks.parquet` and `runs.parquet` are.

    Returns:
        Both tables.

    Raises:
        ValueError: a column is missing, or a task, or a run of one is there twice.
        FileNotFoundError: a table is missing.
    """
    folder = Path(folder)
    made = Atlas(*(pd.read_parquet(folder / f"{name}.parquet") for name in Atlas._fields))
    for table, columns, key in zip(made, (TASKS, RUNS), (TASKS[:1], RUNS[:4]), strict=True):
        if missing := [name for name in columns if name not in table]:
            raise ValueError(f"an atlas's table needs columns {columns}, {missing} is missing")
        if table.duplicated([*key]).any():
            row = table[table.duplicated([*key])].iloc[0]
            raise ValueError(
                f"{', '.join(key)} must make one row, got {row[[*key]].to_dict()} twice"
            )
    return made


def under(atlas: Atlas, optimizer: str) -> Atlas:
    """The runs of an optimizer, and the tasks that have any. Raises ValueError where none have."""
    runs = atlas.runs[atlas.runs.optimizer == optimizer]
    if not len(runs):
        raise ValueError(unknown("optimizer", optimizer, sorted(set(atlas.runs.optimizer))))
    tasks = atlas.tasks[atlas.tasks.task.isin(runs.task)]
    return Atlas(tasks.reset_index(drop=True), runs)


PACKAGES = ("psi-lr", "numpy", "scipy")
"""Of which a fit of the scale is made."""


def provenance(folder: Path, command: str, packages: Sequence[str] = PACKAGES) -> Provenance:
    """The hash of an atlas, and what would have to be typed to make a law from it again."""
    content = hashlib.sha256()
    for name in Atlas._fields:
        content.update((folder / f"{name}.parquet").read_bytes())
    versions = tuple(f"{name}=={version(name)}" for name in packages)
    hashed = hashlib.sha256(command.encode()).hexdigest()
    return Provenance(content.hexdigest(), hashed, versions, command)
