"""Ideal rates of one task to the end of its budget, from states along good and bad trajectories.

What `psi ideal` does for a data set, for a task in memory.
"""

from dataclasses import dataclass

import jax
import numpy as np
import pandas as pd
from jaxtyping import Array, Key

from psi.ideal.branched import Branching, branch_surface
from psi.ideal.rate import ideal_rates
from psi.lab.checks import at_least
from psi.lab.data.trajectories import branch_epochs, free
from psi.lab.engine.branch import along
from psi.lab.optimizers import bounds
from psi.lab.tasks.task import Task

FIRST_SEED = 10_000


@dataclass(frozen=True)
class Labelling:
    """How many states are labelled, and how. Raises ValueError where a number makes no sense."""

    cells: int = 10
    """Trajectories, each with an epoch at which rates branch off."""
    states: int = 4
    """Seeds a cell."""
    orders: int = 4
    """Fresh batch orders a state."""
    rates: int = 12
    """Candidates, evenly spaced in log α."""

    def __post_init__(self) -> None:
        at_least(self, ("cells", 1), ("states", 1), ("orders", 1), ("rates", 3))
        if self.states == self.orders == 1:
            raise ValueError("states or orders must be >= 2: intervals resample them")


def label_task(task: Task, how: Labelling, key: Key[Array, ""]) -> pd.DataFrame:
    """The columns of psi.ideal.rate.ideal_rates, one row a cell; empty where all have diverged.

    H = T − i, the rate going linearly to zero from the candidate.
    """
    low, high = bounds(task.facts.optimizer)
    epochs = task.facts.epochs
    prefix = free(jax.random.fold_in(key, 0), how.cells, epochs, low, high).rates
    at = branch_epochs(how.cells, epochs)
    states = along(task, prefix, at, FIRST_SEED + np.arange(how.states), key)
    if not np.isfinite(states.loss).all(axis=1).any():
        return pd.DataFrame()
    rates = np.geomspace(low, high, how.rates)
    surface = branch_surface(
        task, states, rates, Branching(orders=how.orders), jax.random.fold_in(key, 1)
    )
    return ideal_rates(surface)
