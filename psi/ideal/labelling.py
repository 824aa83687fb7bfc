"""The ideal rates of one task: candidates tried from states along good and bad trajectories.

A cell is a trajectory up to an epoch i, run from a few seeds; from each of its states candidate
rates branch off. `psi ideal` takes the trajectories from a data set, `label_task` draws them for a
task in memory; both go through `labelled_surface`.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import jax
import numpy as np
import pandas as pd
from jaxtyping import Array, Float, Int, Key

from psi.ideal.branched import Branching, branch_surface
from psi.ideal.rate import ideal_rates
from psi.lab.data.trajectories import branched
from psi.lab.engine.branch import along
from psi.lab.engine.seeds import STATES
from psi.lab.optimizers import bounds
from psi.lab.tasks.task import Task
from psi.law.checks import at_least
from psi.progress import Report, silent


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
        at_least(self, cells=1, states=1, orders=1, rates=3)
        if self.states == self.orders == 1:
            raise ValueError("states or orders must be >= 2: intervals resample them")


class Prefixes(NamedTuple):
    """Trajectories up to the epochs at which candidate rates branch off, and who runs them."""

    rates: Float[np.ndarray, "cell epoch"]
    """α_j of each cell; those of epochs j >= i are not used."""
    at: Int[np.ndarray, " cell"]
    """i, the epoch at which the cell's rates branch off."""
    seeds: Int[np.ndarray, " state"]
    """Of initialisations and batch orders, the same in every cell."""
    key: Key[Array, ""]
    """Root of the keys of these runs."""


def labelled_surface(
    task: Task,
    prefixes: Prefixes,
    rates: Float[np.ndarray, " rate"],
    branching: Branching,
    key: Key[Array, ""],
    report: Report = silent,
) -> pd.DataFrame:
    """The branched surface of one task: `rates` tried from the states that the prefixes visit.

    Columns as psi.ideal.surface.response_surface; empty where a state of every cell has diverged.
    `key` is that of the fresh batch orders; a task whose target moves with the order is branched
    along the states' own. Raises ValueError for fewer than 3 rates or rates that do not rise.
    """
    states = along(task, *prefixes)
    if not np.isfinite(states.loss).all(axis=1).any():
        return pd.DataFrame()
    if task.functions.before:
        branching = replace(branching, orders=0)
    return branch_surface(task, states, rates, branching, key, report)


def random_prefixes(task: Task, cells: int, states: int, key: Key[Array, ""]) -> Prefixes:
    """Random prefixes of a task in memory, as a data set's branched cells have them.

    Branch epochs go round 0 … T−1, families of trajectories round their table from a random one:
    over tasks with keys of their own every family meets every epoch.
    """
    plan = branched(
        jax.random.fold_in(key, 0), cells, 1, task.facts.epochs, *bounds(task.facts.optimizer)
    )
    return Prefixes(plan.rates, plan.branch, STATES.array(states), key)


def label_task(task: Task, config: Labelling, key: Key[Array, ""]) -> pd.DataFrame:
    """Ideal rates of a task in memory, from random prefixes that are drawn from `key`.

    The columns of psi.ideal.rate.ideal_rates, one row a cell; empty where all have diverged.
    H = T − i, the rate going linearly to zero from the candidate.
    """
    surface = labelled_surface(
        task,
        random_prefixes(task, config.cells, config.states, key),
        np.geomspace(*bounds(task.facts.optimizer), config.rates),
        Branching(orders=config.orders),
        jax.random.fold_in(key, 1),
    )
    return surface if surface.empty else ideal_rates(surface)
