"""What a data set would take, from one measured part of each kind of task."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from psi.lab import store
from psi.lab.config import PILOT_RATES, PILOT_RUNS, PILOT_SEEDS, GenerateConfig
from psi.lab.sweep import Job, job, train_calls
from psi.lab.work import Layout


class Estimate(NamedTuple):
    """Runs and rows are exact, bytes and minutes measured on a part and multiplied."""

    runs: int
    rows: int
    bytes: int
    minutes: float


class _Sample(NamedTuple):
    """One kind of task, measured."""

    compile_s: float
    """What the first call of a program costs beyond the others."""
    call_s: float
    bytes_per_row: float


def estimate(
    config: GenerateConfig,
    shape: Layout,
    report: Callable[[int, str], None] = lambda *_: None,
) -> Estimate:
    """Runs, rows, bytes and minutes of a data set on this machine. Writes no records."""
    rows = config.runs() * config.hyper.epochs
    samples: dict[Any, _Sample] = {}
    size = seconds = 0.0
    for number, name in enumerate(config.tasks):
        report(number, name)
        now = job(config, number, shape)
        kind = bucket(now)
        if kind not in samples:
            samples[kind] = _measure(now)
            seconds += samples[kind].compile_s
        calls = now.work.calls + -(-3 * PILOT_RATES // shape.width) * PILOT_SEEDS / shape.units
        seconds += calls * samples[kind].call_s
        runs = PILOT_RUNS + config.lanes() * config.seeds
        size += samples[kind].bytes_per_row * runs * config.hyper.epochs
    report(len(config.tasks), "")
    return Estimate(config.runs(), rows, round(size), seconds / 60)


def bucket(now: Job) -> Any:
    """What tasks share whose parts one compiled program trains."""
    shapes = jax.tree.map(lambda a: a.shape, (now.task.arrays, now.task.splits))
    return now.task.functions, now.task.facts.epochs, str(shapes)


def _measure(now: Job) -> _Sample:
    # The first pass fills the persistent cache of programs, as it will be when the data are made.
    _timed(now)
    jax.clear_caches()
    first, _ = _timed(now)
    again, content = _timed(now)
    rows = len(now.work.runs(0)[0]) * now.task.facts.epochs
    return _Sample(max(first - again, 0.0), again, content / rows)


def _timed(now: Job) -> tuple[float, int]:
    """Seconds and bytes of one call."""
    start = time.perf_counter()
    ((_, frame),) = train_calls(now, [0], 0.0)
    size = len(store.parquet(frame))
    return time.perf_counter() - start, size
