"""All estimates of one data set: surfaces by branching, bias and headroom, task by task.

Every table of a task is a *part*: a pure function of the data set, the config and the part's name.
Callers may keep parts and go on where they stopped.
"""

import hashlib
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

import jax
import numpy as np
import pandas as pd
from jaxtyping import Int

from psi.ideal.bias import MANY, ORDERS, POPULATION, horizon_bias, horizons_of
from psi.ideal.branched import Branching
from psi.ideal.config import IdealConfig
from psi.ideal.continuation import CONTINUATIONS, Continuation, law_continuation
from psi.ideal.labelling import Prefixes, labelled_surface
from psi.ideal.oracle import Headroom, headroom
from psi.lab.data.config import GenerateConfig
from psi.lab.data.sweep import task_key, task_of, trajectories
from psi.lab.data.trajectories import branch_epochs
from psi.lab.engine.seeds import STATES
from psi.lab.tasks.names import PROBLEM_NAMES
from psi.lab.tasks.task import Task
from psi.law.checks import unknown
from psi.law.clock import Clock
from psi.law.load import load
from psi.progress import Report, silent

Estimate = Literal["branched", "bias", "headroom"]
"""What a table holds: surfaces by branching, short-horizon bias, the oracle's headroom."""


class Part(NamedTuple):
    """One table of one task."""

    kind: Estimate
    task: int
    """Number of the task in the data set."""
    horizon: int | Literal["end"] = "end"

    @property
    def name(self) -> str:
        """Its file's name."""
        return f"{self.kind}-{self.task:04d}-{self.horizon}"


def parts(data: GenerateConfig, config: IdealConfig) -> list[Part]:
    """All parts of a study, in the order in which they are made.

    Raises ValueError for a task that is not in the data set, a horizon beyond its budget, or a
    continuation that is no law file.
    """
    continuation_of(config.continuation, data.hyper.epochs)
    labels = [data.label(number) for number in range(len(data.specs()))]
    for name in config.tasks:
        if name not in (*labels, *data.tasks):
            raise ValueError(unknown("task", name, dict.fromkeys([*data.tasks, *labels])))
    for horizon in config.horizon:
        if horizon != "end" and horizon > data.hyper.epochs:
            raise ValueError(
                f"a horizon must be <= {data.hyper.epochs} epochs, the length of the data set's "
                f"runs, got {horizon}"
            )
    chosen = [
        k for k, spec in enumerate(data.specs())
        if not config.tasks or spec.name in config.tasks or labels[k] in config.tasks
    ]  # fmt: skip
    made = [Part("branched", task, horizon) for task in chosen for horizon in config.horizon]
    made += [Part("bias", task) for task in chosen if config.bias]
    return made + [Part("headroom", task) for task in chosen if config.oracle]


def make(
    data: GenerateConfig, config: IdealConfig, part: Part, report: Report = silent
) -> pd.DataFrame:
    """The table of a part; empty where in every cell a state has diverged."""
    task = _task(data, part.task)
    bounds = data.rates(part.task)
    key = jax.random.fold_in(task_key(config.seed, part.task), 2**30)
    if part.kind == "headroom":
        return headroom_table(task, headroom(task, bounds, key, report=report))
    rates = np.geomspace(*bounds, config.rates)
    continuation = continuation_of(config.continuation, data.hyper.epochs)
    if part.kind == "bias":
        return horizon_bias(task, rates, key, continuation=continuation, report=report)
    horizon = None if part.horizon == "end" else part.horizon
    branching = Branching(horizon, continuation, config.orders, config.rounds)
    prefixes = prefixes_of(data, config, part.task, part.horizon)
    table = labelled_surface(task, prefixes, rates, branching, key, report)
    return table if table.empty else table.assign(label=f"{continuation.name}-{part.horizon}")


def size(data: GenerateConfig, config: IdealConfig, part: Part) -> int:
    """Epochs that a part trains, over all its runs; its time is in proportion to them."""
    epochs, rates = data.hyper.epochs, config.rates
    if part.kind == "branched":
        at = branches(config.cells, epochs, part.horizon)
        ahead = epochs - at if part.horizon == "end" else np.full(config.cells, part.horizon)
        played = config.states * config.orders * rates * config.rounds
        return int(ahead.sum()) * played + int(at.sum()) * config.states
    if part.kind == "bias":
        left = epochs - np.arange(epochs)
        ahead = [np.minimum(left, h).sum() for h in horizons_of(epochs)]
        many = MANY if data.specs()[part.task].name in PROBLEM_NAMES else POPULATION * ORDERS
        return int(sum(ahead)) * many * rates
    return 25_000 * epochs


def continuation_of(name: str, epochs: int) -> Continuation:
    """The continuation of a name or a law file."""
    named = {each.name: each for each in CONTINUATIONS}
    return named[name] if name in named else _of_law(name, epochs)


@lru_cache(maxsize=4)
def _of_law(path: str, epochs: int) -> Continuation:
    # Cached: a continuation is part of a compiled program's key.
    content = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return law_continuation(f"{Path(path).stem}-{content[:8]}", Clock(load(path), epochs))


def branches(
    cells: int, epochs: int, horizon: int | Literal["end"] = "end"
) -> Int[np.ndarray, " cell"]:
    """The epoch at which each cell's rates branch off: 0 … T−H in turn (T−1 for the end).

    Spread evenly over these where there are fewer cells.
    """
    return branch_epochs(cells, epochs + 1 - (1 if horizon == "end" else horizon))


def prefixes_of(
    data: GenerateConfig, config: IdealConfig, number: int, horizon: int | Literal["end"] = "end"
) -> Prefixes:
    """Trajectories of one task of the data set, spread over all of them, to branch off from."""
    plan = trajectories(data, number)
    # One lane of each branched cell: its candidates share the prefix, which is what is visited.
    first = (plan.cell < 0) | (np.diff(plan.cell, prepend=-2) != 0)
    lanes = np.flatnonzero(first)
    rng = np.random.default_rng([config.seed, number])
    chosen = rng.permutation(lanes)[np.arange(config.cells) % len(lanes)]
    return Prefixes(
        plan.rates[chosen],
        branches(config.cells, data.hyper.epochs, horizon),
        STATES.array(config.states),
        task_key(data.seed, number),
    )


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


_task = lru_cache(maxsize=1)(task_of)  # parts of one task come one after the other
