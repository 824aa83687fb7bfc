"""A receding horizon: in every epoch the rate that is best H epochs on, chosen anew each time.

One rate for a population of runs. It is chosen by branching from the population's own states, then
the whole population is trained one epoch at it. With H = 1 this is the greedy schedule, whose loss
at the end shows what short-sightedness costs (Wu et al. 2018, arXiv 1803.02021).
"""

from typing import NamedTuple

import jax
import numpy as np
import pandas as pd
from jaxtyping import Array, Float, Key

from psi.ideal.branched import Branching, branch_surface, final_losses, lanes_of
from psi.ideal.continuation import CONSTANT
from psi.ideal.rate import ideal_rates
from psi.lab.engine.branch import States, after, play
from psi.lab.tasks.task import Task


class Receded(NamedTuple):
    """A schedule chosen epoch by epoch, and the losses of the population that it trained."""

    ideal: pd.DataFrame
    """Row i: the ideal rate at epoch i, with the columns of psi.ideal.rate.ideal_rates."""
    loss: Float[np.ndarray, " epoch_and_end"]
    """Mean validation loss before each epoch and after the last."""
    rates: Float[np.ndarray, " epoch"]
    """α_i."""


def recede(
    task: Task,
    states: States,
    rates: Float[np.ndarray, " rate"],
    branching: Branching,
    key: Key[Array, ""],
    chosen_by: int | None = None,
) -> Receded:
    """A receding horizon from the states of one cell to the end of the budget.

    Rates are chosen by branching from the first `chosen_by` states, or all. Raises ValueError for
    fewer than 3 rates or rates that do not rise, and where all runs diverged.
    """
    epochs = task.facts.epochs - int(states.epoch[0])
    losses, rows = [_mean(task, states)], []
    for i in range(epochs):
        some = States(jax.tree.map(lambda a: a[:, :chosen_by], states.runs), states.epoch)
        surface = branch_surface(task, some, rates, branching, jax.random.fold_in(key, i))
        rows.append(ideal_rates(surface))
        states = stepped(task, states, float(rows[-1].lr.iloc[0]))
        losses.append(_mean(task, states))
    ideal = pd.concat(rows, ignore_index=True)
    return Receded(ideal, np.array(losses), ideal.lr.to_numpy())


def stepped(task: Task, states: States, rate: float) -> States:
    """The states one epoch later, at one rate for all."""
    one = np.ones(len(states.epoch), int)
    lanes = lanes_of(states, np.full((len(one), 1), rate), one)
    return after(task, states, CONSTANT.policy, lanes, one)


def _mean(task: Task, states: States) -> float:
    none = np.zeros(1, int)
    lanes = lanes_of(states, np.zeros((1, 1)), none)
    loss = play(task, states, CONSTANT.policy, lanes, none).loss
    return float(final_losses(task, loss).mean())
