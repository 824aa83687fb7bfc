"""The real tables of the atlas: inputs and targets as the lab's own tasks have them."""

from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Shaped

from psi.lab.tasks.table import make_task


class Table(NamedTuple):
    """Standardised inputs, and targets: class numbers, or floats of a regression."""

    domain: str
    x: Float[np.ndarray, "rows inputs"]
    y: Shaped[np.ndarray, " rows"]
    val_x: Float[np.ndarray, "others inputs"]
    val_y: Shaped[np.ndarray, " others"]


@cache
def table(name: str) -> Table:
    """A table that the lab carries. Raises ValueError where its package is not installed."""
    task = make_task(name)
    train, validation, _ = task.splits
    parts = (train.x, train.y, validation.x, validation.y)
    return Table(task.facts.domain, *(np.asarray(part) for part in parts))
