"""What a data set consists of: parts, each one call of the program, known before any is trained.

Every task has a pilot (three plain schedules over a grid of rates), one part, which sets the
task's criterion: the median over 3 seeds of the validation loss of the best of 15 constant rates.
Then come its random trajectories and branched cells, cut into calls of fixed shape.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

import jax
import numpy as np
import pandas as pd
from jaxtyping import Array, Key

from psi.lab.data.config import PILOT_RATES, PILOT_RUNS, PILOT_SEEDS, GenerateConfig
from psi.lab.data.families import FAMILIES, HOUSE
from psi.lab.data.records import to_frame
from psi.lab.data.trajectories import Plan, branched, free, pilot_family, plain
from psi.lab.engine.policy import trajectory
from psi.lab.engine.population import population, train
from psi.lab.engine.seeds import TUNING
from psi.lab.engine.work import Layout, Work, calls_of, cut
from psi.lab.tasks.table import make_task
from psi.lab.tasks.task import Task

CRITERION_SEEDS = 3


PILOT = -1


class Part(NamedTuple):
    """A task's pilot, or one call of the program for it."""

    task: int  # number of the task in the config
    call: int  # PILOT, or the number of the call

    @property
    def name(self) -> str:
        """Its file's name, which sorts by task, the pilot first."""
        what = "pilot" if self.call == PILOT else f"train-{self.call:05d}"
        return f"part-{self.task:04d}-{what}"


Criteria = Sequence[float]  # the criterion of each task; NaN where it is not known yet


def pilots(config: GenerateConfig) -> list[Part]:
    """The pilot of every task."""
    return [Part(number, PILOT) for number in range(len(config.specs()))]


def parts(config: GenerateConfig, shape: Layout) -> list[Part]:
    """All parts but the pilots, in order."""
    calls = calls_of(config.lanes(), config.seeds, shape)
    return [Part(task, call) for task in range(len(config.specs())) for call in range(calls)]


def make(
    config: GenerateConfig, shape: Layout, wanted: Sequence[Part], criteria: Criteria
) -> Iterator[tuple[Part, pd.DataFrame]]:
    """Train the given parts on this machine, in order."""
    for number, group in groupby(wanted, key=lambda part: part.task):
        calls = [part.call for part in group]
        if calls[0] == PILOT:
            yield Part(number, calls.pop(0)), pilot(config, number, shape)
        if calls:
            task_job = job(config, number, shape)
            for call, frame in train_calls(task_job, calls, criteria[number]):
                yield Part(number, call), frame


def task_of(config: GenerateConfig, number: int) -> Task:
    """Task `number` of a data set."""
    spec = config.specs()[number]
    task = make_task(spec.name, spec.hyper, config.data)
    own = spec.label(config.hyper).removeprefix(spec.name)
    return task._replace(name=task.name + own)


def task_key(seed: int, number: int) -> Key[Array, ""]:
    """The root of every key of one task of a data set."""
    return jax.random.fold_in(jax.random.key(seed), number)


def peaks(config: GenerateConfig, number: int = 0) -> np.ndarray:
    """The rates of a task's pilot: 15 over [min_lr, max_lr], evenly spaced in log α."""
    return np.geomspace(*config.rates(number), PILOT_RATES)


def pilot(config: GenerateConfig, number: int, shape: Layout) -> pd.DataFrame:
    """The records of a task's pilot."""
    task, plan = task_of(config, number), plain(peaks(config, number), config.hyper.epochs)
    seeds = TUNING.array(PILOT_SEEDS)
    rates = plan.rates.astype(np.float32)
    runs = population(task, trajectory, rates, seeds, task_key(config.seed, number), shape=shape)
    count = len(rates) * PILOT_SEEDS
    lane, seed = np.divmod(np.arange(count), PILOT_SEEDS)
    rows = jax.tree.map(lambda values: values.reshape(count, -1), runs)
    constant = np.array(plan.family) == pilot_family("constant")
    reached = _criterion(np.asarray(runs.val_loss)[constant, :CRITERION_SEEDS, -1])
    return to_frame(task, plan, lane, seed, np.arange(count), rows, reached)


def task_row(config: GenerateConfig, number: int, pilot: pd.DataFrame) -> dict[str, object]:
    """A row of the task table: declared features, and the criterion from the pilot's records."""
    task = task_of(config, number)
    last = pilot[pilot.epoch == config.hyper.epochs - 1]
    constant = last[(last.family == pilot_family("constant")) & (last.seed < CRITERION_SEEDS)]
    final = constant.val_loss.to_numpy().reshape(PILOT_RATES, CRITERION_SEEDS)
    return {"task": task.name, **asdict(task.facts), "criterion": _criterion(final)}


def _criterion(final: np.ndarray) -> float:
    """From final validation losses, shape=(rates, seeds); NaN where every rate diverged."""
    return float(np.fmin.reduce(np.median(final, axis=1)))


class Job(NamedTuple):
    """A task's work, ready to be trained call by call."""

    task: Task
    plan: Plan
    work: Work
    key: Key[Array, ""]


@lru_cache(maxsize=1)
def job(config: GenerateConfig, number: int, shape: Layout) -> Job:
    """Task `number` with all its trajectories and seeds.

    The last one is kept: a worker of a cluster is asked for it part by part.
    """
    task, plan = task_of(config, number), trajectories(config, number)
    work = cut(plan.rates.astype(np.float32), TUNING.first + np.arange(config.seeds), shape)
    return Job(task, plan, work, task_key(config.seed, number))


def trajectories(config: GenerateConfig, number: int) -> Plan:
    """The random trajectories of a task, then its branched cells."""
    key = jax.random.fold_in(task_key(config.seed, number), 2**31)
    epochs, (low, high) = config.hyper.epochs, config.rates(number)
    families = [FAMILIES[name] for name in config.families] or HOUSE
    plans = []
    if config.trajectories:
        first = jax.random.fold_in(key, 0)
        plans.append(free(first, config.trajectories, epochs, low, high, families))
    if config.cells:
        then = jax.random.fold_in(key, 1)
        plans.append(branched(then, config.cells, config.candidates, epochs, low, high, families))
    return Plan(
        np.concatenate([plan.rates for plan in plans]),
        [name for plan in plans for name in plan.family],
        np.concatenate([plan.cell for plan in plans]),
        np.concatenate([plan.branch for plan in plans]),
    )


def train_calls(
    task_job: Job, calls: list[int], criterion: float
) -> Iterator[tuple[int, pd.DataFrame]]:
    """(call, records) of the given calls, one call ahead of its reader."""
    results = train(task_job.task, trajectory, task_job.work, task_job.key, calls)
    for call, runs in zip(calls, results, strict=True):
        lane, seed, real = task_job.work.runs(call)
        rows = jax.tree.map(lambda a, real=real: a.reshape(-1, a.shape[-1])[real], runs)
        number = PILOT_RUNS + lane * len(task_job.work.seeds) + seed
        yield call, to_frame(task_job.task, task_job.plan, lane, seed, number, rows, criterion)
