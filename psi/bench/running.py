"""Train contestants on the tasks of a suite, and keep every run: a part a contestant and task.

Tuned schedules, text's L* and the oracle are a task's references (psi.bench.tuning): those that
are kept with the suite, or measured now. All contestants are scored on the seeds of SCORING, which
nothing is tuned on, and share initialisation and batch order there.

The same call goes on where another was stopped; contestants may be added later.
"""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Key

from psi.bench import kept as keeping
from psi.bench.baselines import SCHEDULES, Baseline, entered
from psi.bench.contestants import OWN, TUNED, Contestant, Contestants, Job, jobs
from psi.bench.kept import References
from psi.bench.suites import Suite
from psi.bench.suites.ledger import check_entry, commit, enter
from psi.bench.tuning import (
    ORACLE,
    SEARCH,
    Choice,
    Reference,
    measured,
    tuned,
    unknown_floor,
    with_floor,
)
from psi.fit.search.objective import scales_of
from psi.lab.data import store
from psi.lab.engine import seeds
from psi.lab.engine.devices import beside
from psi.lab.engine.policy import Policy, clock_policy, trajectory
from psi.lab.engine.population import Epochs, population
from psi.lab.engine.probe import GRADIENTS
from psi.lab.engine.work import Layout
from psi.lab.tasks.table import spec_task
from psi.lab.tasks.task import Task
from psi.law.clock import Clock
from psi.law.features import Observation
from psi.law.law import Law
from psi.progress import Report, silent

SCORING = seeds.SCORING.array(10)
SEED = 20261125


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


def run_suite(
    suite: Suite, who: Contestants, folder: Path, entry: int = 0, report: Report = silent
) -> None:
    """Run what is missing of a suite and commit it to `folder`.

    Args:
        suite: the tasks.
        who: the contestants.
        folder: what is there already is kept.
        entry: the number of the run's entry in the ledger, for the sealed suite.
        report: is told the jobs done, of how many, and what comes next.

    Returns:
        None; `psi.lab.data.store.read_records(folder)` reads the runs: a row for each method,
        seed and epoch.

    Raises:
        ValueError: the folder holds another suite, or the sealed one is run without an entry.
    """
    if suite.name == "sealed" and not entry:
        raise ValueError("a run on the sealed suite needs an entry in the ledger: give a reason")
    identity = {"suite": suite.name, "digest": suite.digest, "seeds": len(SCORING), "seed": SEED}
    identity |= {"entry": entry}
    references = keeping.kept(suite)
    with store.locked(folder):
        store.open_config(folder, identity)
        kept = store.committed(folder)
        wanted = [*jobs(suite, who)]

        def run(job: Job) -> dict[str, pd.DataFrame]:
            left = [each for each in job.contestants if job.part(each) not in kept]
            if not left:
                return {}
            task = spec_task(
                suite.specs[job.task], "adam" if job.optimizer == OWN else job.optimizer
            )
            found = _run(job, left, task, references)
            return {job.part(each.contestant): _frame(job, each) for each in found}

        report(0, len(wanted), "")
        for done, parts in enumerate(beside(run, wanted)):
            for name, frame in parts.items():
                store.write_part(folder, name, frame)
            job = wanted[done]
            report(done + 1, len(wanted), f"{suite.specs[job.task].name}, {job.optimizer}")


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


def _run(job: Job, left: Sequence[Contestant], task: Task, kept: References) -> list[Scored]:
    """Those of a job that are left, in one program of all of them."""
    if job.optimizer == OWN and isinstance(row := left[0].policy, Baseline):
        task = entered(task, row)
        own = [Choice(row.default_rate("adam"))]
    else:
        found = _reference(job, left, task, kept)
        task = task if found is None else with_floor(task, found.floor)
        own = [_choice(each, task, found, key_of(job.task)) for each in left]
    rows = tuple(dict.fromkeys(each.policy for each in left if not _plans(each.policy)))
    numbers = [rows.index(each.policy) if each.policy in rows else len(rows) for each in left]
    lanes = _lanes(numbers, own, task.facts.epochs)
    policy, shape = together(rows, task.facts.epochs), Layout(len(left), len(SCORING))
    runs = population(task, policy, lanes, SCORING, key_of(job.task), shape, by_seed=True)
    return [
        Scored(task, each, own[k], Epochs(*(a[k] for a in runs))) for k, each in enumerate(left)
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

    The lane whose number is that after the last row has a plan. A decision costs a few scalars, a
    program seconds to compile.
    """

    def policy(lane: Lane) -> Policy:
        each = [
            row.make(lane.rate, budget)
            if isinstance(row, Baseline)
            else clock_policy(Clock(row, budget).at_scale(lane.rate))
            for row in rows
        ]
        each.append(trajectory(lane.plan))

        def step(states: tuple[Any, ...], seen: Observation) -> tuple[tuple[Any, ...], Array]:
            pairs = [one.step(state, seen) for one, state in zip(each, states, strict=True)]
            rates = jnp.stack([jnp.asarray(rate, dtype=float) for _, rate in pairs])
            return tuple(state for state, _ in pairs), rates[lane.number]

        return Policy(lambda seen: tuple(one.init(seen) for one in each), step)

    return policy


def _choice(each: Contestant, task: Task, found: Reference | None, key: Key[Array, ""]) -> Choice:
    """The rate or the plan of each: the library's, a law's scale, measured, tuned or searched."""
    row = each.policy
    if isinstance(row, Law):
        probed = row.scale is not None
        return Choice(scales_of(task, SCORING, key), GRADIENTS) if probed else Choice(np.nan)
    if each.tuned:
        if found is not None and row.name in SCHEDULES:
            return found.choice(row.name, task.facts.chance_loss)
        return tuned(task, row, key)
    if row is ORACLE and found is not None:
        return Choice(np.nan, 0, found.runs, plan=found.oracle)
    if row.plan is not None:
        rates, runs = row.plan(task, SCORING, key)
        return Choice(np.nan, 0, runs, plan=rates)
    if row.measure is not None:
        return Choice(*row.measure(task, SCORING, key))
    return Choice(row.default_rate(task.facts.optimizer))


def _reference(
    job: Job, left: Sequence[Contestant], task: Task, kept: References
) -> Reference | None:
    """The task's reference, kept or measured now, where someone needs it."""
    found = kept.get(keeping.Key(job.optimizer, job.task))
    oracle = any(each.policy is ORACLE for each in left)
    if found is not None and (len(found.oracle) or not oracle):
        return found
    plain = any(each.tuned and each.name.removesuffix(TUNED) in SCHEDULES for each in left)
    if oracle or plain or unknown_floor(task.facts):
        return measured(task, key_of(job.task), SEARCH if oracle else None)
    return None


def _plans(row: Baseline | Law) -> bool:
    return isinstance(row, Baseline) and row.plan is not None


def _frame(job: Job, scored: Scored) -> pd.DataFrame:
    runs, task, facts = scored.runs, scored.task, scored.task.facts
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
            "steps": facts.steps,
            "batch": facts.batch,
            "parameters": facts.parameters,
            **choice,
            "seed": np.repeat(SCORING, epochs),
            "epoch": np.tile(np.arange(epochs), count),
            "lr": runs.lr.reshape(-1),
            "train_loss": runs.loss_next.reshape(-1),
            "val_loss": runs.val_loss.reshape(-1),
            "accuracy": runs.test_accuracy.reshape(-1),
        }
    )
