"""A law labelled under itself: what follows a candidate is what the law would then do.

The continuation is part of an ideal rate's label, and for a law it is the law itself. So: label
under the current law, on states that this law visits; refit; again, until the score that its
trainings end at moves by less than 0.02 nats.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np
import pandas as pd
from jaxtyping import Array, Float, Int, Key

from psi.ideal.branched import Branching, branch_surface, final_losses
from psi.ideal.continuation import law_continuation
from psi.ideal.rate import ideal_rates
from psi.ideal.returns import score
from psi.lab.engine.branch import States, after, play, repeated, starts
from psi.lab.engine.policy import law_policy
from psi.lab.engine.population import MakePolicy
from psi.lab.tasks.task import Task
from psi.law.clock import Clock
from psi.law.law import Law

MOVED = 0.02  # nats
SCORING_SEEDS = np.arange(100, 132)

Refit = Callable[[pd.DataFrame, pd.DataFrame], Law]
"""(surface, ideal rates) → law"""


class Iterated(NamedTuple):
    """What the iteration came to."""

    law: Law
    scores: tuple[float, ...]
    """y of trainings under the first law, and under each refitted one."""
    converged: bool


def iterate(
    task: Task,
    law: Law,
    refit: Refit,
    rates: Float[np.ndarray, " rate"],
    key: Key[Array, ""],
    at: Sequence[int] = (),
    seeds: Int[np.ndarray, " state"] | None = None,
    orders: int = 16,
    most: int = 6,
) -> Iterated:
    """At most `most` rounds of labelling under the law and refitting it.

    Rates branch off before the epochs `at` (all of them by default) from the states of `seeds`.
    The best of all laws is returned. Raises ValueError as `branch_surface` and `refit` do.
    """
    seeds = np.arange(16) if seeds is None else seeds
    epochs = np.array(at or range(task.facts.epochs))
    laws, scores = [law], [_score(task, law, key)]
    for turn in range(most):
        clock = Clock(laws[-1], task.facts.epochs)
        how = Branching(None, law_continuation(f"law-{turn}", clock), orders)
        states = law_states(task, laws[-1], epochs, seeds, key)
        surface = branch_surface(task, states, rates, how, jax.random.fold_in(key, turn))
        laws.append(refit(surface, ideal_rates(surface)))
        scores.append(_score(task, laws[-1], key))
        if abs(scores[-1] - scores[-2]) < MOVED:
            break
    best = int(np.argmin(scores))
    converged = abs(scores[-1] - scores[-2]) < MOVED
    return Iterated(laws[best], tuple(scores), converged)


def law_states(
    task: Task,
    law: Law,
    at: Int[np.ndarray, " cell"],
    seeds: Int[np.ndarray, " state"],
    key: Key[Array, ""],
) -> States:
    """The states that a law visits before each of some epochs, one cell an epoch."""
    first = repeated(starts(task, seeds, key), len(at))
    return after(task, first, _policy(task, law), _one(at), at)


def _score(task: Task, law: Law, key: Key[Array, ""]) -> float:
    states, whole = starts(task, SCORING_SEEDS, key), np.array([task.facts.epochs])
    loss = play(task, states, _policy(task, law), _one(whole), whole).loss
    mean = final_losses(task, loss).mean((1, 2))
    return float(score(mean, task.facts.floor, task.facts.chance_loss)[0, 0])


def _policy(task: Task, law: Law) -> MakePolicy:
    return lambda _: law_policy(law, task.facts.epochs)


def _one(cells: Int[np.ndarray, " cell"]) -> Float[np.ndarray, "cell 1"]:
    return np.zeros((len(cells), 1), np.float32)
