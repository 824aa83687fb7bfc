"""What laws are compared with on the held-out tasks: floors, tuned peaks, headroom.

python -m experiments.closed_forms.references

Writes psi/bench/references.csv, a row an optimizer and task. No law is involved: the plain
schedules are tuned (grid of ratio 1.5, extended until the best is inside, seeds 0–4), and an oracle
is searched for each task (psi.ideal.oracle) and compared with the tuned constant rate. Rows that
are there are kept, so that the same command goes on where it was stopped.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import tyro
from jaxtyping import Array, Key

from psi.bench.baselines import plain_rates
from psi.bench.contest import TUNING_SEEDS
from psi.bench.references import FILE, HEADROOM, KEYS
from psi.bench.shipped import key_of
from psi.bench.suites.held_out import HELD_OUT
from psi.ideal.oracle import Search, headroom_over, plain_scores, trajectory_losses
from psi.lab.data.trajectories import PLAIN
from psi.lab.optimizers import bounds
from psi.lab.tasks.names import Spec
from psi.lab.tasks.table import spec_task
from psi.lab.tasks.task import Task
from psi.report.progress import bar

SEARCH = Search(restarts=2, generations=25, seeds=8)
SMALL = Search(knots=5, restarts=1, generations=12, seeds=4, choosing=16)
"""For networks that take long: their headroom is at least what it finds."""
COSTLY = ("cnn", "transformer")
LONGER = 10  # times the budget: what a text's L* is measured over
AROUND = 1.5 ** np.arange(-3.0, 2.0)
"""Times the tuned peak: where the longer budget's peak is looked for."""


@dataclass(frozen=True)
class Main:
    """References of every held-out task under every optimizer of the shipped laws."""

    out: Path = FILE
    optimizers: tuple[str, ...] = ("sgd", "momentum", "adam")

    def run(self) -> None:
        """Do it."""
        from psi.lab.engine.devices import prepare

        prepare()
        kept = pd.read_csv(self.out) if self.out.exists() else pd.DataFrame(columns=KEYS)
        rows = [kept] if len(kept) else []
        known = set(zip(kept.optimizer, kept.task, strict=True))
        work = [(o, n, spec) for o in self.optimizers for n, spec in enumerate(HELD_OUT)]
        with bar("references") as update:
            for done, (optimizer, number, spec) in enumerate(work):
                task = spec_task(spec, optimizer)
                update(done, len(work), f"{optimizer}: {task.name}")
                if (optimizer, task.name) not in known:
                    rows.append(pd.DataFrame([_row(task, spec, key_of(number))]))
                    pd.concat(rows).to_csv(self.out, index=False, float_format="%.6g")
                    jax.clear_caches()  # a process may map so many programs (vm.max_map_count)
            update(len(work), len(work), "")


def _row(task: Task, spec: Spec, key: Key[Array, ""]) -> dict[str, object]:
    rates = bounds(task.facts.optimizer)
    grid, scores = plain_scores(task, rates, key, TUNING_SEEDS)
    peaks = grid[scores.argmin(1)]
    tuned = {name: float(peak) for (name, _), peak in zip(PLAIN, peaks, strict=True)}
    if spec.name == "pydoc":
        floor = _longer(task, tuned["linear"], key)
        task = task._replace(facts=replace(task.facts, floor=floor))
    costly = task.facts.network in COSTLY
    found = headroom_over(task, peaks, key, SMALL if costly else SEARCH)
    return {
        "optimizer": task.facts.optimizer,
        "task": task.name,
        "floor": task.facts.floor,
        **tuned,
        **dict(zip(HEADROOM, (found.nats, found.low, found.high), strict=True)),
    }


def _longer(task: Task, peak: float, key: Key[Array, ""]) -> float:
    """The loss of the tuned linear schedule over a longer budget: L* where no other is known."""
    long = task._replace(facts=replace(task.facts, epochs=LONGER * task.facts.epochs))
    lanes = np.outer(peak * AROUND, plain_rates("linear", long.facts.epochs))
    return float(trajectory_losses(long, lanes, TUNING_SEEDS, key).mean(0).min())


if __name__ == "__main__":
    tyro.cli(Main).run()
