"""Make a data set: every pilot, then every part that is not there yet.

What is committed is never made again, so the same command goes on where it was stopped, and the
order in which parts are made changes nothing.
"""

from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from psi.lab import store
from psi.lab.config import GenerateConfig, flat
from psi.lab.sweep import Part, job, parts, pilot, pilot_name, task_row, train_calls
from psi.lab.work import Layout, layout


class Made(NamedTuple):
    """How far a data set is."""

    task: str
    """What is being trained."""
    runs: int
    rows: int
    diverged: int
    """Runs of this session that diverged, of `trained`."""
    trained: int


Report = Callable[[Made], None]


def generate(
    config: GenerateConfig,
    folder: Path,
    report: Report = lambda _: None,
    shape: Layout | None = None,
) -> None:
    """Train what `config` says and commit it to `folder`; what is there already is kept.

    Raises RecordsError where the folder cannot be written or holds another config's data.
    """
    shape = shape or layout()
    with store.locked(folder):
        store.open_config(folder, flat(config) | shape._asdict())
        there = store.committed(folder)
        tell = _counter(report, config.hyper.epochs, store.sizes(folder)[0])
        criteria = _pilots(config, folder, there, shape, tell)
        missing = [part for part in parts(config, shape) if part.name not in there]
        for number, group in groupby(missing, key=lambda part: part.task):
            calls = [part.call for part in group]
            tell(config.tasks[number], None)
            for call, frame in train_calls(job(config, number, shape), calls, criteria[number]):
                store.write_part(folder, Part(number, call).name, frame)
                tell(config.tasks[number], frame)


def _pilots(
    config: GenerateConfig, folder: Path, there: frozenset[str], shape: Layout, tell: "Tell"
) -> list[float]:
    """Make the pilots that are not there and the task table; every task's criterion."""
    for number, name in enumerate(config.tasks):
        if pilot_name(number) not in there:
            tell(name, None)
            frame = pilot(config, number, shape)
            store.write_part(folder, pilot_name(number), frame)
            tell(name, frame)
    if not (folder / "tasks.parquet").exists():
        rows = [
            task_row(config, number, store.read_part(folder, pilot_name(number)))
            for number in range(len(config.tasks))
        ]
        store.write_tasks(folder, pd.DataFrame(rows))
    return [float(value) for value in store.read_tasks(folder).criterion]


Tell = Callable[[str, pd.DataFrame | None], None]


def _counter(report: Report, epochs: int, rows: int) -> Tell:
    """Adds up what is made, from the rows there already, and reports it."""
    made = Made("", rows // epochs, rows, 0, 0)

    def tell(task: str, frame: pd.DataFrame | None) -> None:
        nonlocal made
        rows = 0 if frame is None else len(frame)
        lost = 0 if frame is None else int((frame.outcome == "diverged").sum())
        made = Made(
            task,
            made.runs + rows // epochs,
            made.rows + rows,
            made.diverged + lost // epochs,
            made.trained + rows // epochs,
        )
        report(made)

    return tell
