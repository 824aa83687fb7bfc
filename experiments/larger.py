"""Laws on networks of 0.2 to 5 million weights, beside the schedule tuned on each.

    python -m experiments.larger --out paper/scale/networks.csv --why "…"

Perceptrons, convolutions and transformers on digits and text; their rates are beyond what the atlas
holds many of. Constant, linear and cosine are tuned over rates of ratio 2, from an eighth of the
law's to eight times it and on until the best is inside, from one seed; the best of them and the law
are then trained from two others. Nothing is chosen by what comes out. MNIST is one of the sealed
domains: a reason for the ledger is needed. A row is kept as soon as it is measured, and the same
command goes on.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import tyro

import psi
from psi.bench.baselines import SCHEDULES, plain_rates
from psi.bench.choosing import SCORING
from psi.bench.suites.ledger import commit, enter, entries
from psi.bench.suites.suite import Suite, written
from psi.bench.tuning import TUNING, longer_floor, unknown_floor, with_floor
from psi.ideal.oracle import plain_losses
from psi.ideal.returns import capped, score
from psi.lab.engine.devices import prepare
from psi.lab.engine.policy import measured_policy, trajectory
from psi.lab.engine.population import population
from psi.lab.engine.probe import initial_grad_norms
from psi.lab.engine.work import Layout
from psi.lab.hyper import Hyper
from psi.lab.tasks.carried import CARRIED
from psi.lab.tasks.names import Spec
from psi.lab.tasks.table import spec_task
from psi.lab.tasks.task import Task
from psi.law.clock import Clock
from psi.law.file import write_atomic
from psi.report.progress import bar

SEALED = next(n for n, row in CARRIED.items() if (row.kind, row.suite) == ("image", "sealed"))
"""Images that nothing is fitted to: a run on them, which fits nothing, is in the ledger."""
NETWORKS = (
    Spec("digits", Hyper(epochs=15, batch=32, network="cnn", width=112, depth=2)),
    Spec("digits", Hyper(epochs=15, batch=32, width=512, depth=3)),
    Spec("digits", Hyper(epochs=8, batch=32, width=2000, depth=2)),
    Spec(SEALED, Hyper(epochs=6, batch=64, width=1000, depth=2)),
    Spec(SEALED, Hyper(epochs=6, batch=32, network="cnn", width=104, depth=1)),
    Spec("pydoc", Hyper(epochs=8, batch=32, network="transformer", width=128, depth=1)),
    Spec("licences", Hyper(epochs=6, batch=32, network="transformer", width=256, depth=1)),
)
OPTIMIZERS = ("sgd", "momentum", "adam")
SEED, AROUND = 20261127, 8.0


@dataclass(frozen=True)
class Main:
    """Train each network under its tuned schedule and under the law."""

    out: Path = Path("paper/scale/networks.csv")
    why: str = ""
    """The reason for the ledger of the sealed suite."""
    networks: tyro.conf.Suppress[tuple[Spec, ...]] = NETWORKS
    optimizers: tuple[str, ...] = OPTIMIZERS
    only: tuple[int, ...] = ()
    """Numbers of some of the networks, from 0, to train now; none: all."""

    def run(self) -> None:
        """Do it."""
        prepare()
        kept = pd.read_csv(self.out) if self.out.exists() else pd.DataFrame()
        rows: list[Any] = kept.to_dict("records")
        done = {(row["network"], row["optimizer"]) for row in rows}
        wanted = [
            (number, spec, optimizer)
            for number, spec in enumerate(self.networks)
            for optimizer in self.optimizers
            if not self.only or number in self.only
            if (spec_task(spec, optimizer).name, optimizer) not in done
        ]
        if wanted and any(CARRIED[spec.name].suite == "sealed" for spec in self.networks):
            self._enter()
        with bar("networks") as update:
            for count, (number, spec, optimizer) in enumerate(wanted):
                update(count, len(wanted), f"{spec.name}, {optimizer}")
                key = jax.random.fold_in(jax.random.key(SEED), number)
                rows.append(measured(spec_task(spec, optimizer), key))
                table = pd.DataFrame(rows)
                write_atomic(self.out, table.to_csv(index=False, float_format="%.4g").encode())
        print(pd.DataFrame(rows).to_string(index=False))

    def _enter(self) -> None:
        content = written(self.networks)
        made = Suite("larger", self.networks, hashlib.sha256(content.encode()).hexdigest())
        if not any(each.suite == made.digest for each in entries()):
            what = "networks of 0.2 to 5 million weights; laws Ψ sgd, Ψ momentum, Ψ adam"
            enter(made, commit(), what, self.why)


def measured(task: Task, key: Any) -> dict[str, Any]:
    """The row of a task: final validation losses of law and tuned schedule, and the regret."""
    facts, budget = task.facts, task.facts.epochs
    seeds, law = SCORING[:2], psi.load(facts.optimizer)
    first, clock = initial_grad_norms(task, seeds, key)[:, None], Clock(law, budget)
    followed = population(
        task, lambda own: measured_policy(clock, own), first, seeds, key, Layout(1, 1), True,
        ("lr", "val_loss"),
    )  # fmt: skip
    rate = float(followed.lr[0, :, 0].mean())
    ends = rate / AROUND, rate * AROUND
    rates, losses = plain_losses(task, ends, key, TUNING[:1], ratio=2.0)
    which, at = np.unravel_index(losses.argmin(), losses.shape)
    if unknown_floor(facts):
        peak = rates[[losses[SCHEDULES.index("linear")].argmin()]]
        floor = longer_floor(task, peak, float(losses.min()), key, TUNING[:1])
        task = with_floor(task, floor)
    tuned = population(
        task, trajectory, (rates[at] * plain_rates(SCHEDULES[which], budget))[None], seeds, key,
        Layout(1, 1), keep=("val_loss",),
    )  # fmt: skip
    reached = [_final(task, runs.val_loss) for runs in (followed, tuned)]
    scores = [score(np.asarray(end), task.facts.floor, facts.chance_loss) for end in reached]
    return {
        "network": task.name, "optimizer": facts.optimizer, "parameters": facts.parameters,
        "steps": facts.steps, "schedule": SCHEDULES[which], "peak": rates[at],
        "rate": rate, "law": reached[0], "tuned": reached[1],
        "regret": float(scores[0] - scores[1]),
    }  # fmt: skip


def _final(task: Task, losses: Any) -> float:
    return float(capped(np.asarray(losses[0, :, -1], np.float64), task.facts.chance_loss).mean())


if __name__ == "__main__":
    tyro.cli(Main).run()
