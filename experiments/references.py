"""Measure the references of a suite, which are kept with it: tuned schedules, text's L*, oracles.

    python -m experiments.references sealed --why "references, before the first run"

writes psi/bench/suites/references/NAME.parquet after each task and optimizer; the same command goes
on where it was stopped. No law and no baseline beside the plain schedules is involved. Of the
sealed suite it is a run like any other, with an entry in the ledger.
"""

from dataclasses import dataclass
from time import monotonic
from typing import Literal

import tyro

from psi.bench.kept import Key, keep, kept
from psi.bench.running import key_of
from psi.bench.suites import suite
from psi.bench.suites.ledger import commit, enter, entries
from psi.bench.tuning import SEARCH, Reference, measured
from psi.lab.engine.devices import beside
from psi.lab.optimizers import bounds
from psi.lab.tasks.table import spec_task
from psi.report.progress import bar


@dataclass(frozen=True)
class Main:
    """References of a suite's tasks under some optimizers."""

    name: tyro.conf.Positional[Literal["smoke", "validation", "sealed"]]
    optimizers: tuple[str, ...] = ("sgd", "momentum", "adam")
    why: str = ""
    """Of sealed: the reason for the ledger."""
    minutes: float = float("inf")
    """Begin nothing new after so long."""

    def run(self) -> None:
        """Do it."""
        from psi.lab.engine.devices import prepare

        prepare()
        chosen, end = suite(self.name), monotonic() + 60 * self.minutes
        for optimizer in self.optimizers:
            bounds(optimizer)
        if self.name == "sealed":
            what = f"references, {', '.join(self.optimizers)}"
            if not any(e.what == what and e.suite == chosen.digest for e in entries()):
                enter(chosen, commit(), what, self.why)
        found = dict(kept(chosen))
        every = [Key(o, task) for task in range(len(chosen.specs)) for o in self.optimizers]
        wanted = [key for key in every if key not in found]

        def one(key: Key) -> Reference | None:
            if monotonic() > end:
                return None
            task = spec_task(chosen.specs[key.task], key.optimizer)
            return measured(task, key_of(key.task), SEARCH)

        with bar("references") as update:
            for done, reference in enumerate(beside(one, wanted)):
                if reference is not None:
                    found[wanted[done]] = reference
                    keep(chosen, found)
                update(done + 1, len(wanted), chosen.specs[wanted[done].task].name)


if __name__ == "__main__":
    tyro.cli(Main).run()
