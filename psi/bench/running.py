"""Train contestants on the tasks of a suite, and keep every run: a part a contestant and task.

Tuned schedules, text's L* and the oracle are a task's references (psi.bench.tuning): those that
are kept with the suite, or measured now. All contestants are scored on the seeds of SCORING, which
nothing is tuned on, and share initialisation and batch order there.

The same call goes on where another was stopped; contestants may be added later.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import jax
import numpy as np
import pandas as pd
from jaxtyping import Array
from jaxtyping import Key as KeyOf

from psi.bench.baselines import Baseline, entered
from psi.bench.choosing import SCORING, choice, reference
from psi.bench.contestants import OWN, Contestant, Contestants, Job, Wanted, jobs, missing
from psi.bench.kept import Key, References, kept
from psi.bench.suites import Suite, sealed
from psi.bench.suites.ledger import check_entry, commit, enter
from psi.bench.training import KEPT
from psi.bench.tuning import RATES, TUNING, Choice, Reference, with_floor
from psi.lab.data import store
from psi.lab.engine.devices import beside
from psi.lab.engine.policy import Policy, measured_policy, one_of, trajectory
from psi.lab.engine.population import Epochs, population
from psi.lab.engine.work import Layout
from psi.lab.tasks.table import spec_task
from psi.lab.tasks.task import Task
from psi.law.clock import Clock
from psi.law.law import Law
from psi.progress import Report, silent

SEED = 20261125
SECONDS = "seconds.csv"


class Lane(NamedTuple):
    """A contestant's number and rate, or its whole plan; axes of seeds and lanes in front."""

    number: Any
    rate: Any
    plan: Any
    """shape=(…, T)"""


class Scored(NamedTuple):
    """A contestant's runs from the scoring seeds."""

    task: Task
    contestant: Contestant
    choice: Choice
    runs: Epochs
    """shape=(seed, epoch) each"""
    seconds: float
    """Of one training among those that train side by side, compiled."""


class Records(NamedTuple):
    """A contestant's runs as they are kept, and how long one of them took, which is no record."""

    frame: pd.DataFrame
    seconds: float


Parts = dict[str, Records]
"""By the names of their parts."""
Engine = Callable[[Suite, Contestants, Sequence[Wanted]], Iterator[tuple[Wanted, Parts]]]
"""Trains jobs, in any order: `here`, or on many machines psi.bench.sharing.ray_engine's workers."""


def here(
    suite: Suite, who: Contestants, wanted: Sequence[Wanted]
) -> Iterator[tuple[Wanted, Parts]]:
    """Train on this machine, two jobs at a time, in order."""
    del who
    references = kept(suite)
    return beside(lambda each: (each, train(suite, each.job, each.left, references)), wanted)


def train(suite: Suite, job: Job, left: Sequence[Contestant], references: References) -> Parts:
    """The parts of those contestants of a job that are left."""
    optimizer = "adam" if job.optimizer == OWN else job.optimizer
    task = spec_task(suite.specs[job.task], optimizer, suite.data)
    found = _run(job, left, task, references.get(Key(job.optimizer, job.task)))
    return {job.part(each.contestant): Records(_frame(job, each), each.seconds) for each in found}


def run_suite(
    suite: Suite, who: Contestants, folder: Path, entry: int = 0, report: Report = silent,
    engine: Engine = here,
) -> None:  # fmt: skip
    """Run what is missing of a suite and commit it to `folder`.

    Args:
        suite: the tasks.
        who: the contestants.
        folder: what is there already is kept.
        entry: the number of the run's entry in the ledger, for the sealed suite.
        report: is told the networks trained, of about how many, and what was trained last.
        engine: what trains the jobs.

    Returns:
        None; `psi.lab.data.store.read_records(folder)` reads the runs: a row for each method,
        seed and epoch.

    Raises:
        ValueError: the folder holds another suite, or the sealed one is run without an entry.
    """
    if entry:
        check_entry(entry, suite.digest)
    elif sealed(suite.specs):
        raise ValueError("a run on sealed tasks needs an entry in the ledger: give a reason")
    identity = {"suite": suite.name, "digest": suite.digest, "seeds": len(SCORING), "seed": SEED}
    identity |= {"entry": entry, "tasks": len(suite.specs)}
    with store.locked(folder):
        store.open_config(folder, identity)
        wanted = missing(suite, who, store.committed(folder))
        total = sum(runs_of(job.contestants) for job in jobs(suite, who))
        done = total - sum(runs_of(each.left) for each in wanted)
        report(done, total, "compiling" if wanted else "")
        for each, parts in engine(suite, who, wanted):
            for name, (frame, seconds) in parts.items():
                store.write_part(folder, name, frame)
                _note(folder, frame, seconds)
            done += runs_of(each.left)
            report(done, total, f"{suite.specs[each.job.task].name}, {each.job.optimizer}")


def runs_of(contestants: Sequence[Contestant]) -> int:
    """Networks to train for contestants on a task, about: no reference kept, searches of 30."""
    tuning = sum(RATES * len(TUNING) for each in contestants if each.tuned)
    searches = sum(30 * len(SCORING) for each in contestants if _plans(each.policy))
    return len(contestants) * len(SCORING) + tuning + searches


def _note(folder: Path, frame: pd.DataFrame, seconds: float) -> None:
    """Append what a training took to seconds.csv: records are the same bits wherever made."""
    path = folder / SECONDS
    row = frame[["optimizer", "task", "method"]].head(1).assign(seconds=seconds)
    row.to_csv(path, mode="a", header=not path.exists(), index=False, float_format="%.3g")


def ran(suite: Suite, who: Contestants, folder: Path, why: str) -> int:
    """The number of the run's entry in the ledger: a new one, or that of the run it goes on with.

    0 for tasks that are not sealed. Raises ValueError where the reason is missing, or where the
    folder is that of another entry's run: who joins later, or a law of other rates under the same
    name, is another look.
    """
    if not sealed(suite.specs):
        return 0
    if before := store.config_of(folder).get("entry"):
        entry = check_entry(int(before), suite.digest)
        if entry.what != str(who):
            raise ValueError(
                f"{folder} is the run of entry {entry.number}, of others: a run of these needs an "
                f"entry of its own, so choose another folder and give the reason"
            )
        return entry.number
    return enter(suite, commit(), str(who), why).number


def key_of(task: int) -> KeyOf[Array, ""]:
    """The root key of all runs on the task of that number."""
    return jax.random.fold_in(jax.random.key(SEED), task)


def _run(job: Job, left: Sequence[Contestant], task: Task, kept: Reference | None) -> list[Scored]:
    """Those of a job that are left, in the program of all of them."""
    key = key_of(job.task)
    if job.optimizer == OWN and isinstance(row := left[0].policy, Baseline):
        task = entered(task, row)
        own = [Choice(row.default_rate("adam"))]
    else:
        found = reference(left, task, kept, key)
        task = task if found is None else with_floor(task, found.floor)
        own = [choice(each, task, found, key) for each in left]
    rows = tuple(dict.fromkeys(c.policy for c in job.contestants if not _plans(c.policy)))
    numbers = [rows.index(each.policy) if each.policy in rows else len(rows) for each in left]
    lanes = _lanes(numbers, own, task.facts.epochs)
    policy, shape = together(rows, task.facts.epochs), Layout(len(job.contestants), len(SCORING))
    trained = partial(population, task, policy, lanes, SCORING, key, shape, True, KEPT)
    runs = trained()
    begun = perf_counter()
    trained()  # again, compiled: what a training takes
    seconds = (perf_counter() - begun) / (shape.width * len(SCORING))
    return [
        Scored(task, each, own[k], jax.tree.map(lambda a: a[k], runs), seconds)  # noqa: B023
        for k, each in enumerate(left)
    ]


def _lanes(numbers: Sequence[int], own: Sequence[Choice], budget: int) -> Lane:
    """A lane for each contestant and seed: what is measured or searched differs between seeds."""
    many = len(SCORING)
    rates = np.stack([np.broadcast_to(choice.rate, many) for choice in own], axis=1)
    plans = np.stack([np.broadcast_to(choice.plan, (many, budget)) for choice in own], axis=1)
    number = np.broadcast_to(np.array(numbers), rates.shape)
    return Lane(number, rates.astype(np.float32), plans.astype(np.float32))


@cache  # what it returns is part of a compiled program's key
def together(rows: tuple[Baseline | Law, ...], budget: int) -> Callable[[Lane], Policy]:
    """Lanes as policies, so that one program trains them all: each lane asks every one of `rows`.

    The lane whose number is that after the last row has a plan.
    """

    def policy(lane: Lane) -> Policy:
        each = [
            row.make(lane.rate, budget)
            if isinstance(row, Baseline)
            else measured_policy(Clock(row, budget), lane.rate)
            for row in rows
        ]
        return one_of([*each, trajectory(lane.plan)], lane.number)

    return policy


def _plans(row: Baseline | Law) -> bool:
    return isinstance(row, Baseline) and row.plan is not None


def _frame(job: Job, scored: Scored) -> pd.DataFrame:
    runs, task, facts = scored.runs, scored.task, scored.task.facts
    row = scored.contestant.policy
    whole = facts.steps if isinstance(row, Baseline) and row.full_batch else 1
    count, epochs = runs.lr.shape
    choice = scored.choice._asdict() | {
        "rate": np.broadcast_to(scored.choice.rate, count).repeat(epochs)
    }
    del choice["plan"]
    return pd.DataFrame(
        {
            "optimizer": job.optimizer,
            "task": job.task,
            "method": scored.contestant.name,
            "name": task.name,
            "domain": facts.domain,
            "stream": facts.stream,
            "floor": facts.floor,
            "chance_loss": facts.chance_loss,
            "steps": facts.steps // whole,
            "batch": facts.batch * whole,
            "parameters": facts.parameters,
            **choice,
            "seed": np.repeat(SCORING, epochs),
            "epoch": np.tile(np.arange(epochs), count),
            "lr": runs.lr.reshape(-1),
            "train_loss": runs.loss_next.reshape(-1),
            "val_loss": runs.val_loss.reshape(-1),
            "accuracy": runs.test_accuracy.reshape(-1),
            "test_loss": runs.test_loss.reshape(-1),
        }
    )
