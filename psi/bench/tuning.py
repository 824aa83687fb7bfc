"""What is measured on a task before anyone is judged on it: tuned schedules, text's L*, the oracle.

The plain schedules are tuned over a grid of rates of ratio <= 1.8, extended until the best is
inside, on 20 tuning seeds. Of text no lowest loss is known: its L* is what linear schedules near
the tuned one end at over ten times the budget, or, where all overfit, the lowest loss that was
seen. The oracle is the best trajectory of a search that begins at the tuned plain schedules, chosen
beside them on seeds of its own (psi.ideal.oracle), so that it is never worse than the best of them
beyond noise. None of this sees a scoring seed.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Float, Int, Key

from psi.bench.baselines import SCHEDULES, Baseline, Planned, plain_rates
from psi.bench.baselines.searching import planned
from psi.ideal.oracle import Search, plain_losses, plans_at, searched
from psi.ideal.returns import capped, score
from psi.lab.engine import seeds
from psi.lab.engine.interior import interior
from psi.lab.engine.policy import Policy, trajectory
from psi.lab.engine.population import population
from psi.lab.engine.work import Layout
from psi.lab.networks.table import OF_TOKENS
from psi.lab.optimizers import bounds
from psi.lab.tasks.task import Task, TaskFacts

TUNING = seeds.TUNING.array(20)
RATES, STEP, EXTENSIONS = 17, 3, 8
SEARCH = Search(knots=7, restarts=3, population=8, generations=20, seeds=6, choosing=64)
LONGER = 10  # times the budget: what a text's L* is measured over
AROUND = 1.5 ** np.arange(-4.0, 3.0)
"""Times the tuned peak: where the longer budget's peak is looked for."""
FEW = 5  # seeds of the longer budget


class Choice(NamedTuple):
    """A contestant's rate, or the α_0 of a law that is scale × shape; NaN where it has none."""

    rate: Any
    """One for all runs, or, where it is measured, of each seed."""
    gradients: int = 0
    """Of a minibatch, that measuring took in each run."""
    tuning_runs: float = 0
    tuning_score: float = np.nan
    """The score y on the tuning seeds."""
    plan: Any = 0.0
    """Where whole trainings were searched: the rates, of shape=(seed, T)."""


class Reference(NamedTuple):
    """What contestants on a task under one optimizer are compared with."""

    floor: float
    """L* of the score [nats]."""
    rates: Float[np.ndarray, " rate"]
    losses: Float[np.ndarray, "schedule rate"]
    """Mean final validation loss over the tuning seeds, in the order of SCHEDULES."""
    oracle: Float[np.ndarray, " epoch"]
    """Its rates; empty where none was searched."""
    oracle_runs: int
    """Networks trained for it, beside those of the grid."""

    @property
    def peaks(self) -> Float[np.ndarray, " schedule"]:
        """The tuned rate of each plain schedule."""
        return self.rates[self.losses.argmin(1)]

    @property
    def runs(self) -> int:
        """Networks trained for all of it, but for a text's L*."""
        return self.losses.size * len(TUNING) + self.oracle_runs

    def choice(self, schedule: str, chance_loss: float) -> Choice:
        """The tuned rate of a plain schedule, and what it took."""
        own = self.losses[SCHEDULES.index(schedule)]
        best = score(np.asarray(own.min()), self.floor, chance_loss)
        return Choice(float(self.rates[own.argmin()]), 0, len(own) * len(TUNING), float(best))


def measured(task: Task, key: Key[Array, ""], search: Search | None = None) -> Reference:
    """The reference of a task under its optimizer; with an oracle where a search is given.

    `key` is the root of all runs on the task.
    """
    low, high = bounds(task.facts.optimizer)
    ratio = (high / low) ** (1 / (RATES - 1)) * (1 + 1e-9)
    rates, losses = plain_losses(task, (low, high), key, TUNING, ratio)
    peaks = rates[losses.argmin(1)]
    if unknown_floor(task.facts):
        around = peaks[SCHEDULES.index("linear")] * AROUND
        task = with_floor(task, longer_floor(task, around, float(losses.min()), key))
    plans = plans_at(peaks, task.facts.epochs)
    found, runs = searched(task, plans, key, search) if search else (np.zeros(0), 0)
    return Reference(task.facts.floor, rates, losses, found, runs)


def _oracle(task: Task, seeds: np.ndarray, key: Key[Array, ""]) -> Planned:
    found = measured(task, key, SEARCH)
    return Planned(np.broadcast_to(found.oracle, (len(seeds), len(found.oracle))), found.runs)


ORACLE = Baseline(
    "oracle", planned, tuned=False, plan=_oracle, sees=("validation",),
    formula="the best trajectory that a large search finds, or a tuned schedule if that is better",
    source="psi.ideal.oracle; Hansen & Ostermeier 2001, doi 10.1162/106365601750190398",
)  # fmt: skip
"""The limit of what a schedule can reach on a task: no rule that anyone could use."""


def unknown_floor(facts: TaskFacts) -> bool:
    """Whether the lowest loss is not known: of text, which networks read as tokens.

    Of other fixed data it is 0, of a generator's stream the Bayes loss.
    """
    return facts.network in OF_TOKENS


def with_floor(task: Task, floor: float) -> Task:
    """The task with that L*."""
    return task._replace(facts=replace(task.facts, floor=floor))


def tuned(task: Task, row: Baseline, key: Key[Array, ""]) -> Choice:
    """The best rate of a baseline that is no plain schedule, on the same grid and seeds."""
    facts, policy = task.facts, _policy(row, task.facts.epochs)
    shape = Layout(RATES, len(TUNING))

    def scores(rates: Float[np.ndarray, " rate"]) -> Float[np.ndarray, "1 rate"]:
        lanes = rates.astype(np.float32)
        runs = population(task, policy, lanes, TUNING, key, shape, keep=("val_loss",))
        final = np.asarray(runs.val_loss[:, :, -1], np.float64)
        return score(capped(final, facts.chance_loss).mean(1), facts.floor, facts.chance_loss)[None]

    grid, found = interior(scores, np.geomspace(*bounds(facts.optimizer), RATES), STEP, EXTENSIONS)
    best = found[0].argmin()
    return Choice(float(grid[best]), 0, len(grid) * len(TUNING), float(found[0, best]))


@cache  # part of a compiled program's key
def _policy(row: Baseline, budget: int) -> Callable[[Any], Policy]:
    return lambda rate: row.make(rate, budget)


def longer_floor(
    task: Task,
    peaks: Float[np.ndarray, " peak"],
    reached: float,
    key: Key[Array, ""],
    seeds: Int[np.ndarray, " seed"] = TUNING[:FEW],
) -> float:
    """L* where no other is known, from linear schedules at `peaks` over LONGER times the budget.

    The lowest loss at their ends. Where all of them overfit, so that none ends below what was
    `reached` over the budget itself, the lowest loss on their way, or what was reached.
    """
    long = task._replace(facts=replace(task.facts, epochs=LONGER * task.facts.epochs))
    lanes = np.outer(peaks, plain_rates("linear", long.facts.epochs))
    shape = Layout(len(lanes), len(seeds))
    losses = population(long, trajectory, lanes, seeds, key, shape, keep=("val_loss",)).val_loss
    means = capped(np.asarray(losses, np.float64), task.facts.chance_loss).mean(1)
    end = float(means[:, -1].min())
    return end if end < reached else min(reached, float(means.min()))
