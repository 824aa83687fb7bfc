"""What a fit sees of an atlas: facts, best rates, and the regret of every rate on every task.

Scores are those of `psi.ideal.returns`. For the target `train` the loss is that of the training
rows, and so is the reference; a stream has one loss alone, in the column of validation.
Where the floor L* is not known (NaN, as of texts) it is the lowest loss of all runs on its domain
less a tenth of what that is below the chance loss: as if more training could still win so much. On
the training rows of fixed data it is 0.

The *reference* of a task is the best of all schedules and rates, estimated by parabolas
(`psi.fit.scale.minimum`), since the lowest of some fifty noisy scores is too low. A fit does not
depend on it: it is the same for all rates of a task.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from psi.fit.scale.facts import facts_of
from psi.fit.scale.minimum import AROUND, Best, best_rates
from psi.fit.scale.regret import Curves, curves
from psi.fit.scale.table import Atlas, under
from psi.ideal.returns import RESOLUTION, score

Target = Literal["train", "validation"]
UNKNOWN = 0.1  # of what the best run is below the chance loss: how far L* is below it
ALIKE = 1e-3  # nats: rates that are this close are one rate, written with rounding
MOST_RATES = 200
SCHEDULES = ("linear", "cosine", "constant")


class TunedTasks(NamedTuple):
    """What a fit sees of each task, for one optimizer and target."""

    facts: pd.DataFrame
    domain: np.ndarray
    """Name of each task's domain, which is left out whole. shape=(task,)"""
    curves: Mapping[str, Curves]
    """By schedule: the regret as a function of log α."""
    best: Mapping[str, Best]
    """By schedule: its best rate."""
    usual: np.ndarray
    """Which rates of the grid were tried on every task. shape=(rate,)"""

    @property
    def reference(self) -> Float[np.ndarray, " task"]:
        """The score of the best of all schedules and rates."""
        return _reference(self.best)

    def take(self, index: np.ndarray) -> "TunedTasks":
        """The tasks at `index` (a mask or positions)."""
        return TunedTasks(
            self.facts[index] if index.dtype == bool else self.facts.iloc[index],
            self.domain[index],
            {name: each.take(index) for name, each in self.curves.items()},
            {name: Best(*(c[index] for c in each)) for name, each in self.best.items()},
            self.usual,
        )


def tuned_tasks(atlas: Atlas, optimizer: str, target: Target) -> TunedTasks:
    """What a fit for an optimizer sees of an atlas.

    Raises ValueError where no task has runs of the optimizer, or one has fewer than five rates of a
    schedule, a fact that is not positive, or a chance loss that is not above its floor, or rates
    are on no common grid.
    """
    tasks, own = under(Atlas(with_floors(atlas), atlas.runs), optimizer)
    runs = scored(own, tasks, target)
    grid = np.unique(runs.log_rate)
    swept = {
        name: swept_scores(runs[runs.schedule == name], tasks, grid, name) for name in SCHEDULES
    }
    best = {name: best_rates(grid, *each) for name, each in swept.items()}
    reference = _reference(best)[:, None]
    regret = {name: curves(grid, y - reference) for name, (y, *_) in swept.items()}
    usual = np.all([tried.all(axis=0) for *_, tried in swept.values()], axis=0)
    return TunedTasks(facts_of(tasks), tasks.domain.to_numpy(object), regret, best, usual)


def _reference(best: Mapping[str, Best]) -> Float[np.ndarray, " task"]:
    return np.min([each.score for each in best.values()], axis=0)


def with_floors(atlas: Atlas) -> pd.DataFrame:
    """The tasks with a floor each; ValueError where the chance loss is not above it."""
    tasks = atlas.tasks.reset_index(drop=True)
    least = atlas.runs.groupby("task").val_loss.min().reindex(tasks.task)
    least = least.groupby(tasks.domain.to_numpy()).transform("min").to_numpy(float)
    guess = least - UNKNOWN * (tasks.chance_loss - least)
    tasks["floor"] = tasks.floor.where(np.isfinite(tasks.floor), guess)
    below = ~(tasks.chance_loss > tasks.floor)
    if below.any():
        row = tasks[below].iloc[0]
        raise ValueError(
            f"the chance loss must be above the floor, got {row.chance_loss:g} and "
            f"{row.floor:g} of task {row.task}"
        )
    return tasks


def scored(runs: pd.DataFrame, tasks: pd.DataFrame, target: Target) -> pd.DataFrame:
    """Runs with log_rate, score and error, the score's standard error [nats]."""
    columns = ["task", "stream", "chance_loss", "train_chance_loss", "floor"]
    own = runs.merge(tasks[columns], on="task")
    by_train = (target == "train") & ~own.stream.astype(bool)
    loss = np.where(by_train, own.train_loss, own.val_loss)
    error = np.nan_to_num(np.where(by_train, own.train_error, own.val_error), posinf=0.0)
    loss = np.where(np.isfinite(loss), loss, np.inf)
    floor = np.where(by_train, 0.0, own.floor.to_numpy(float))
    chance = np.where(by_train, own.train_chance_loss, own.chance_loss).astype(float)
    y = score(loss, floor, chance)
    resolved = np.where(loss - floor < 2 * (chance - floor), error, 0.0)
    error = resolved / (
        np.clip(loss - floor, 0, 2 * (chance - floor)) + RESOLUTION * (chance - floor)
    )
    return own.assign(log_rate=_on_grid(np.log(own.rate.to_numpy(float))), score=y, error=error)


def _on_grid(log_rate: Float[np.ndarray, " run"]) -> Float[np.ndarray, " run"]:
    """Each log rate as the first of those that are alike."""
    values, place = np.unique(log_rate, return_inverse=True)
    first = np.diff(values, prepend=-np.inf) > ALIKE
    if first.sum() > MOST_RATES:
        raise ValueError(
            f"all tasks of an atlas are tuned over one grid of at most {MOST_RATES} rates, got "
            f"{first.sum()} different ones"
        )
    return values[first][np.cumsum(first) - 1][place]


def swept_scores(
    runs: pd.DataFrame, tasks: pd.DataFrame, grid: Float[np.ndarray, " rate"], schedule: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(scores, their errors, what was tried), each of shape=(task, rate).

    Between and beyond the rates that were tried scores are filled in as `regret_at` has them.
    """
    y, error = (
        runs.pivot(index="task", columns="log_rate", values=name)
        .reindex(index=tasks.task, columns=grid)
        .to_numpy(float, copy=True)
        for name in ("score", "error")
    )
    tried = np.isfinite(y)
    for row, own in enumerate(tried):
        if own.sum() < 2 * AROUND + 1:
            raise ValueError(
                f"a task needs at least {2 * AROUND + 1} rates of each schedule, "
                f"task {tasks.task[row]} has {own.sum()} of {schedule}"
            )
        held = np.clip(grid, grid[own][0], grid[own][-1])
        y[row] = np.interp(held, grid[own], y[row, own]) + np.abs(grid - held)
    return y, np.nan_to_num(error, nan=1.0), tried
