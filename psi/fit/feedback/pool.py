"""Tasks of an atlas on which policies are trained again and again, each program compiled once."""

from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from psi.atlas.data import arrays_of, rows_of
from psi.atlas.description import Description
from psi.atlas.padding import PRACTICE, SHAPES, Shape, shape_of
from psi.atlas.parts import Job, Part, Prepared, side_by_side
from psi.atlas.slopes import Along
from psi.atlas.training import Ends, Plan
from psi.fit.feedback.domains import VALIDATION
from psi.fit.scale.facts import facts_of
from psi.fit.scale.linear import task_weights
from psi.fit.scale.table import Atlas, under
from psi.fit.scale.tuned import tuned_tasks, with_floors
from psi.ideal.returns import DIVERGED, capped, score

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

    @property
    def floor(self) -> Float[np.ndarray, " task"]:
        """L* of each task [nats]."""
        return np.array([each.floor for each in self.entries])

    @property
    def chance(self) -> Float[np.ndarray, " task"]:
        """L_chance of each task [nats]."""
        return np.array([each.chance for each in self.entries])

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
    ends = ends_of(pool, plan, every, seeds)
    return np.stack([_losses(e, own) for e, own in zip(pool.entries, ends, strict=True)])


def slopes(
    pool: Pool,
    plan: Plan,
    at: Float[np.ndarray, " constant"],
    directions: Float[np.ndarray, "direction constant"],
    seeds: Int[np.ndarray, " seed"],
) -> tuple[Float[np.ndarray, " task"], Float[np.ndarray, "task direction"]]:
    """The losses at one place, and their derivatives in some directions [nats].

    A run that counts as diverged has none, and one that is no number is 0.

    Args:
        pool: the tasks.
        plan: what is trained; its policies are made of constants, its lanes are `Along`.
        at: the constants.
        directions: in which derivatives are taken.
        seeds: of initial weights and minibatches.
    """
    whole = (len(pool.entries), *directions.shape)
    lanes = Along(*(jnp.broadcast_to(jnp.asarray(a, jnp.float32), whole) for a in (at, directions)))
    found = []
    for entry, ends in zip(pool.entries, ends_of(pool, plan, lanes, seeds), strict=True):
        counts = np.asarray(ends.test) < DIVERGED * entry.chance
        slope = np.where(counts, np.nan_to_num(np.asarray(ends.slope), posinf=0, neginf=0), 0)
        found.append((_losses(entry, ends)[0], slope.mean(0)))
    loss, slope = zip(*found, strict=True)
    return np.array(loss), np.array(slope)


def _losses(entry: Entry, ends: Ends) -> Float[np.ndarray, " lane"]:
    return capped(np.asarray(ends.test), entry.chance).mean(0)


def ends_of(pool: Pool, plan: Plan, lanes: Any, seeds: Int[np.ndarray, " seed"]) -> list[Ends]:
    """What every task comes to; leaves of `lanes` have shape=(task, lane, …), of ends (seed, …)."""
    found: dict[int, Ends] = {}
    for shape in dict.fromkeys(each.shape for each in pool.entries):
        alike = [k for k, each in enumerate(pool.entries) if each.shape == shape]
        # As many take part at once as there are devices, and wait for the longest.
        alike.sort(key=lambda k: shape.operations(pool.entries[k].task))
        part = Part("", shape, plan.optimizer, tuple(pool.entries[k].task for k in alike))
        own = [jax.tree.map(lambda a, k=k: a[k], lanes) for k in alike]
        jobs = [
            Job(prepared(pool.entries[k]), lane, seeds.tolist())
            for k, lane in zip(alike, own, strict=True)
        ]
        for k, (_, ends) in zip(alike, side_by_side(part, plan, jobs), strict=True):
            found[k] = ends
    return [found[k] for k in range(len(pool.entries))]


def scored(pool: Pool, losses: Float[np.ndarray, "task lane"]) -> Float[np.ndarray, "task lane"]:
    """The scores of mean losses."""
    return score(losses, pool.floor[:, None], pool.chance[:, None])
