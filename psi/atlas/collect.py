"""Train every task of an atlas at every rate, part after part, and keep each run.

A part is a few tasks of one padded shape under one optimizer. The same call goes on where another
was stopped.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float, Key

from psi.atlas.config import LANES, LOWEST, RATES, RATIO, SEEDS, AtlasConfig
from psi.atlas.data import Arrays, Rows, arrays_of, order_of, rows_of
from psi.atlas.description import Description
from psi.atlas.distribution import SEED, describe
from psi.atlas.padding import SHAPES, Shape, shape_of
from psi.atlas.training import SCHEDULES, Ends, Lane, Plan, plain, program
from psi.ideal.returns import RESOLUTION, capped
from psi.lab.data import store
from psi.lab.tasks.text import text_sha256
from psi.progress import Report, silent

CHUNK = 8  # tasks of a part
LOSSES = ("train_loss", "val_loss")
FEW = 3  # rates
NOISY = 0.05  # nats: a standard error of the lowest score above which more seeds are taken


class Part(NamedTuple):
    """Some tasks of one shape under one optimizer."""

    name: str
    shape: Shape
    optimizer: str
    tasks: tuple[Description, ...]

    @property
    def operations(self) -> float:
        """About, of its first round."""
        return LANES * SEEDS * sum(self.shape.operations(task) for task in self.tasks)


class Job(NamedTuple):
    """A task at the rates of one grid, from the seeds of one round."""

    place: int
    """Of the task in its part."""
    grid: int
    """0: the usual rates; 1, −1, …: as many above, below, …"""
    round: int


class Prepared(NamedTuple):
    """A task with its arrays."""

    task: Description
    rows: Rows
    arrays: Arrays


Engine = Callable[[AtlasConfig, Sequence[Part]], Iterator[tuple[Part, pd.DataFrame]]]
"""Trains parts, in any order: `here`, or on many machines psi.atlas.sharing.ray_engine's."""


def here(config: AtlasConfig, wanted: Sequence[Part]) -> Iterator[tuple[Part, pd.DataFrame]]:
    """Train on this machine, in order."""
    return ((part, trained(part, config)) for part in wanted)


def rates(optimizer: str, grid: int = 0) -> Float[np.ndarray, " rate"]:
    """The rates of a grid: all grids are pieces of one geometric sequence."""
    return LOWEST[optimizer] * RATIO ** (grid * RATES + np.arange(RATES, dtype=float))


def parts(config: AtlasConfig) -> list[Part]:
    """The parts of an atlas, the cheaper shapes first."""
    by_shape: dict[Shape, list[Description]] = {}
    for number in config.numbers:
        task = describe(number)
        by_shape.setdefault(shape_of(task), []).append(task)
    return [
        Part(f"part-{name}-{SHAPES.index(shape):02d}-{chunk[0].number:05d}", shape, name, chunk)
        for shape in sorted(by_shape, key=SHAPES.index)
        # Tasks of a part are trained side by side, so those that take equally long.
        for tasks in [sorted(by_shape[shape], key=shape.operations)]
        for first in range(0, len(tasks), CHUNK)
        for chunk in [tuple(tasks[first : first + CHUNK])]
        for name in config.optimizers
    ]


def collect(
    config: AtlasConfig, folder: Path, report: Report = silent, engine: Engine = here
) -> None:
    """Train what is missing and commit it to `folder`.

    `report` is told the operations done, of about how many, and what was trained last; `engine`
    trains the parts. Raises
    store.RecordsError, a ValueError, where the folder cannot be written or holds another atlas.
    """
    every = parts(config)
    # What the tasks are is part of what an atlas is: another distribution is another atlas.
    drawn = store.digest([[part.shape, [t.to_json() for t in part.tasks]] for part in every])
    identity = asdict(config) | {"optimizers": list(config.optimizers), "seed": SEED}
    identity |= {"text": text_sha256("licences")}  # which packages are installed
    with store.locked(folder):
        store.open_config(folder, identity | {"digest": drawn})
        kept = store.committed(folder)
        total = sum(part.operations for part in every)
        done = sum(part.operations for part in every if part.name in kept)
        report(int(done / 1e9), int(total / 1e9), "compiling")
        for part, frame in engine(config, [part for part in every if part.name not in kept]):
            store.write_part(folder, part.name, frame)
            done += part.operations
            last = f"{part.optimizer}, {part.shape.network} {part.shape.width}"
            report(int(done / 1e9), int(total / 1e9), last)


def trained(part: Part, config: AtlasConfig) -> pd.DataFrame:
    """Every run of a part: a row each."""
    ready = []
    for task in part.tasks:
        rows = rows_of(task)
        ready.append(Prepared(task, rows, arrays_of(task, rows, part.shape)))
    jobs = [Job(k, 0, 0) for k in range(len(ready))]
    frames = [_run(part, ready, jobs)]
    for reach in range(1, config.extensions + 1):
        jobs = list(beyond(pd.concat(frames), ready, reach))
        frames.append(_run(part, ready, jobs))
    for number in range(1, config.more_seeds + 1):
        found = pd.concat(frames)
        grids = found.groupby("task").grid.unique()
        jobs = [
            Job(k, int(grid), number)
            for k, each in enumerate(ready)
            if uncertain(found[found.task == each.task.number], each.rows)
            for grid in grids[each.task.number]
        ]
        frames.append(_run(part, ready, jobs))
    return pd.concat(frames, ignore_index=True).drop(columns="grid")


def beyond(found: pd.DataFrame, ready: Sequence[Prepared], reach: int) -> Iterator[Job]:
    """The grids beyond an edge at which a schedule is best, in either loss."""
    for k, each in enumerate(ready):
        own = found[found.task == each.task.number]
        best = {rate for name in LOSSES for rate in _means(own, each.rows, name).idxmin(axis=1)}
        if own.grid.min() == 1 - reach and own.rate.min() in best:
            yield Job(k, -reach, 0)
        if own.grid.max() == reach - 1 and own.rate.max() in best:
            yield Job(k, reach, 0)


def _means(runs: pd.DataFrame, rows: Rows, loss: str) -> pd.DataFrame:
    """Mean capped losses, a row a schedule and a column a rate."""
    values = capped(runs[loss].to_numpy(), getattr(rows.chances, loss))
    return runs.assign(capped=values).pivot_table(index="schedule", columns="rate", values="capped")


def uncertain(runs: pd.DataFrame, rows: Rows) -> bool:
    """Whether the lowest score of some schedule has a standard error above NOISY.

    That of the mean is pooled over the FEW best rates: three seeds may agree by chance.
    """
    chance, floor = rows.chances.val_loss, np.nan_to_num(rows.floor)
    values = capped(runs.val_loss.to_numpy(), chance)
    by_rate = runs.assign(capped=values).groupby(["schedule", "rate"]).capped
    for _, table in by_rate.agg(["mean", "sem"]).groupby("schedule"):
        best = table.sort_values("mean").head(FEW)
        error = np.sqrt(np.square(best["sem"]).mean())
        excess = max(best["mean"].iloc[0] - floor, 0.0) + RESOLUTION * (chance - floor)
        if error > NOISY * excess:
            return True
    return False


def _run(part: Part, ready: Sequence[Prepared], jobs: Sequence[Job]) -> pd.DataFrame:
    """Jobs of a part, a few side by side; the last ones padded with the last job."""
    devices, frames = jax.local_device_count(), []
    for first in range(0, len(jobs), devices):
        few = jobs[first : first + devices]
        ends = _ends(part, ready, [*few, *[few[-1]] * (devices - len(few))])
        for k, job in enumerate(few):
            one = jax.tree.map(lambda a, k=k: np.asarray(a[k]), ends)
            frames.append(_frame(part, ready[job.place], job, one))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _ends(part: Part, ready: Sequence[Prepared], jobs: Sequence[Job]) -> Ends:
    """What the jobs come to; leaves of shape=(job, seed, …)."""
    each = [ready[job.place] for job in jobs]
    peaks = np.stack([np.tile(rates(part.optimizer, job.grid), len(SCHEDULES)) for job in jobs])
    codes = np.broadcast_to(np.repeat(np.arange(len(SCHEDULES)), RATES), peaks.shape)
    lanes = Lane(jnp.asarray(codes), jnp.asarray(peaks, float))
    orders = [[order_of(e.task, s) for s in _seeds(j)] for e, j in zip(each, jobs, strict=True)]
    keys = jnp.stack([keys_of(e.task.number, _seeds(j)) for e, j in zip(each, jobs, strict=True)])
    # One seed tells what probes measure.
    probing = np.array([[seed == 0 and job.grid == 0 for seed in _seeds(job)] for job in jobs])
    stacked = jax.tree.map(lambda *a: np.stack(a), *[e.arrays for e in each])
    train = program(jax.default_backend())
    plan = Plan(part.optimizer, plain)
    return train(part.shape, plan, len(jobs), lanes, stacked, np.array(orders), keys, probing)


def _seeds(job: Job) -> range:
    return range(job.round * SEEDS, (job.round + 1) * SEEDS)


def keys_of(number: int, seeds: Sequence[int]) -> Key[Array, " seed"]:
    """The root keys of a task's seeds."""
    root = jax.random.fold_in(jax.random.key(SEED), number)
    return jax.vmap(lambda seed: jax.random.fold_in(root, seed))(jnp.array(seeds))


def _frame(part: Part, ready: Prepared, job: Job, ends: Ends) -> pd.DataFrame:
    """A row a run; what was probed, on the rows of the first seed."""
    columns = {
        "task": ready.task.number,
        "optimizer": part.optimizer,
        "schedule": np.tile(np.repeat([name for name, _ in SCHEDULES], RATES), SEEDS),
        "rate": np.tile(rates(part.optimizer, job.grid), SEEDS * len(SCHEDULES)),
        "seed": np.repeat(_seeds(job), LANES),
        "train_loss": ends.train.reshape(-1),
        "val_loss": ends.validation.reshape(-1),
        "grid": job.grid,
    }
    probes = {name: np.repeat(values, LANES) for name, values in ends.probes._asdict().items()}
    return pd.DataFrame(columns | probes)
