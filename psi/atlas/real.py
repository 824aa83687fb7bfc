"""The real tables of the atlas: inputs and targets as the lab's own tasks have them."""

import csv
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Shaped

from psi.lab.tasks.table import make_task


class Size(NamedTuple):
    """What a table is as inputs; real.csv has it, so that tasks are drawn without reading any."""

    name: str
    rows: int
    """To train on."""
    inputs: int


class Table(NamedTuple):
    """Standardised inputs, and targets: class numbers, or floats of a regression."""

    domain: str
    x: Float[np.ndarray, "rows inputs"]
    y: Shaped[np.ndarray, " rows"]
    val_x: Float[np.ndarray, "others inputs"]
    val_y: Shaped[np.ndarray, " others"]


@cache
def sizes() -> tuple[Size, ...]:
    """Every table of the `train` suite."""
    with Path(__file__).with_suffix(".csv").open(encoding="utf-8", newline="") as file:
        return tuple(
            Size(row["name"], int(row["rows"]), int(row["inputs"])) for row in csv.DictReader(file)
        )


@cache
def table(name: str) -> Table:
    """A table that the lab carries. Raises ValueError where its package is not installed."""
    task = make_task(name)
    train, validation, _ = task.splits
    parts = (train.x, train.y, validation.x, validation.y)
    return Table(task.facts.domain, *(np.asarray(part) for part in parts))
