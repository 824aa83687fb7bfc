"""Tasks of an atlas on which policies are trained again and again, each program compiled once."""

from functools import lru_cache
from typing import NamedTuple

import jax
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from psi.atlas.data import arrays_of, rows_of
from psi.atlas.description import Description
from psi.atlas.padding import PRACTICE, SHAPES, Shape, shape_of
from psi.atlas.parts import Job, Part, Prepared, side_by_side
from psi.atlas.training import Plan
from psi.fit.feedback.domains import VALIDATION
from psi.fit.scale.facts import facts_of
from psi.fit.scale.linear import task_weights
from psi.fit.scale.table import Atlas, under
from psi.fit.scale.tuned import tuned_tasks, with_floors
from psi.ideal.returns import capped, score

KEPT = 1200
"""Tasks whose arrays stay in memory: some 3 MB each."""
FEWEST = 20
"""Tasks that are worth a program's compiling."""
PLAIN = ("constant", "linear")
"""Schedules that a family of laws holds."""


class Entry(NamedTuple):
    """A task, and what its losses are scored by."""

    task: Description
    shape: Shape
    domain: str
    floor: float
    chance: float
    grad_norm: float
    """‖g_0‖, as probed for the atlas."""


class Pool(NamedTuple):
    """Tasks of an atlas under one optimizer."""

    optimizer: str
    entries: tuple[Entry, ...]
    reference: Float[np.ndarray, " task"]
    """The score of the best of all schedules and rates, as the atlas has it."""
    facts: pd.DataFrame
    """A row a task, a column each of psi.fit.scale.facts.FACTS."""
    schedule: np.ndarray
    """The better of PLAIN by the atlas's validation losses."""
    peak: Float[np.ndarray, " task"]
    """Its peak rate."""

    @property
    def validation(self) -> Bool[np.ndarray, " task"]:
        """Tasks of domains on which searched laws are compared, and nothing is searched."""
        return np.array([each.domain in VALIDATION for each in self.entries])

    @property
    def weight(self) -> Float[np.ndarray, " task"]:
        """Of each task, as fits of the scale weigh it."""
        return task_weights(np.array([each.domain for each in self.entries], object))

    def take(self, index: np.ndarray) -> "Pool":
        """The tasks at `index` (a mask or positions)."""
        places = np.flatnonzero(index) if index.dtype == bool else index
        entries = tuple(self.entries[k] for k in places)
        facts = self.facts.iloc[places].reset_index(drop=True)
        columns = (self.reference, self.schedule, self.peak)
        reference, schedule, peak = (column[places] for column in columns)
        return Pool(self.optimizer, entries, reference, facts, schedule, peak)


def pool_of(atlas: Atlas, optimizer: str, operations: float, fewest: int = FEWEST) -> Pool:
    """The tasks of an atlas that can be trained quickly.

    Args:
        atlas: the tables, with descriptions.
        optimizer: one of its optimizers.
        operations: the most that a training may take, with padding.
        fewest: tasks that a shape must have.

    Returns:
        The pool.

    Raises:
        ValueError: the atlas has no runs under the optimizer, or no such task.
    """
    whole = tuned_tasks(atlas, optimizer, "validation")
    tasks, runs = under(Atlas(with_floors(atlas), atlas.runs), optimizer)
    plain = runs[runs.schedule.isin(PLAIN)].sort_values("val_loss").groupby("task").first()
    entries: dict[int, Entry] = {}
    numbers = tasks[["floor", "chance_loss", "initial_grad_norm"]].to_numpy(float)
    texts = zip(tasks.description.tolist(), tasks.domain.tolist(), strict=True)
    for place, (description, domain) in enumerate(texts):
        shape = _shape(task := Description.from_json(description))
        if shape and shape.operations(task) <= operations:
            entries[place] = Entry(task, shape, domain, *numbers[place].tolist())
    counts = pd.Series([each.shape for each in entries.values()]).value_counts()
    places = [k for k, each in entries.items() if counts[each.shape] >= fewest]
    if not places:
        raise ValueError(f"no {fewest} tasks of one shape take at most {operations:.3g} operations")
    best = plain.loc[tasks.task.iloc[places]]
    return Pool(
        optimizer, tuple(entries[k] for k in places), whole.reference[places],
        facts_of(tasks.iloc[places]), best.schedule.to_numpy(object), best.rate.to_numpy(float),
    )  # fmt: skip


def _shape(task: Description) -> Shape | None:
    for shapes in (SHAPES, PRACTICE):
        if any(shape.holds(task) for shape in shapes):
            return shape_of(task, shapes)
    return None


@lru_cache(KEPT)
def prepared(entry: Entry) -> Prepared:
    """The task with its arrays, ‖g_0‖ among the facts."""
    rows = rows_of(entry.task)
    arrays = arrays_of(entry.task, rows, entry.shape)
    facts = arrays.facts | {"initial_grad_norm": np.float32(entry.grad_norm)}
    return Prepared(entry.task, rows, arrays._replace(facts=facts))


def on_processors() -> None:
    """Raise ValueError on an accelerator, where no policy sees a validation loss."""
    if (backend := jax.default_backend()) != "cpu":
        rule = "searches of a feedback train on processors: set JAX_PLATFORMS=cpu"
        raise ValueError(f"{rule}, got {backend}")


def losses(
    pool: Pool,
    plan: Plan,
    lanes: Float[np.ndarray, "*task lane constant"],
    seeds: Int[np.ndarray, " seed"],
) -> Float[np.ndarray, "task lane"]:
    """Mean capped losses, over seeds, on validation rows that no policy has seen [nats].

    Args:
        pool: the tasks.
        plan: what is trained; its policies see the loss on the other validation rows.
        lanes: what policies are made of, the same for all tasks or a set for each.
        seeds: of initial weights and minibatches.
    """
    every = np.broadcast_to(lanes, (len(pool.entries), *lanes.shape[-2:])).astype(np.float32)
    found = np.empty(every.shape[:2])
    for shape in dict.fromkeys(each.shape for each in pool.entries):
        alike = [k for k, each in enumerate(pool.entries) if each.shape == shape]
        # As many take part at once as there are devices, and wait for the longest.
        alike.sort(key=lambda k: shape.operations(pool.entries[k].task))
        part = Part("", shape, plan.optimizer, tuple(pool.entries[k].task for k in alike))
        jobs = [Job(prepared(pool.entries[k]), every[k], seeds.tolist()) for k in alike]
        for k, (_, ends) in zip(alike, side_by_side(part, plan, jobs), strict=True):
            found[k] = capped(np.asarray(ends.test), pool.entries[k].chance).mean(0)
    return found


def scored(pool: Pool, losses: Float[np.ndarray, "task lane"]) -> Float[np.ndarray, "task lane"]:
    """The scores of mean losses."""
    floor, chance = (np.array([[getattr(e, n)] for e in pool.entries]) for n in ("floor", "chance"))
    return score(losses, floor, chance)
