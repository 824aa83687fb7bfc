"""What the ideal rate depends on within a task: labels of the train suite, slopes and shares.

    python -m experiments.depends --out out/depends

A part of labels a task and optimizer, `slopes.csv` (∂ log α* / ∂ log ε of each task, with its sign)
and `shares.csv` (of the variance of log α*: between tasks, by epoch, by loss, noise). The same
command goes on where it was stopped. Text is left out: labels need its least loss.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
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
        identity = {"suite": suite("train").digest, "labelling": asdict(self.labelling)}
        with store.locked(self.out):
            store.open_config(self.out, identity)
            kept = store.committed(self.out)
            wanted = [pair for pair in self._pairs() if _part(*pair) not in kept]
            with bar("labels") as report:
                for done, (pair, labels) in enumerate(beside(self._labels, wanted)):
                    store.write_part(self.out, _part(*pair), labels)
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

    def _labels(self, pair: tuple[str, int]) -> tuple[tuple[str, int], pd.DataFrame]:
        optimizer, number = pair
        task = spec_task(suite("train").specs[number], optimizer)
        labels = label_task(task, self.labelling, jax.random.key(number))
        return pair, labels.assign(task=number, domain=task.facts.domain)

    def _tables(self, optimizer: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        names = [_part(*pair) for pair in self._pairs() if pair[0] == optimizer]
        labels = [table for name in names if len(table := store.read_part(self.out, name))]
        every = pd.concat(labels, ignore_index=True)
        made = (slopes(every), state_shares(every))
        first, second = (table.assign(optimizer=optimizer) for table in made)
        return first, second


def _part(optimizer: str, number: int) -> str:
    return f"part-{optimizer}-{number:03d}"


if __name__ == "__main__":
    tyro.cli(Main).run()
