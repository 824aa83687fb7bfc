"""All estimates of one data set: tables, a task after the other.

Every table of a task is a *part*: a pure function of the data set, the config and its name. Callers
may keep parts and go on where they stopped.
"""

import hashlib
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

import jax
import numpy as np
import pandas as pd
from jaxtyping import Array, Float, Int, Key

from psi.ideal.bias import MANY, ORDERS, POPULATION, horizon_bias, horizons_of
from psi.ideal.branched import Branching, branch_surface
from psi.ideal.config import IdealConfig
from psi.ideal.continuation import CONTINUATIONS, Continuation, law_continuation
from psi.ideal.oracle import Headroom, headroom
from psi.lab.data.config import GenerateConfig
from psi.lab.data.sweep import task_key, task_of, trajectories
from psi.lab.data.trajectories import branch_epochs
from psi.lab.engine.branch import along
from psi.lab.tasks.names import PROBLEM_NAMES
from psi.lab.tasks.task import Task
from psi.law.clock import Clock
from psi.law.load import load
from psi.progress import Report, silent

Kind = Literal["branched", "bias", "headroom"]
STATE_SEED = 10_000
"""First seed of the states: none of the data set's own."""


class Part(NamedTuple):
    """One table of one task."""

    kind: Kind
    task: int
    """Number of the task in the data set."""
    horizon: int | Literal["end"] = "end"

    @property
    def name(self) -> str:
        """Its file's name."""
        return f"{self.kind}-{self.task:04d}-{self.horizon}"


def parts(data: GenerateConfig, how: IdealConfig) -> list[Part]:
    """What is to be made, in order.

    Raises ValueError for a task that is not in the data set, a horizon beyond its budget, or a
    continuation that is no law file.
    """
    continuation_of(how.continuation, data.hyper.epochs)
    labels = [data.label(number) for number in range(len(data.specs()))]
    unknown = set(how.tasks) - {*labels, *data.tasks}
    if unknown:
        raise ValueError(f"no task {sorted(unknown)} there; there are: {', '.join(labels)}")
    for horizon in how.horizon:
        if horizon != "end" and horizon > data.hyper.epochs:
            raise ValueError(
                f"a horizon must be <= {data.hyper.epochs} epochs, the length of the data set's "
                f"runs, got {horizon}"
            )
    chosen = [
        k for k, spec in enumerate(data.specs())
        if not how.tasks or spec.name in how.tasks or labels[k] in how.tasks
    ]  # fmt: skip
    made = [Part("branched", task, horizon) for task in chosen for horizon in how.horizon]
    made += [Part("bias", task) for task in chosen if how.bias]
    return made + [Part("headroom", task) for task in chosen if how.oracle]


def make(
    data: GenerateConfig, how: IdealConfig, part: Part, report: Report = silent
) -> pd.DataFrame:
    """The table of a part, empty where every state has diverged. `report`: how far it is."""
    task = _task(data, part.task)
    key = jax.random.fold_in(task_key(how.seed, part.task), 2**30)
    if part.kind == "headroom":
        found = headroom(task, data.rates(part.task), key, report=report)
        return headroom_table(task, found)
    if part.kind == "bias":
        continuation = continuation_of(how.continuation, data.hyper.epochs)
        return horizon_bias(
            task, _rates(data, how, part), key, continuation=continuation, report=report
        )
    return _branched(data, how, part, task, key, report)


def size(data: GenerateConfig, how: IdealConfig, part: Part) -> int:
    """Epochs that a part trains, over all its runs: what its time goes with."""
    epochs, rates = data.hyper.epochs, how.rates
    if part.kind == "branched":
        at = branches(how.cells, epochs, part.horizon)
        ahead = epochs - at if part.horizon == "end" else np.full(how.cells, part.horizon)
        played = how.states * how.orders * rates * how.rounds
        return int(ahead.sum()) * played + int(at.sum()) * how.states
    if part.kind == "bias":
        left = epochs - np.arange(epochs)
        ahead = [np.minimum(left, h).sum() for h in horizons_of(epochs)]
        many = MANY if data.specs()[part.task].name in PROBLEM_NAMES else POPULATION * ORDERS
        return int(sum(ahead)) * many * rates
    return 25_000 * epochs


def continuation_of(name: str, epochs: int) -> Continuation:
    """The continuation of a name or a law file."""
    known = {each.name: each for each in CONTINUATIONS}
    return known[name] if name in known else _of_law(name, epochs)


@lru_cache(maxsize=4)
def _of_law(path: str, epochs: int) -> Continuation:
    # Cached: a continuation is part of a compiled program's key.
    content = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return law_continuation(f"{Path(path).stem}-{content[:8]}", Clock(load(path), epochs))


def branches(
    cells: int, epochs: int, horizon: int | Literal["end"] = "end"
) -> Int[np.ndarray, " cell"]:
    """0 … T−H in turn (to T−1 where the horizon is the end); spread over it where cells are few."""
    return branch_epochs(cells, epochs + 1 - (1 if horizon == "end" else horizon))


def cells_of(
    data: GenerateConfig, how: IdealConfig, number: int, horizon: int | Literal["end"] = "end"
) -> tuple[Float[np.ndarray, "cell epoch"], Int[np.ndarray, " cell"]]:
    """(rates, epoch to branch at) of each cell: trajectories of the data set, spread over all."""
    plan = trajectories(data, number)
    # One lane of each branched cell: its candidates share the prefix, which is what is visited.
    first = (plan.cell < 0) | (np.diff(plan.cell, prepend=-2) != 0)
    lanes = np.flatnonzero(first)
    rng = np.random.default_rng([how.seed, number])
    chosen = rng.permutation(lanes)[np.arange(how.cells) % len(lanes)]
    return plan.rates[chosen], branches(how.cells, data.hyper.epochs, horizon)


def headroom_table(task: Task, found: Headroom) -> pd.DataFrame:
    """One row: scores of the oracle and the tuned plain schedules, headroom and its interval."""
    facts = {k: v for k, v in asdict(task.facts).items() if k in ("domain", "epochs", "optimizer")}
    row = {"task": task.name, **facts, "runs": found.runs}
    for each in (*found.plain, found.oracle):
        row[f"score_{each.name}"] = each.score
        row[f"loss_{each.name}"] = float(each.losses.mean())
    for each in found.plain:
        row[f"lr_{each.name}"] = float(each.rates[0])
    row |= {"headroom": found.nats, "headroom_low": found.low, "headroom_high": found.high}
    return pd.DataFrame([row | {"oracle": found.oracle.rates}])


def _branched(
    data: GenerateConfig,
    how: IdealConfig,
    part: Part,
    task: Task,
    key: Key[Array, ""],
    report: Report,
) -> pd.DataFrame:
    seeds = STATE_SEED + np.arange(how.states)
    rates, at = cells_of(data, how, part.task, part.horizon)
    states = along(task, rates, at, seeds, task_key(data.seed, part.task))
    orders = 0 if task.functions.before else how.orders
    branching = Branching(
        None if part.horizon == "end" else part.horizon,
        continuation_of(how.continuation, data.hyper.epochs),
        orders,
        how.rounds,
    )
    if not np.isfinite(states.loss).all(axis=1).any():
        return pd.DataFrame()  # no data: every network has diverged
    table = branch_surface(task, states, _rates(data, how, part), branching, key, report)
    return table.assign(label=f"{branching.continuation.name}-{part.horizon}")


def _rates(data: GenerateConfig, how: IdealConfig, part: Part) -> Float[np.ndarray, " rate"]:
    return np.geomspace(*data.rates(part.task), how.rates)


@lru_cache(maxsize=1)
def _task(data: GenerateConfig, number: int) -> Task:
    return task_of(data, number)
