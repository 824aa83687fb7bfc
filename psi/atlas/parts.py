"""Parts of an atlas: a few tasks of one padded shape under one optimizer, trained and kept.

What trains a part, and at which rates, is another's: psi.atlas.collect has plain schedules,
psi.atlas.forms other shapes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Key

from psi.atlas.config import LANES, SEEDS, AtlasConfig
from psi.atlas.data import Arrays, Rows, arrays_of, order_of, rows_of
from psi.atlas.description import Description
from psi.atlas.distribution import SEED, describe
from psi.atlas.padding import REACHES, Shape, shape_of
from psi.atlas.together import BLOCKS, blocked, blocked_rows, group_program
from psi.atlas.training import Ends, Plan, program
from psi.lab.data import store
from psi.lab.engine.devices import forget_programs
from psi.lab.tasks.text import text_sha256
from psi.progress import Report


class Part(NamedTuple):
    """Some tasks of one shape under one optimizer."""

    name: str
    shape: Shape
    optimizer: str
    tasks: tuple[Description, ...]

    @property
    def operations(self) -> float:
        """About, of its first round of plain schedules."""
        return LANES * SEEDS * sum(self.shape.operations(task) for task in self.tasks)


class Prepared(NamedTuple):
    """A task with its arrays."""

    task: Description
    rows: Rows
    arrays: Arrays


class Job(NamedTuple):
    """A task's lanes from some seeds."""

    ready: Prepared
    lanes: Any
    """What the policy is made of; leaves of shape=(lane,)."""
    seeds: Sequence[int]
    probed: bool = False
    """Whether the first seed is probed before training."""


Engine = Callable[[Sequence[Part]], Iterator[tuple[Part, pd.DataFrame]]]
"""Trains parts, in any order."""


def parts(config: AtlasConfig) -> list[Part]:
    """The parts of an atlas, the cheaper shapes first."""
    shapes = REACHES[config.reach].shapes
    by_shape: dict[Shape, list[Description]] = {}
    for number in config.numbers:
        task = describe(number, reach=config.reach)
        by_shape.setdefault(shape_of(task, shapes), []).append(task)
    return [
        Part(f"part-{name}-{shapes.index(shape):02d}-{chunk[0].number:05d}", shape, name, chunk)
        for shape in sorted(by_shape, key=shapes.index)
        for tasks in _alike(config, shape, by_shape[shape])
        for first in range(0, len(tasks), shape.group)
        for chunk in [tuple(tasks[first : first + shape.group])]
        for name in config.optimizers
    ]


def _alike(
    config: AtlasConfig, shape: Shape, tasks: Sequence[Description]
) -> Iterator[list[Description]]:
    """Tasks that may be of one part: it trains them side by side, so they should take equally long.

    Where all take each step together, this is a matter of their steps, and of one block.
    """
    if not REACHES[config.reach].together:
        yield sorted(tasks, key=shape.operations)
        return
    for block in BLOCKS:
        own = [task for task in tasks if blocked_rows(task.batch) == block]
        yield sorted(own, key=lambda task: task.steps * task.epochs)


def keep(
    every: Sequence[Part], folder: Path, identity: Mapping[str, Any], engine: Engine, report: Report
) -> None:
    """Train the parts that are missing and commit each to `folder`.

    `identity` says what the records are, beside the tasks; `report` is told the operations done,
    of about how many, and what was trained last. Raises store.RecordsError, a ValueError, where
    the folder cannot be written or holds something else.
    """
    # What the tasks are is part of what an atlas is: another distribution is another atlas.
    drawn = store.digest([[part.shape, [t.to_json() for t in part.tasks]] for part in every])
    packages = {"text": text_sha256("licences")}  # which are installed
    with store.locked(folder):
        store.open_config(folder, {**identity, "seed": SEED, **packages, "digest": drawn})
        kept = store.committed(folder)
        total = sum(part.operations for part in every)
        done = sum(part.operations for part in every if part.name in kept)
        report(int(done / 1e9), int(total / 1e9), "compiling")
        for part, frame in engine([part for part in every if part.name not in kept]):
            store.write_part(folder, part.name, frame)
            forget_programs()
            done += part.operations
            last = f"{part.optimizer}, {part.shape.network} {part.shape.width}"
            report(int(done / 1e9), int(total / 1e9), last)


def prepared(part: Part) -> list[Prepared]:
    """The tasks of a part with their arrays."""
    ready = []
    for task in part.tasks:
        rows = rows_of(task)
        ready.append(Prepared(task, rows, arrays_of(task, rows, part.shape)))
    return ready


def side_by_side(part: Part, plan: Plan, jobs: Sequence[Job]) -> Iterator[tuple[Job, Ends]]:
    """Every job with what it comes to, leaves of shape=(seed, …).

    As many at once as there are devices; on an accelerator a power of two that holds the part's
    tasks, on one card alone. The last ones are padded with the last job, so that every round has
    one program.
    """
    together = jax.default_backend() != "cpu"
    whole = 1 << (len(part.tasks) - 1).bit_length()
    most = whole if together else jax.local_device_count()
    for first in range(0, len(jobs), most):
        few = jobs[first : first + most]
        again = few[-1]._replace(probed=False)
        ends = _ends(part, plan, [*few, *[again] * (most - len(few))])
        for k, job in enumerate(few):
            yield job, jax.tree.map(lambda a, k=k: np.asarray(a[k]), ends)


def frame_of(part: Part, job: Job, lanes: Mapping[str, np.ndarray], ends: Ends) -> pd.DataFrame:
    """A row a run: the lanes, as these columns name them, of one seed after another."""
    columns = {
        "task": job.ready.task.number,
        "optimizer": part.optimizer,
        **{name: np.tile(values, len(job.seeds)) for name, values in lanes.items()},
        "seed": np.repeat(job.seeds, ends.train.size // len(job.seeds)),
        "train_loss": ends.train.reshape(-1),
        "val_loss": ends.validation.reshape(-1),
    }
    return pd.DataFrame(columns)


def _ends(part: Part, plan: Plan, jobs: Sequence[Job]) -> Ends:
    orders = np.array([[order_of(job.ready.task, seed) for seed in job.seeds] for job in jobs])
    keys = jnp.stack([_keys(job) for job in jobs])
    lanes = jax.tree.map(lambda *a: np.stack(a), *[job.lanes for job in jobs])
    arrays = jax.tree.map(lambda *a: np.stack(a), *[job.ready.arrays for job in jobs])
    probing = np.array([[job.probed and k == 0 for k in range(len(job.seeds))] for job in jobs])
    backend = jax.default_backend()
    if backend != "cpu":
        shape = blocked(part.shape, [task.batch for task in part.tasks])
        return group_program()(shape, plan, lanes, arrays, orders, keys, probing)
    train = program(backend)
    return train(part.shape, plan, len(jobs), lanes, arrays, orders, keys, probing)


def _keys(job: Job) -> Key[Array, " seed"]:
    """The root keys of a task's seeds."""
    root = jax.random.fold_in(jax.random.key(SEED), job.ready.task.number)
    return jax.vmap(lambda seed: jax.random.fold_in(root, seed))(jnp.array(job.seeds))
