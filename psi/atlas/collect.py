"""Train every task of an atlas at every rate, part after part, and keep each run.

The same call goes on where another was stopped.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Float

from psi.atlas.config import LOWEST, RATES, RATIO, SEEDS, AtlasConfig
from psi.atlas.parts import (
    Engine,
    Job,
    Part,
    Prepared,
    frame_of,
    keep,
    parts,
    prepared,
    side_by_side,
)
from psi.atlas.training import SCHEDULES, Ends, Lane, Plan, plain
from psi.ideal.returns import RESOLUTION, capped
from psi.progress import Report, silent

LOSSES = ("train_loss", "val_loss")
FEW = 3  # rates
NOISY = 0.3  # nats: a standard error of scores, beside the seeds' own means, for more seeds


class Sweep(NamedTuple):
    """A task at the rates of one grid, from the seeds of one round."""

    ready: Prepared
    grid: int
    """0: the usual rates; 1, −1, …: as many above, below, …"""
    round: int


def rates(optimizer: str, grid: int = 0) -> Float[np.ndarray, " rate"]:
    """The rates of a grid: all grids are pieces of one geometric sequence."""
    return LOWEST[optimizer] * RATIO ** (grid * RATES + np.arange(RATES, dtype=float))


def collect(
    config: AtlasConfig, folder: Path, report: Report = silent, engine: Engine | None = None
) -> None:
    """Train what is missing and commit it to `folder`.

    `report` is told the operations done, of about how many, and what was trained last; `engine`
    trains the parts: on this machine, unless psi.atlas.sharing.ray_engine does. Raises
    store.RecordsError, a ValueError, where the folder cannot be written or holds another atlas.
    """
    here: Engine = lambda wanted: ((part, trained(part, config)) for part in wanted)  # noqa: E731
    identity = asdict(config) | {"optimizers": list(config.optimizers)}
    keep(parts(config), folder, identity, engine or here, report)


def trained(part: Part, config: AtlasConfig) -> pd.DataFrame:
    """Every run of a part: a row each."""
    ready = prepared(part)
    frames = [_run(part, [Sweep(each, 0, 0) for each in ready])]
    for reach in range(1, config.extensions + 1):
        frames.append(_run(part, list(beyond(pd.concat(frames), ready, reach))))
    for number in range(1, config.more_seeds + 1):
        found = pd.concat(frames)
        grids = found.groupby("task").grid.unique()
        sweeps = [
            Sweep(each, int(grid), number)
            for each in ready
            if uncertain(found[found.task == each.task.number], each)
            for grid in grids[each.task.number]  # else neighbours would differ by their seeds
        ]
        frames.append(_run(part, sweeps))
    return pd.concat(frames, ignore_index=True).drop(columns="grid")


def beyond(found: pd.DataFrame, ready: Sequence[Prepared], reach: int) -> Iterator[Sweep]:
    """The grids beyond an edge at which a schedule is best, in either loss."""
    for each in ready:
        own = found[found.task == each.task.number]
        best = {rate for name in LOSSES for rate in _means(own, each, name).idxmin(axis=1)}
        if own.grid.min() == 1 - reach and own.rate.min() in best:
            yield Sweep(each, -reach, 0)
        if own.grid.max() == reach - 1 and own.rate.max() in best:
            yield Sweep(each, reach, 0)


def _means(runs: pd.DataFrame, ready: Prepared, loss: str) -> pd.DataFrame:
    """Mean capped losses, a row a schedule and a column a rate."""
    values = capped(runs[loss].to_numpy(), getattr(ready.rows.chances, loss))
    return runs.assign(capped=values).pivot_table(index="schedule", columns="rate", values="capped")


def uncertain(runs: pd.DataFrame, ready: Prepared) -> bool:
    """Whether the order of a schedule's FEW best rates is uncertain, in either loss.

    Lanes share seeds, so what a seed adds to all of them does not count: the standard error is of
    what is left, pooled over the FEW rates, since three seeds may agree by chance.
    """
    for loss in LOSSES:
        chance = getattr(ready.rows.chances, loss)
        values = capped(runs[loss].to_numpy(), chance)
        floor = _floor(ready, loss, values, chance)
        for _, own in runs.assign(capped=values).groupby("schedule"):
            best = own.groupby("rate").capped.mean().nsmallest(FEW)
            near = own[own.rate.isin(best.index)]
            table = near.pivot_table(index="seed", columns="rate", values="capped")
            apart = table.sub(table.mean(axis=1), axis=0) * np.sqrt(FEW / (FEW - 1))
            error = np.sqrt(np.square(apart.sem()).mean())
            if error > NOISY * (max(best.iloc[0] - floor, 0) + RESOLUTION * (chance - floor)):
                return True
    return False


def _floor(ready: Prepared, loss: str, values: Float[np.ndarray, " run"], chance: float) -> float:
    """L* [nats]; where nobody knows it, a tenth below the lowest loss of what that gains.

    Whoever has gained nothing yet could still gain a tenth of the chance loss.
    """
    if loss == "train_loss" and not ready.task.stream:
        return 0.0
    least = min(values.min(), 0.9 * chance)
    return ready.rows.floor if np.isfinite(ready.rows.floor) else least - 0.1 * (chance - least)


def _run(part: Part, sweeps: Sequence[Sweep]) -> pd.DataFrame:
    jobs = [_job(part.optimizer, sweep) for sweep in sweeps]
    found = side_by_side(part, Plan(part.optimizer, plain), jobs)
    frames = [_frame(part, sweep, *each) for sweep, each in zip(sweeps, found, strict=True)]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _job(optimizer: str, sweep: Sweep) -> Job:
    peaks = np.tile(rates(optimizer, sweep.grid), len(SCHEDULES))
    codes = np.repeat(np.arange(len(SCHEDULES)), RATES)
    seeds = range(sweep.round * SEEDS, (sweep.round + 1) * SEEDS)
    lanes = Lane(jnp.asarray(codes), jnp.asarray(peaks, float))
    return Job(sweep.ready, lanes, seeds, probed=sweep.round == 0 and sweep.grid == 0)


def _frame(part: Part, sweep: Sweep, job: Job, ends: Ends) -> pd.DataFrame:
    """A row a run; what was probed, on the rows of the first seed."""
    names = np.array([name for name, _ in SCHEDULES], object)
    grid = rates(part.optimizer, sweep.grid)
    lanes = {"schedule": np.repeat(names, RATES), "rate": np.tile(grid, len(names))}
    made = frame_of(part, job, lanes, ends)
    width = len(made) // len(job.seeds)
    probes = {name: np.repeat(values, width) for name, values in ends.probes._asdict().items()}
    return made.assign(grid=sweep.grid, **probes)
