"""Make a data set: every pilot, then every part that is not there yet.

What is committed is never made again, so the same command goes on where it was stopped, and the
order in which parts are made changes nothing.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from psi.lab.data import store
from psi.lab.data.config import GenerateConfig, flat, from_flat
from psi.lab.data.sweep import Criteria, Part, make, parts, pilots, task_of, task_row
from psi.lab.engine.work import Layout, layout
from psi.lab.hyper import Hyper
from psi.lab.tasks.names import file_and_target, parts_of
from psi.progress import Report, silent


class Made(NamedTuple):
    """How far a data set is."""

    task: str  # what was trained last
    runs: int
    rows: int
    trained: int  # runs trained just now, not before a stop
    diverged: int  # how many of these diverged

    def __str__(self) -> str:
        if not self.rows:
            return f"{self.task}, compiling"
        lost = f", {self.diverged / self.trained:.0%} diverged" if self.trained else ""
        return f"{self.task}, {self.rows:,} rows{lost}"


Engine = Callable[
    [GenerateConfig, Layout, Sequence[Part], Criteria], Iterator[tuple[Part, pd.DataFrame]]
]
"""Trains parts, in any order: `psi.lab.data.sweep.make`, or on many machines `….cluster`."""


def generate(
    config: GenerateConfig,
    folder: Path,
    report: Report = silent,
    shape: Layout | None = None,
    engine: Engine = make,
) -> None:
    """Train what `config` asks for and commit the records to `folder`, part by part.

    Parts that are there already are kept: the same call goes on where another was stopped.

    Args:
        config: tasks, hyperparameters, trajectories, cells, seeds.
        folder: the data set; its columns are those of data/README.md.
        report: is told the runs done, of how many, and what is trained.
        shape: how work is cut into programs, part of the data's identity; None: by device.
        engine: what trains the parts: this process, or psi.lab.data.cluster.ray_engine's workers.

    Returns:
        None; `psi.lab.data.store.read_records(folder)` reads what was written.

    Raises:
        RecordsError: a ValueError, where the folder cannot be written or holds the data of another
            config.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import psi
        >>> sizes = {"trajectories": 2, "cells": 0, "seeds": 1}
        >>> config = psi.GenerateConfig(("noisy_quadratic",), psi.Hyper(epochs=2), **sizes)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     psi.generate(config, Path(folder))
        ...     sorted(path.name for path in Path(folder).iterdir())
        ['.lock', 'manifest', 'records', 'tasks.parquet']
    """
    shape = shape or layout()
    identity = flat(config) | shape._asdict() | own_files(config)
    if not store.begun(folder, identity):
        check_tasks(config)
    with store.locked(folder):
        store.open_config(folder, identity)
        kept = store.committed(folder)
        made = Made("", 0, sum(kept.values()), 0, 0)
        unknown = [float("nan")] * len(config.specs())

        def run(wanted: Sequence[Part], criteria: Criteria) -> None:
            nonlocal made
            missing = [part for part in wanted if part.name not in kept]
            for part, frame in engine(config, shape, missing, criteria):
                store.write_part(folder, part.name, frame)
                made = _count(made, config, part, frame)
                report(made.runs, config.runs(), str(made))

        made = made._replace(task=config.label(0), runs=made.rows // config.hyper.epochs)
        report(made.runs, config.runs(), str(made))
        run(pilots(config), unknown)
        _write_tasks(config, folder)
        run(parts(config, shape), [float(value) for value in store.read_tasks(folder).criterion])


def check_tasks(config: GenerateConfig) -> None:
    """Make one task of each kind, before anything is written.

    Raises ValueError where one cannot be made: a target that is no column, a network that cannot
    take the rows.
    """
    kinds: dict[tuple[str, Hyper], int] = {}
    for number, spec in enumerate(config.specs()):
        kind = spec.name if file_and_target(spec.name) else re.sub(r"^(\w+)-\d+", r"\1", spec.name)
        kinds[kind, spec.hyper] = number
    for number in kinds.values():
        task_of(config, number)


def read_config(folder: Path) -> GenerateConfig:
    """The config of a data set.

    Raises ValueError where the folder holds none, or was made with a plugin that is not in use.
    """
    fields = store.config_of(folder)
    if not fields:
        raise ValueError(f"{folder} is no data set: it has no manifest/config.json")
    try:
        return from_flat(fields)
    except ValueError as error:
        if plugin := fields.get("plugin"):
            given = f"--plugin {' '.join(plugin)}"
            raise ValueError(f"{folder} was made with {given}: give it again ({error})") from None
        raise


def own_files(config: GenerateConfig) -> dict[str, str]:
    """SHA-256 of the user's data files and plugins: other content is another data set."""
    files = [*config.data_files(), *config.plugin]
    files = [part for path in files for part in parts_of(path)]
    try:
        return {f"sha256 of {p}": sha256(p.read_bytes()).hexdigest() for p in files}
    except OSError as error:
        raise store.RecordsError(f"cannot read {error.filename}: {error.strerror}") from None


def _count(made: Made, config: GenerateConfig, part: Part, frame: pd.DataFrame) -> Made:
    ends = frame[frame.epoch == 0]
    rows = made.rows + len(frame)
    return Made(
        config.label(part.task),
        rows // config.hyper.epochs,
        rows,
        made.trained + len(ends),
        made.diverged + int((ends.outcome == "diverged").sum()),
    )


def _write_tasks(config: GenerateConfig, folder: Path) -> None:
    """The task table, once every pilot is there; made again where it is damaged."""
    try:
        store.read_tasks(folder)
    except store.RecordsError:
        (folder / "tasks.parquet").unlink(missing_ok=True)
        rows = [task_row(config, p.task, store.read_part(folder, p.name)) for p in pilots(config)]
        store.commit(folder / "tasks.parquet", store.parquet(pd.DataFrame(rows)))
