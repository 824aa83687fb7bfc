"""The three tables that an atlas is published as, made from its runs.

`tasks`, a row a task with its facts; `runs`, a row a schedule and rate, means over seeds; `probes`,
a row a task and optimizer. A run counts with at most twice the chance loss. Of the text whose least
loss nobody knows, L* is NaN. Tasks that cannot be scored are left out: those whose training rows
are of one class, and those on which the best prediction is hardly better than a constant one.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from psi.atlas.config import AtlasConfig
from psi.atlas.data import rows_of
from psi.atlas.description import Description
from psi.atlas.distribution import describe
from psi.atlas.probes import Probes
from psi.ideal.returns import capped
from psi.lab.data import store
from psi.progress import Report, silent

LEAST = 0.02  # of the chance loss, and nats of that on the training rows
BITS = 15  # a value to 3e-5 of itself
KEYS = ["task", "optimizer", "schedule", "rate"]


class Tables(NamedTuple):
    """An atlas."""

    tasks: pd.DataFrame
    runs: pd.DataFrame
    probes: pd.DataFrame


def summarise(config: AtlasConfig, folder: Path, report: Report = silent) -> Tables:
    """The tables of collected runs, written beside them as NAME.parquet."""
    runs = store.arrow_records(folder).to_pandas()
    rows = []
    for done, number in enumerate(config.numbers):
        report(done, config.tasks, "facts")
        rows.append(task_row(describe(number, reach=config.reach)))
    tasks = pd.DataFrame(rows)
    tasks = tasks[scorable(tasks.chance_loss, tasks.train_chance_loss, tasks.floor)]
    runs = runs[runs.task.isin(tasks.task)]
    made = Tables(tasks.assign(reach=config.reach), seed_means(runs, tasks), _probes(runs))
    made = made._replace(tasks=_weighed(made), runs=rounded(made.runs))
    _write(made, folder)
    return made


def joined(folders: Sequence[Path], out: Path) -> Tables:
    """The tables of several atlases as those of one, written to `out`.

    Raises ValueError where a task's number is in two of them or `out` is one of them, and
    FileNotFoundError where a table is missing.
    """
    if out.resolve() in {folder.resolve() for folder in folders}:
        raise ValueError(f"the joined atlas needs a folder of its own, got {out}")
    every = [
        Tables(*(pd.read_parquet(folder / f"{name}.parquet") for name in Tables._fields))
        for folder in folders
    ]
    made = Tables(*(pd.concat(parts, ignore_index=True) for parts in zip(*every, strict=True)))
    twice = made.tasks.task[made.tasks.task.duplicated()]
    if len(twice):
        raise ValueError(f"a task must be in one atlas alone, got {twice.iloc[0]} in two")
    out.mkdir(parents=True, exist_ok=True)
    _write(made, out)
    return made


def _write(made: Tables, folder: Path) -> None:
    for name, table in made._asdict().items():
        path = folder / f"{name}.parquet"
        path.unlink(missing_ok=True)
        store.commit(path, store.parquet(table))


def scorable(chance: Any, train_chance: Any, floor: Any) -> Any:
    """Whether losses on a task, or on each of many, tell a good rate from a bad one."""
    span = chance - np.nan_to_num(floor)
    return (span > LEAST * chance) & (train_chance > LEAST)


def task_row(task: Description) -> dict[str, object]:
    """A task's facts."""
    rows = rows_of(task)
    return {
        "task": task.number,
        "name": task.source,
        "domain": rows.domain,
        "network": task.network,
        "description": task.to_json(),
        "parameters": task.parameters,
        "rows": task.rows,
        "stream": task.stream,
        "batch": task.batch,
        "steps": task.steps,
        "epochs": task.epochs,
        "classes": task.classes,
        "inputs": task.inputs,
        "depth": task.depth,
        "width": task.width,
        "activation": task.activation,
        "normalised": task.normalised,
        "initialisation": task.initialisation,
        "noise": task.noise,
        "chance_loss": rows.chances.val_loss,
        "train_chance_loss": rows.chances.train_loss,
        "floor": rows.floor,
    }


def seed_means(runs: pd.DataFrame, tasks: pd.DataFrame, keys: Sequence[str] = KEYS) -> pd.DataFrame:
    """Means of capped losses over seeds, their standard errors, the share that diverged.

    A row for each value of `keys`; `tasks` have the chance losses that cap.
    """
    chances = tasks.set_index("task")
    columns: dict[str, Any] = {"diverged": ~np.isfinite(runs.val_loss)}
    for loss, chance in (("train_loss", "train_chance_loss"), ("val_loss", "chance_loss")):
        limits = chances.loc[runs.task, chance].to_numpy()
        columns[loss] = capped(runs[loss].to_numpy(), limits)
    by_rate = runs.assign(**columns).groupby([*keys], sort=True)
    found = by_rate.agg(
        seeds=("seed", "size"),
        train_loss=("train_loss", "mean"),
        val_loss=("val_loss", "mean"),
        train_error=("train_loss", "sem"),
        val_error=("val_loss", "sem"),
        diverged=("diverged", "mean"),
    )
    return found.reset_index()


def rounded(runs: pd.DataFrame) -> pd.DataFrame:
    """Floats as float32 of BITS significant bits, which compress to half the space.

    >>> rounded(pd.DataFrame({"rate": [1 / 3]})).rate[0].item() * 2**17
    43690.0
    """
    floats = runs.select_dtypes(np.floating)
    part, power = np.frexp(floats.to_numpy(float))
    kept = np.ldexp(np.round(np.ldexp(part, BITS)), power - BITS).astype(np.float32)
    return runs.assign(**{str(name): kept[:, k] for k, name in enumerate(floats)})


def _probes(runs: pd.DataFrame) -> pd.DataFrame:
    names = list(Probes._fields)
    probed = runs[np.isfinite(runs.initial_loss)]
    return probed.groupby(["task", "optimizer"], sort=True)[names].first().reset_index()


def _weighed(made: Tables) -> pd.DataFrame:
    """The tasks with the root mean square of their initial weights, and the gradient's norm there.

    All optimizers begin alike.
    """
    norms = made.probes.groupby("task")[["weight_norm", "grad_norm"]].first()
    weights, gradients = (made.tasks.task.map(norms[name]) for name in norms)
    rms = weights / np.sqrt(made.tasks.parameters)
    return made.tasks.assign(weight_rms=rms, initial_grad_norm=gradients)
