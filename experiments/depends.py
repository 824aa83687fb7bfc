"""What the ideal rate depends on within a task: labels of the train suite, slopes and shares.

    python -m experiments.depends --out out/depends

A file of labels a task and optimizer, `slopes.csv` (∂ log α* / ∂ log ε of each task, with its sign)
and `shares.csv` (of the variance of log α*: between tasks, by epoch, by loss, noise). The same
command goes on where it was stopped. Text is left out: labels need its least loss.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import jax
import pandas as pd
import tyro

from psi.bench.suites import suite
from psi.ideal.dependence import slopes, state_shares
from psi.ideal.labelling import Labelling, label_task
from psi.lab.data import store
from psi.lab.engine.devices import beside, prepare
from psi.lab.networks.table import OF_TOKENS
from psi.lab.optimizers import bounds
from psi.lab.tasks.names import Spec
from psi.lab.tasks.table import spec_task
from psi.law.file import write_atomic
from psi.report.progress import bar


@dataclass(frozen=True)
class Main:
    """Label tasks of the train suite and take the variance of the ideal rate apart."""

    out: Path
    """Folder of labels and tables."""
    optimizers: tuple[Literal["sgd", "momentum", "adam"], ...] = ("sgd", "momentum", "adam")
    every: int = 2
    """One task in so many."""
    labelling: Labelling = field(default_factory=lambda: Labelling(cells=16, states=4, orders=2))

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ValueError(f"every must be >= 1, got {self.every}")
        for optimizer in self.optimizers:
            bounds(optimizer)

    def run(self) -> None:
        """Do it."""
        prepare()
        wanted = [pair for pair in self._pairs() if not self._file(*pair).exists()]
        with bar("labels") as report:
            for done, _ in enumerate(beside(self._label, wanted)):
                report(done + 1, len(wanted), "")
        tables = [self._tables(optimizer) for optimizer in self.optimizers]
        for name, each in zip(("slopes", "shares"), zip(*tables, strict=True), strict=True):
            table = pd.concat(each, ignore_index=True)
            write_atomic(self.out / f"{name}.csv", table.to_csv(index=False).encode())
            print(table.groupby(["optimizer", "sign"]).size() if name == "slopes" else table)

    def _pairs(self) -> Iterator[tuple[str, int]]:
        for number, spec in enumerate(suite("train").specs):
            if number % self.every == 0 and spec.hyper.network not in OF_TOKENS:
                yield from ((optimizer, number) for optimizer in self.optimizers)

    def _file(self, optimizer: str, number: int) -> Path:
        return self.out / f"labels-{optimizer}-{number:03d}.parquet"

    def _label(self, pair: tuple[str, int]) -> None:
        optimizer, number = pair
        spec: Spec = suite("train").specs[number]
        task = spec_task(spec, optimizer)
        labels = label_task(task, self.labelling, jax.random.key(number))
        made = labels.assign(task=number, domain=task.facts.domain)
        self.out.mkdir(parents=True, exist_ok=True)
        store.commit(self._file(optimizer, number), store.parquet(made))

    def _tables(self, optimizer: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        files = [self._file(*pair) for pair in self._pairs() if pair[0] == optimizer]
        labels = [table for file in files if len(table := pd.read_parquet(file))]
        every = pd.concat(labels, ignore_index=True)
        made = (slopes(every), state_shares(every))
        first, second = (table.assign(optimizer=optimizer) for table in made)
        return first, second


if __name__ == "__main__":
    tyro.cli(Main).run()
