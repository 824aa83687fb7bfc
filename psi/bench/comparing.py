"""Laws beside what a person would use instead, on tasks of the user's own.

The user's tasks are made a suite, and run as any other (psi.bench.running): under the library's
default rate the plain schedules, the same tuned on the task, and laws. Then, task by task, every
method is compared with the tuned reference, which of constant, linear and cosine is the one that
was best on the tuning seeds. Losses count as in the score: each run's at most 2 L_chance.

Intervals are 95 %, Student's t with the jackknife over the scoring seeds; regrets are paired over
seeds. So what they say holds for this task with its rows split as they are, and for no other.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from psi.bench.baselines import SCHEDULES
from psi.bench.baselines.baseline import DEFAULT_RATES
from psi.bench.contestants import OWN, PSI, TUNED, Contestants, named_laws
from psi.bench.measures import Regret
from psi.bench.suite_runs import REFERENCE, final_runs
from psi.bench.suites import Suite
from psi.ideal.resampling import jackknife_error, left_out_means, student_width
from psi.ideal.returns import capped, score
from psi.lab.data import store
from psi.lab.data.config import GenerateConfig
from psi.lab.data.generate import own_files
from psi.lab.optimizers import bounds
from psi.lab.tasks.names import called
from psi.law.load import load, shipped

CURVES = ("optimizer", "task", "method", "chance_loss", "epoch", "lr", "val_loss")


class Row(NamedTuple):
    """One method on one task."""

    method: str
    loss: float
    """Final validation loss, the mean over the scoring seeds."""
    loss_low: float
    loss_high: float
    regret: float
    """To the tuned reference [nats]; negative is better."""
    regret_low: float
    regret_high: float
    accuracy: float
    """Share right on the test rows, or R² of a regression."""
    below_chance: float
    """Share of runs that end below the loss of the best constant prediction."""
    tuning_runs: int
    val_losses: list[float]
    """After each epoch, the mean over seeds."""
    rates: list[float | None]
    """Of each epoch, the mean over seeds; None where it is not finite."""


class Verdict(NamedTuple):
    """A law beside the schedule tuned on the task."""

    law: str
    better: str
    """law, schedule, or neither where the interval of the regret holds 0."""
    sentence: str


class Comparison(NamedTuple):
    """All methods on one task under one optimizer."""

    task: str
    optimizer: str
    schedule: str
    """The reference: the plain schedule that was best on the tuning seeds."""
    rows: list[Row]
    """The lowest regret first."""
    verdicts: list[Verdict]


def suite_of(config: GenerateConfig) -> Suite:
    """A config's tasks as a suite, known by the hash of all that they are made from."""
    specs = [asdict(spec.hyper) | {"name": spec.name} for spec in config.specs()]
    made_of = {"tasks": specs, "data": asdict(config.data), "files": own_files(config)}
    return Suite("compare", config.specs(), store.digest(made_of), config.data)


def contestants_of(
    laws: Sequence[str], methods: Sequence[str], optimizers: tuple[str, ...]
) -> Contestants:
    """Laws by name or file, or the shipped ones; baselines by name; and always the plain schedules.

    These at the default rate, where all the optimizers have one, and tuned. Without optimizers,
    those of the laws. Raises ValueError for an unknown name, and where no law is left.
    """
    every = [load(name) for name in laws] or [law for _, law in shipped()]
    optimizers = optimizers or tuple(dict.fromkeys(law.optimizer for law in every))
    for optimizer in optimizers:
        bounds(optimizer)
    found = named_laws(laws, optimizers)
    if not found:
        raise ValueError(f"no shipped law is for {', '.join(optimizers)}: name a law of your own")
    default = SCHEDULES if DEFAULT_RATES.keys() >= {*optimizers} else ()
    return Contestants.of((*default, *methods) or (SCHEDULES[0] + TUNED,), found, optimizers)


def comparisons(folder: Path, suite: Suite, who: Contestants) -> list[Comparison]:
    """What the runs of a suite in a folder say, task by task; those of others are passed over.

    Raises ValueError where there are no records.
    """
    names = [*who.methods, *(name for name, _ in who.laws), REFERENCE]
    ends, curves = final_runs(folder), store.read_records(folder, CURVES)
    ends = ends[ends.method.isin(names)]
    found = []
    for task, spec in enumerate(suite.specs):
        for optimizer in who.optimizers:
            own, along = (
                table[(table.task == task) & table.optimizer.isin((optimizer, OWN))]
                for table in (ends, curves)
            )
            found.append(_compared(called(spec.name), optimizer, own, along))
    return found


def paired_regret(
    one: Float[np.ndarray, " seed"],
    other: Float[np.ndarray, " seed"],
    floor: float,
    chance_loss: float,
) -> Regret:
    """y(one) − y(other) of losses from the same seeds, and its interval."""

    def scores(means: Float[np.ndarray, " mean"]) -> Float[np.ndarray, " mean"]:
        return score(means, floor, chance_loss)

    (regret,) = scores(one.mean(keepdims=True)) - scores(other.mean(keepdims=True))
    error = jackknife_error(scores(left_out_means(one)) - scores(left_out_means(other)))
    regret, width = float(regret), student_width(len(one)) * float(error)
    return Regret(regret, regret - width, regret + width)


def verdict_of(where: str, row: Row, against: Row, schedule: str) -> Verdict:
    """A law's row beside the reference's, `schedule`; `where` says of which task and optimizer."""
    low, high = row.regret_low, row.regret_high
    law = f"law {row.method.removeprefix(PSI)}"
    tuned = f"the tuned schedule ({schedule})"
    ends = f"final validation loss {row.loss:.3g} against {against.loss:.3g}"
    if row.below_chance < 1:
        ends += f", {100 * (1 - row.below_chance):.0f} % of its runs end above the chance loss"
    if low <= 0 <= high:
        sentence = (
            f"{where}, neither {law} nor {tuned} is surely better: regret {row.regret:+.2g} nats, "
            f"95 % interval {low:+.2g} to {high:+.2g}; {law} has {ends}."
        )
        return Verdict(row.method, "neither", sentence)
    better = "schedule" if low > 0 else "law"
    first, second = (tuned, law) if better == "schedule" else (law, tuned)
    least, most = sorted((abs(low), abs(high)))
    sentence = (
        f"{where}, {first} is better than {second} by {abs(row.regret):.2g} nats, 95 % interval "
        f"{least:.2g} to {most:.2g}; {law} has {ends}."
    )
    return Verdict(row.method, better, sentence)


def _compared(task: str, optimizer: str, ends: pd.DataFrame, curves: pd.DataFrame) -> Comparison:
    tuned = ends[ends.method.isin([name + TUNED for name in SCHEDULES])]
    best = str(tuned.sort_values("tuning_score", kind="stable").method.iloc[0])
    by_method = {str(name): own.sort_values("seed") for name, own in ends.groupby("method")}
    along = {str(name): own for name, own in curves.groupby("method")}
    reference = by_method[REFERENCE]
    rows = [
        _row(name, own, reference, along[best if name == REFERENCE else name])
        for name, own in by_method.items()
    ]
    rows.sort(key=lambda row: (row.regret, row.method != REFERENCE))
    schedule = best.removesuffix(TUNED)
    (against,) = (row for row in rows if row.method == REFERENCE)
    laws = [row for row in rows if row.method.startswith(PSI)]
    said = [verdict_of(f"On {task} with {optimizer}", row, against, schedule) for row in laws]
    return Comparison(task, optimizer, schedule, rows, said)


def _row(method: str, own: pd.DataFrame, reference: pd.DataFrame, curves: pd.DataFrame) -> Row:
    floor, chance = float(own.floor.iloc[0]), float(own.chance_loss.iloc[0])
    losses, others = (
        capped(table.val_loss.to_numpy(np.float64), chance) for table in (own, reference)
    )
    width = student_width(len(losses)) * float(jackknife_error(left_out_means(losses)))
    mean = float(losses.mean())
    along = curves.assign(val_loss=capped(curves.val_loss.to_numpy(np.float64), chance))
    along = along.groupby("epoch")[["val_loss", "lr"]].mean()
    return Row(
        method, mean, mean - width, mean + width,
        *paired_regret(losses, others, floor, chance),
        float(own.accuracy.mean()), float((own.val_loss < chance).mean()),
        int(own.tuning_runs.iloc[0]),
        along.val_loss.tolist(),
        [rate if math.isfinite(rate) else None for rate in along.lr],
    )  # fmt: skip
