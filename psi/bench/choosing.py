"""The rate, or the whole plan, that a contestant trains a task with, and what finding it took."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Array, Key

from psi.bench.baselines import SCHEDULES, Baseline
from psi.bench.contestants import Contestant
from psi.bench.tuning import ORACLE, SEARCH, Choice, Reference, measured, tuned, unknown_floor
from psi.fit.search.objective import scales_of
from psi.lab.engine import seeds
from psi.lab.engine.policy import sees_gradient
from psi.lab.engine.probe import GRADIENTS, initial_grad_norms
from psi.lab.tasks.task import Task
from psi.law.law import Law

SCORING = seeds.SCORING.array(10)


def choice(each: Contestant, task: Task, found: Reference | None, key: Key[Array, ""]) -> Choice:
    """The rate or the plan: the library's, what a law is told of a run, tuned or searched."""
    row = each.policy
    if isinstance(row, Law):
        if row.scale is not None:
            return Choice(scales_of(task, SCORING, key), GRADIENTS)
        return Choice(initial_grad_norms(task, SCORING, key) if sees_gradient(row) else np.nan)
    if each.tuned:
        if found is not None and _plain(row):
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


def reference(
    left: Sequence[Contestant], task: Task, kept: Reference | None, key: Key[Array, ""]
) -> Reference | None:
    """The task's reference, the one that is kept or one measured now, where someone needs it."""
    found = kept
    oracle = any(each.policy is ORACLE for each in left)
    if found is not None and (len(found.oracle) or not oracle):
        return found
    plain = any(each.tuned and _plain(each.policy) for each in left)
    if oracle or plain or unknown_floor(task.facts):
        return measured(task, key, SEARCH if oracle else None)
    return None


def _plain(row: Baseline | Law) -> bool:
    return isinstance(row, Baseline) and row.name in SCHEDULES
