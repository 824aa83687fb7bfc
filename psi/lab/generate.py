"""Make a data set: for each task a pilot of plain schedules, then random branched trajectories.

The pilot sets the task's criterion before anything else is trained: the median over 3 seeds of
the validation loss of the best of 15 constant rates.
"""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import jax
import numpy as np
import pandas as pd
from jaxtyping import Array, Key

from psi.lab import store
from psi.lab.config import PILOT_RATES, PILOT_RUNS, PILOT_SEEDS, GenerateConfig
from psi.lab.engine import WIDTH, Epochs, population
from psi.lab.policy import trajectory
from psi.lab.records import to_frame
from psi.lab.task import Task
from psi.lab.tasks import make_task
from psi.lab.trajectories import Plan, branched, plain

CRITERION_SEEDS = 3

Report = Callable[[str, int, int], None]
"""(task name, runs done of it, runs of it in all)"""


def generate(config: GenerateConfig, folder: Path, report: Report = lambda *_: None) -> None:
    """Train what `config` says and commit it to `folder`; what is there already is kept.

    Raises ValueError where the folder cannot be written or holds another config's data.
    """
    with store.locked(folder):
        store.open_config(folder, asdict(config) | {"tasks": list(config.tasks), "width": WIDTH})
        rows = [_pilot(config, folder, number, report) for number in range(len(config.tasks))]
        table = pd.DataFrame(rows)
        store.write_tasks(folder, table)
        for number, criterion in enumerate(table.criterion):
            _branched(config, folder, number, float(criterion), report)


def runs_so_far(update: Callable[[int, str], None]) -> Report:
    """A report that tells `update` the runs done of the whole data set, and the task."""
    finished = 0

    def report(task: str, done: int, total: int) -> None:
        nonlocal finished
        update(finished + done, task)
        finished += total if done == total else 0

    return report


def peaks(config: GenerateConfig) -> np.ndarray:
    """The pilot's rates: 15 over [min_lr, max_lr], evenly spaced in log α."""
    return np.geomspace(config.min_lr, config.max_lr, PILOT_RATES)


def _pilot(config: GenerateConfig, folder: Path, number: int, report: Report) -> dict[str, object]:
    name = f"part-{number:04d}-pilot"
    if store.has_part(folder, name) and (folder / "tasks.parquet").exists():
        table = store.read_tasks(folder)
        return dict(table.iloc[number])
    task = make_task(config.tasks[number], config.epochs, config.optimizer)
    plan = plain(peaks(config), config.epochs)
    runs = _train(config, task, number, plan, PILOT_SEEDS, report)
    constant = np.array(plan.family) == "constant"
    final = runs.val_loss[constant, :CRITERION_SEEDS, -1]
    criterion = float(np.nanmin(np.median(final, axis=1)))
    if not store.has_part(folder, name):
        frame = to_frame(task, plan, np.arange(PILOT_SEEDS), runs, criterion, 0)
        store.write_part(folder, name, frame)
    return {"task": task.name, **asdict(task.facts), "criterion": criterion}


def _branched(
    config: GenerateConfig, folder: Path, number: int, criterion: float, report: Report
) -> None:
    name = f"part-{number:04d}-random"
    if store.has_part(folder, name):
        return
    task = make_task(config.tasks[number], config.epochs, config.optimizer)
    rng = np.random.default_rng([config.seed, number])
    plan = branched(
        rng, config.cells, config.candidates, config.epochs, config.min_lr, config.max_lr
    )
    runs = _train(config, task, number, plan, config.seeds, report)
    frame = to_frame(task, plan, np.arange(config.seeds), runs, criterion, PILOT_RUNS)
    store.write_part(folder, name, frame)


def _train(
    config: GenerateConfig, task: Task, number: int, plan: Plan, seeds: int, report: Report
) -> Epochs:
    total = len(plan.family) * seeds
    report(task.name, 0, total)
    return population(
        task,
        trajectory,
        plan.rates.astype(np.float32),
        np.arange(seeds),
        task_key(config.seed, number),
        lambda done: report(task.name, done, total),
    )


def task_key(seed: int, number: int) -> Key[Array, ""]:
    """The root of every key of one task of a data set."""
    return jax.random.fold_in(jax.random.key(seed), number)
