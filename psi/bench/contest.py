"""Laws beside the schedules that people use, on one task, scored on fresh seeds.

A tuned baseline's peak rate is chosen on this task, from a grid that is extended until the best is
inside it, on seeds 0–4. An untuned one's is the best single rate for all training tasks. All are
scored on seeds 100–109.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
import optax
import pandas as pd
from jaxtyping import Array, Float, Key

from psi.bench.baselines import BASELINES, SCHEDULES, Baseline, entered
from psi.bench.measures import Entry, Result, result
from psi.bench.training import KEPT, Curves, Peak, train, with_law, with_schedule
from psi.ideal.returns import capped, score
from psi.lab.data.trajectories import pilot_family
from psi.lab.engine import seeds
from psi.lab.engine.interior import interior
from psi.lab.engine.policy import Policy
from psi.lab.engine.population import population
from psi.lab.tasks.task import Task
from psi.law.law import Law
from psi.progress import Report, silent

TUNING_SEEDS = seeds.TUNING.array(5)
SCORING_SEEDS = seeds.SCORING.array(10)
EXTENSIONS = 20
STEP = 3  # rates added at an edge at a time

Baselines = tuple[Baseline, ...]


def contest(
    task: Task,
    laws: Sequence[tuple[str, Law]],
    untuned: Mapping[str, float],
    grid: Float[np.ndarray, " rate"],
    criterion: float,
    key: Key[Array, ""],
    report: Report = silent,
    baselines: Sequence[str] = SCHEDULES,
) -> list[Result]:
    """Train a task under laws and baselines, and measure all of them on the same fresh seeds.

    Args:
        task: What is trained.
        laws: Names and laws; they are not tuned.
        untuned: Peak rates of baselines to be entered untuned as well, by name.
        grid: Peak rates to tune over, of equal ratio; extended until the best is inside.
        criterion: The validation loss in nats whose first epoch is noted.
        key: Of initialisations and batch orders: a run starts from fold_in(key, seed).
        report: Called with the steps done, all steps, and what comes next.
        baselines: Names of rows of BASELINES.

    Returns:
        A result for each law, then for each baseline: untuned, if it has such a rate, and tuned.

    Raises:
        ValueError: A baseline is unknown.

    >>> import jax, numpy as np
    >>> from psi.bench.contest import contest
    >>> from psi.lab.hyper import Hyper
    >>> from psi.lab.tasks.table import make_task
    >>> task = make_task("noisy_quadratic", Hyper(epochs=2))
    >>> grid = np.geomspace(0.01, 10, 6)
    >>> rows = contest(task, [], {}, grid, 0.1, jax.random.key(0), baselines=("linear",))
    >>> [row.name for row in rows], len(rows[0].final_val_losses)
    (['linear, tuned'], 10)
    """
    entered = [tunable(name) for name in baselines]
    by_step = tuple(each for each in entered if each.by_step)
    # Trained together: the schedules by step; each policy is a program of its own.
    groups = [by_step] * bool(by_step) + [(each,) for each in entered if not each.by_step]
    steps = len(laws) + 2 * len(groups)
    found: list[Result] = []
    for number, group in enumerate(groups):
        names = ", ".join(each.name for each in group)
        report(2 * number, steps, f"tuning {names}")
        tuned = tune(task, group, grid, key)
        report(2 * number + 1, steps, names)
        found += _scored(task, group, tuned, untuned, criterion, key)
    results = []
    for number, (name, law) in enumerate(laws, 2 * len(groups)):
        report(number, steps, name)
        curves = train(
            task, lambda _, law=law: with_law(law, task), np.zeros(1), SCORING_SEEDS, key
        )
        results.append(_measured(Entry(name), curves, 0, task, criterion))
    report(steps, steps, "")
    return [*results, *found]


def tunable(name: str) -> Baseline:
    """The row of a baseline whose rate a contest may tune.

    Raises ValueError for an unknown name, and for a rule that needs no tuning or sets its own rate.
    """
    row = BASELINES[name]
    if row.measure is not None or row.plan is not None or not row.tuned:
        raise ValueError(
            f"{name} sets its own rate, a contest tunes rates: psi bench suite runs it"
        )
    return row


def tune(
    task: Task, baselines: Baselines, grid: Float[np.ndarray, " rate"], key: Key[Array, ""]
) -> list[Entry]:
    """Each baseline at its best peak rate on the task, and the runs that it took to find it.

    The baselines are trained together: either each has `by_step`, or there is one.
    """
    grid, scores = interior(partial(_scores, task, baselines, key), grid, STEP, EXTENSIONS)
    runs = len(grid) * len(TUNING_SEEDS)
    return [
        Entry(f"{baseline.name}, tuned", True, runs, float(grid[k]))
        for baseline, k in zip(baselines, scores.argmin(1), strict=True)
    ]


def untuned_rates(records: pd.DataFrame, tasks: pd.DataFrame) -> dict[str, float]:
    """Of each plain schedule the one peak rate with the best mean score over the given tasks.

    From the pilots among a data set's records.
    """
    families = {name: pilot_family(name) for name in SCHEDULES}
    plain = records[records.family.isin(families.values())].merge(
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
    return {name: float(table.loc[family].idxmin()) for name, family in families.items()}  # pyright: ignore


def _scored(
    task: Task,
    baselines: Baselines,
    tuned: Sequence[Entry],
    untuned: Mapping[str, float],
    criterion: float,
    key: Key[Array, ""],
) -> list[Result]:
    entries: list[tuple[int, Entry]] = []
    for number, (baseline, entry) in enumerate(zip(baselines, tuned, strict=True)):
        if (peak := untuned.get(baseline.name)) is not None:
            entries.append((number, Entry(f"{baseline.name}, untuned", peak_rate=float(peak))))
        entries.append((number, entry))
    numbers = np.array([number for number, _ in entries])
    peaks = np.array([entry.peak_rate for _, entry in entries])
    curves = _train(task, baselines, Peak(numbers, peaks), SCORING_SEEDS, key)
    numbered = enumerate(entry for _, entry in entries)
    return [_measured(entry, curves, lane, task, criterion) for lane, entry in numbered]


def _measured(entry: Entry, curves: Curves, lane: int, task: Task, criterion: float) -> Result:
    own = Curves(*(curve[lane] for curve in curves))
    return result(entry, SCORING_SEEDS, own, task.facts, criterion)


def _scores(
    task: Task, baselines: Baselines, key: Key[Array, ""], grid: Float[np.ndarray, " rate"]
) -> Float[np.ndarray, "baseline rate"]:
    lanes = Peak(np.arange(len(baselines)).repeat(len(grid)), np.tile(grid, len(baselines)))
    curves = _train(task, baselines, lanes, TUNING_SEEDS, key)
    floor, chance = task.facts.floor, task.facts.chance_loss
    final = capped(curves.val_loss[:, :, -1].astype(np.float64), chance).mean(1)
    return score(final, floor, chance).reshape(len(baselines), -1)


def _train(
    task: Task, baselines: Baselines, lanes: Peak, seeds: np.ndarray, key: Key[Array, ""]
) -> Curves:
    """Train the task, lane by lane under one of the baselines from its peak rate."""
    lanes, facts = lanes._replace(peak=lanes.peak.astype(np.float32)), task.facts
    if baselines[0].by_step:
        make = _transform(task.functions.optimizer, baselines, facts.steps * facts.epochs)
        return train(task, make, lanes, seeds, key)
    entry = entered(task, baselines[0])
    make = _policy(baselines[0], facts.epochs)
    runs = population(entry, make, lanes, seeds, key, keep=KEPT)
    return Curves(*(np.asarray(getattr(runs, name)) for name in KEPT))


# Cached: these functions are part of a compiled program's key.


@cache
def _transform(
    optimizer: optax.GradientTransformation, baselines: Baselines, steps: int
) -> Callable[[Any], optax.GradientTransformationExtraArgs]:
    by_steps = [each.by_step for each in baselines if each.by_step]
    return partial(with_schedule, optimizer, by_steps, steps)


@cache
def _policy(baseline: Baseline, budget: int) -> Callable[[Any], Policy]:
    return lambda lane: baseline.make(lane.peak, budget)
