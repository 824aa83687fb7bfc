"""Train contestants on the tasks of a suite, and keep every run: a part a contestant and task.

A tuned schedule has the best rate of a grid of ratio <= 1.8, extended until the best is inside, on
20 tuning seeds. All are scored on the seeds of SCORING, which nothing is tuned on, and share
initialisation and batch order there.

The same call goes on where another was stopped; contestants may be added later.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float, Key

from psi.bench.baselines import Baseline, entered
from psi.bench.contestants import OWN, Contestant, Contestants, Job, Wanted, jobs, missing
from psi.bench.suites import Suite
from psi.bench.suites.ledger import check_entry, commit, enter
from psi.fit.search.objective import scales_of
from psi.ideal.returns import capped, score
from psi.lab.data import store
from psi.lab.engine import seeds
from psi.lab.engine.devices import beside
from psi.lab.engine.interior import interior
from psi.lab.engine.policy import Policy, clock_policy
from psi.lab.engine.population import Epochs, population
from psi.lab.engine.probe import GRADIENTS
from psi.lab.engine.work import Layout, layout
from psi.lab.optimizers import bounds
from psi.lab.tasks.table import spec_task
from psi.lab.tasks.task import Task
from psi.law.clock import Clock
from psi.law.features import Observation
from psi.law.law import Law
from psi.progress import Report, silent

TUNING = seeds.TUNING.array(20)
SCORING = seeds.SCORING.array(10)
RATES, STEP, EXTENSIONS = 17, 3, 8
SEED = 20261125


class Lane(NamedTuple):
    """A contestant's number and rate; an axis of lanes in front where they are many."""

    number: Any
    rate: Any


class Choice(NamedTuple):
    """A contestant's rate, or the α_0 of a law that is scale × shape; NaN where it has none."""

    rate: Any
    """One for all runs, or, where it is measured, of each seed."""
    gradients: int = 0
    """Of a minibatch, that measuring took in each run."""
    tuning_runs: int = 0
    tuning_score: float = math.nan
    """The score y on the tuning seeds."""


class Scored(NamedTuple):
    """A contestant's runs from the scoring seeds."""

    contestant: Contestant
    choice: Choice
    runs: Epochs
    """shape=(seed, epoch) each"""


Parts = dict[str, pd.DataFrame]
"""Records by the names of their parts."""
Engine = Callable[[Suite, Contestants, Sequence[Wanted]], Iterator[tuple[Wanted, Parts]]]
"""Trains jobs, in any order: `here`, or on many machines psi.bench.sharing.ray_engine's workers."""


def here(
    suite: Suite, who: Contestants, wanted: Sequence[Wanted]
) -> Iterator[tuple[Wanted, Parts]]:
    """Train on this machine, two jobs at a time, in order."""
    del who
    return beside(lambda each: (each, train(suite, each.job, each.left)), wanted)


def train(suite: Suite, job: Job, left: Sequence[Contestant]) -> Parts:
    """The parts of those contestants of a job that are left."""
    optimizer = "adam" if job.optimizer == OWN else job.optimizer
    task = spec_task(suite.specs[job.task], optimizer, suite.data)
    return {job.part(each.contestant): _frame(job, each, task) for each in _run(job, left, task)}


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
    if suite.name == "sealed" and not entry:
        raise ValueError("a run on the sealed suite needs an entry in the ledger: give a reason")
    identity = {"suite": suite.name, "digest": suite.digest, "seeds": len(SCORING), "seed": SEED}
    identity |= {"entry": entry, "width": layout().width}
    with store.locked(folder):
        store.open_config(folder, identity)
        wanted = missing(suite, who, store.committed(folder))
        total = sum(runs_of(job.contestants) for job in jobs(suite, who))
        done = total - sum(runs_of(each.left) for each in wanted)
        report(done, total, "compiling" if wanted else "")
        for each, parts in engine(suite, who, wanted):
            for name, frame in parts.items():
                store.write_part(folder, name, frame)
            done += runs_of(each.left)
            report(done, total, f"{suite.specs[each.job.task].name}, {each.job.optimizer}")


def runs_of(contestants: Sequence[Contestant]) -> int:
    """Networks to train for contestants on a task; a tuned one's grid may be extended."""
    return sum(len(SCORING) + each.tuned * RATES * len(TUNING) for each in contestants)


def ran(suite: Suite, who: Contestants, folder: Path, why: str) -> int:
    """The number of the run's entry in the ledger: a new one, or that of the run it goes on with.

    0 for a suite that keeps none. Raises ValueError where the reason is missing.
    """
    if suite.name != "sealed":
        return 0
    if before := store.config_of(folder).get("entry"):
        return check_entry(int(before), suite.digest).number
    what = f"{', '.join(who.methods)}; laws {', '.join(name for name, _ in who.laws) or 'none'}"
    return enter(suite, commit(), f"{what}; {', '.join(who.optimizers)}", why).number


def key_of(task: int) -> Key[Array, ""]:
    """The root key of all runs on the task of that number."""
    return jax.random.fold_in(jax.random.key(SEED), task)


def _run(job: Job, left: Sequence[Contestant], task: Task) -> list[Scored]:
    """Those of a job that are left, tuned and scored in the program of all of them."""
    optimizer, key = task.facts.optimizer, key_of(job.task)
    if job.optimizer == OWN and isinstance(row := left[0].policy, Baseline):
        task = entered(task, row)
    rows = tuple(dict.fromkeys(each.policy for each in job.contestants))
    policy = together(rows, task.facts.epochs)
    tuning = [each for each in left if each.tuned]
    numbers = [rows.index(each.policy) for each in tuning]
    found = iter(tuned(task, policy, numbers, bounds(optimizer), key)) if tuning else iter(())
    chosen = [next(found) if each.tuned else _default(each.policy, task, key) for each in left]
    # A measured rate differs from seed to seed: a lane for each, of which its own seed counts.
    rates = [np.atleast_1d(choice.rate) for choice in chosen]
    number = np.repeat([rows.index(each.policy) for each in left], [len(own) for own in rates])
    lanes = Lane(number, np.concatenate(rates).astype(np.float32))
    shape = Layout(1, len(SCORING)) if len(number) == 1 else None
    runs = population(task, policy, lanes, SCORING, key, shape)
    ends = np.cumsum([len(own) for own in rates])
    seed = np.arange(len(SCORING))
    lane = [end - len(own) + seed % len(own) for end, own in zip(ends, rates, strict=True)]
    return [
        Scored(each, chosen[k], Epochs(*(a[lane[k], seed] for a in runs)))
        for k, each in enumerate(left)
    ]


def tuned(
    task: Task,
    policy: Callable[[Lane], Policy],
    numbers: Sequence[int],
    ends: tuple[float, float],
    key: Key[Array, ""],
) -> list[Choice]:
    """The best rate of a grid on the tuning seeds, for each contestant's number."""
    facts = task.facts

    def scores(rates: Float[np.ndarray, " rate"]) -> Float[np.ndarray, "method rate"]:
        each = np.repeat(numbers, len(rates))
        lanes = Lane(each, np.tile(rates, len(numbers)).astype(np.float32))
        final = np.asarray(population(task, policy, lanes, TUNING, key).val_loss[:, :, -1])
        means = capped(final.astype(np.float64), facts.chance_loss).mean(1)
        return score(means, facts.floor, facts.chance_loss).reshape(len(numbers), -1)

    grid, found = interior(scores, np.geomspace(*ends, RATES), STEP, EXTENSIONS)
    runs = len(grid) * len(TUNING)
    return [Choice(float(grid[own.argmin()]), 0, runs, float(own.min())) for own in found]


@cache  # what it returns is part of a compiled program's key
def together(rows: tuple[Baseline | Law, ...], budget: int) -> Callable[[Lane], Policy]:
    """Lanes as policies, so that one program trains them all: each lane asks every one of `rows`.

    A decision costs a few scalars, a program seconds to compile.
    """

    def policy(lane: Lane) -> Policy:
        each = [
            row.make(lane.rate, budget)
            if isinstance(row, Baseline)
            else clock_policy(Clock(row, budget).at_scale(lane.rate))
            for row in rows
        ]

        def step(states: tuple[Any, ...], seen: Observation) -> tuple[tuple[Any, ...], Array]:
            pairs = [one.step(state, seen) for one, state in zip(each, states, strict=True)]
            rates = jnp.stack([jnp.asarray(rate, dtype=float) for _, rate in pairs])
            return tuple(state for state, _ in pairs), rates[lane.number]

        return Policy(lambda seen: tuple(one.init(seen) for one in each), step)

    return policy


def _default(row: Baseline | Law, task: Task, key: Key[Array, ""]) -> Choice:
    if isinstance(row, Law):
        probed = row.scale is not None
        return Choice(scales_of(task, SCORING, key), GRADIENTS) if probed else Choice(math.nan)
    if row.measure is None:
        return Choice(row.default_rate(task.facts.optimizer))
    return Choice(*row.measure(task, SCORING, key))


def _frame(job: Job, scored: Scored, task: Task) -> pd.DataFrame:
    runs, facts = scored.runs, task.facts
    rate = np.broadcast_to(scored.choice.rate, runs.lr.shape[::-1]).T.reshape(-1)
    count, epochs = runs.lr.shape
    return pd.DataFrame(
        {
            "optimizer": job.optimizer,
            "task": job.task,
            "method": scored.contestant.name,
            "name": task.name,
            "domain": facts.domain,
            "floor": facts.floor,
            "chance_loss": facts.chance_loss,
            **scored.choice._replace(rate=rate)._asdict(),
            "seed": np.repeat(SCORING, epochs),
            "epoch": np.tile(np.arange(epochs), count),
            "lr": runs.lr.reshape(-1),
            "train_loss": runs.loss_next.reshape(-1),
            "val_loss": runs.val_loss.reshape(-1),
            "accuracy": runs.test_accuracy.reshape(-1),
        }
    )
