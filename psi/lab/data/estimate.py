"""What a data set would take, from one measured part of each kind of task."""

from typing import Any, NamedTuple

import jax
import pandas as pd

from psi.lab.data import store
from psi.lab.data.config import PILOT_RUNS, PILOT_SEEDS, GenerateConfig
from psi.lab.data.sweep import Job, job, task_of, train_calls, trajectories
from psi.lab.engine.timing import timed
from psi.lab.engine.work import Layout, calls_of
from psi.progress import Report, silent


class Estimate(NamedTuple):
    """Runs and rows are exact, bytes and minutes measured on a part and multiplied."""

    runs: int
    rows: int
    bytes: int
    minutes: float


class _Sample(NamedTuple):
    """One kind of task, measured."""

    first_s: float
    """To build the first task of the kind and load its program, beyond what others cost."""
    call_s: float
    part_bytes: float
    """Of a part without rows."""
    row_bytes: float


def estimate(
    config: GenerateConfig, shape: Layout, report: Report = silent, startup: float = 0.0
) -> Estimate:
    """Runs, rows, bytes and minutes of a data set on this machine. Writes no records.

    `startup` is what a process needs before it trains anything, in seconds.
    """
    rows = config.runs() * config.hyper.epochs
    pilot_calls = calls_of(PILOT_RUNS // PILOT_SEEDS, PILOT_SEEDS, shape)
    samples: dict[Any, _Sample] = {}
    size, seconds = 0.0, startup
    tasks = len(config.specs())
    for number in range(tasks):
        report(number, tasks, config.label(number))
        task_job = job(config, number, shape)
        kind = bucket(task_job)
        if kind not in samples:
            samples[kind] = _measure(config, number, task_job)
            seconds += samples[kind].first_s
        seconds += (task_job.work.calls + pilot_calls) * samples[kind].call_s
        size += samples[kind].part_bytes * (task_job.work.calls + 1)
        size += samples[kind].row_bytes * rows / tasks
    jax.clear_caches()
    seconds += timed(lambda: trajectories(config, 0))[0]
    report(tasks, tasks, "")
    return Estimate(config.runs(), rows, round(size), seconds / 60)


def bucket(task_job: Job) -> Any:
    """What tasks share whose parts one compiled program trains."""
    shapes = jax.tree.map(lambda a: a.shape, (task_job.task.arrays, task_job.task.splits))
    return task_job.task.functions, task_job.task.facts.epochs, str(shapes)


def _measure(config: GenerateConfig, number: int, task_job: Job) -> _Sample:
    # The first pass fills the persistent cache of programs, as it will be when the data are made.
    _one_part(task_job)
    jax.clear_caches()
    first, _ = timed(lambda: (task_of(config, number), _one_part(task_job)))
    again, frame = timed(lambda: _one_part(task_job))
    whole, half = len(store.parquet(frame)), len(store.parquet(frame[: len(frame) // 2]))
    fixed = max(2 * half - whole, 0)
    return _Sample(max(first - again, 0.0), again, fixed, (whole - fixed) / len(frame))


def _one_part(task_job: Job) -> pd.DataFrame:
    """Train the first call and encode its records, which are returned."""
    ((_, frame),) = train_calls(task_job, [0], 0.0)
    store.parquet(frame)
    return frame
