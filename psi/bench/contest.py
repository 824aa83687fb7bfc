"""Laws beside plain schedules on one task, tuned and untuned, scored on fresh seeds.

A tuned schedule's rate is chosen on this task, from a grid that is extended until the best is
inside it, on seeds 0–4. An untuned one's is the best single rate for all training tasks. All are
scored on seeds 100–109.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import NamedTuple

import jax
import numpy as np
import optax
import pandas as pd
from jaxtyping import Array, Float, Key

from psi.bench.measures import Result, result
from psi.bench.training import (
    SCHEDULES,
    Curves,
    MakeTransform,
    Plain,
    train,
    with_law,
    with_schedule,
)
from psi.ideal.returns import capped, score
from psi.lab.data.trajectories import pilot_family
from psi.lab.engine import seeds
from psi.lab.engine.interior import interior
from psi.lab.tasks.task import Task
from psi.law.law import Law
from psi.progress import Report, silent

TUNING_SEEDS = seeds.TUNING.array(5)
SCORING_SEEDS = seeds.SCORING.array(10)
EXTENSIONS = 20
STEP = 3  # rates added at an edge at a time


class Tuned(NamedTuple):
    """What tuning a schedule on a task found and cost."""

    peak: float
    runs: int


def contest(
    task: Task,
    laws: Sequence[tuple[str, Law]],
    untuned: Sequence[float],
    grid: Float[np.ndarray, " rate"],
    criterion: float,
    key: Key[Array, ""],
    report: Report = silent,
) -> list[Result]:
    """Every law and every plain schedule, untuned (rates in the order of SCHEDULES) and tuned.

    `report` is told the steps done and what comes next.
    """
    steps = 2 + len(laws)
    report(0, steps, "tuning the plain schedules")
    tuned = tune(task, grid, key)
    report(1, steps, "plain schedules")
    kinds = np.arange(len(SCHEDULES)).repeat(2)
    peaks = np.array([[u, t.peak] for u, t in zip(untuned, tuned, strict=True)]).reshape(-1)
    lanes = Plain(kinds, peaks.astype(np.float32))
    plain = train(task, _plain(task), lanes, SCORING_SEEDS, key)
    results = []
    for number, (name, law) in enumerate(laws):
        report(2 + number, steps, name)
        curves = train(
            task, lambda _, law=law: with_law(law, task), np.zeros(1), SCORING_SEEDS, key
        )
        results.append(_result(name, False, 0, None, _lane(curves, 0), task, criterion))
    report(steps, steps, "")
    for lane, (kind, peak) in enumerate(zip(kinds, peaks, strict=True)):
        is_tuned = bool(lane % 2)
        runs = tuned[kind].runs if is_tuned else 0
        name = f"{SCHEDULES[kind]}, {'tuned' if is_tuned else 'untuned'}"
        curves = _lane(plain, lane)
        results.append(_result(name, is_tuned, runs, float(peak), curves, task, criterion))
    return results


def tune(task: Task, grid: Float[np.ndarray, " rate"], key: Key[Array, ""]) -> list[Tuned]:
    """The best peak rate of each plain schedule on the task, and the runs it took."""
    grid, scores = interior(partial(_scores, task, key), grid, STEP, EXTENSIONS)
    runs = len(grid) * len(TUNING_SEEDS)
    return [Tuned(float(grid[k]), runs) for k in scores.argmin(1)]


def untuned_rates(records: pd.DataFrame, tasks: pd.DataFrame) -> list[float]:
    """Per schedule of SCHEDULES, the one rate with the best mean score over the given tasks.

    From the pilots among a data set's records.
    """
    families = [pilot_family(name) for name in SCHEDULES]
    plain = records[records.family.isin(families)].merge(
        tasks[["task", "floor", "chance_loss", "epochs"]], on="task", how="inner"
    )
    last = plain[plain.epoch == plain.epochs - 1].set_index(["task", "run"])
    first = plain[plain.epoch == 0].set_index(["task", "run"]).lr
    runs = last.assign(peak=first)
    runs["val_loss"] = capped(runs.val_loss.to_numpy(), runs.chance_loss.to_numpy())
    keys = ["family", "peak", "task"]
    means = runs.groupby(keys, observed=True)[["val_loss", "floor", "chance_loss"]].mean()
    scores = score(means.val_loss.to_numpy(), means.floor.to_numpy(), means.chance_loss.to_numpy())
    table = means.assign(score=scores).groupby(["family", "peak"], observed=True).score.mean()
    return [float(table.loc[name].idxmin()) for name in families]  # pyright: ignore


def _scores(
    task: Task, key: Key[Array, ""], grid: Float[np.ndarray, " rate"]
) -> Float[np.ndarray, "schedule rate"]:
    lanes = Plain(
        np.arange(len(SCHEDULES)).repeat(len(grid)),
        np.tile(grid, len(SCHEDULES)).astype(np.float32),
    )
    curves = train(task, _plain(task), lanes, TUNING_SEEDS, key)
    facts = task.facts
    final = capped(curves.val_loss[:, :, -1].astype(np.float64), facts.chance_loss).mean(1)
    return score(final, facts.floor, facts.chance_loss).reshape(len(SCHEDULES), -1)


def _plain(task: Task) -> MakeTransform:
    return _plain_transform(task.functions.optimizer, task.facts.steps * task.facts.epochs)


@cache
def _plain_transform(optimizer: optax.GradientTransformation, steps: int) -> MakeTransform:
    # Cached: the function is part of the compiled program's key.
    return partial(with_schedule, optimizer, steps)


def _lane(curves: Curves, lane: int) -> Curves:
    return jax.tree.map(lambda curve: curve[lane], curves)


def _result(
    name: str,
    tuned: bool,
    runs: int,
    peak: float | None,
    curves: Curves,
    task: Task,
    criterion: float,
) -> Result:
    return result(name, tuned, runs, peak, SCORING_SEEDS, curves, task.facts, criterion)
