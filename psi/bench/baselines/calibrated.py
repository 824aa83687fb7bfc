"""One setting for all tasks, chosen on the suite `train`: what a user has who does not tune.

`python -m experiments.calibrate` trains every task of that suite over a grid of rates and chooses,
by the mean score over domains: calibrated.json. No task of another suite is seen.
"""

import json
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import optax
from jaxtyping import Array, Key

from psi.bench.baselines import schedules
from psi.bench.baselines.baseline import Baseline, Measured, descending
from psi.lab.optimizers import bounds
from psi.lab.tasks.task import Task

FILE = Path(__file__).with_name("calibrated.json")
CALIBRATED = ", calibrated"
CHOSEN = "chosen on the suite train: experiments/calibrate.py"


class Calibration(NamedTuple):
    """What was chosen."""

    suite: str
    """SHA-256 of the list of tasks."""
    rates: dict[str, dict[str, float]]
    """Of each optimizer and plain schedule the peak rate."""
    power: dict[str, tuple[float, float]]
    """Of each optimizer c and u of the linear schedule's peak rate c (P/1000)^u."""


@cache
def calibration() -> Calibration:
    """The calibration of calibrated.json."""
    return Calibration(**json.loads(FILE.read_text()))


def calibrated_rates(optimizer: str) -> dict[str, float]:
    """The peak rate of each plain schedule. Raises ValueError for an optimizer without."""
    rates = calibration().rates
    if optimizer not in calibration().power:
        known = ", ".join(sorted(calibration().power))
        raise ValueError(f"rates are calibrated for {known}; got {optimizer!r}")
    return rates[optimizer]


def _rate(schedule: str, task: Task, seeds: np.ndarray, key: Key[Array, ""]) -> Measured:
    del key
    return Measured(np.full(len(seeds), calibrated_rates(task.facts.optimizer)[schedule]), 0)


def _scaled(task: Task, seeds: np.ndarray, key: Key[Array, ""]) -> Measured:
    del key
    calibrated_rates(task.facts.optimizer)
    c, u = calibration().power[task.facts.optimizer]
    # Within the grid: what lies beyond was never tried.
    rate = np.clip(c * (task.facts.parameters / 1000) ** u, *bounds(task.facts.optimizer))
    return Measured(np.full(len(seeds), rate), 0)


def _row(schedule: str) -> Baseline:
    return Baseline(
        schedule + CALIBRATED,
        partial(schedules.planned, schedule),
        tuned=False,
        measure=partial(_rate, schedule),
        formula=f"{schedules.FORMULAS[schedule]}, α the same for all tasks",
        source=CHOSEN,
    )


def _nadamw() -> optax.GradientTransformation:
    return descending(partial(optax.nadamw, 1.0))


NADAMW = Baseline(
    "nadamw, cosine" + CALIBRATED,
    partial(schedules.planned, "cosine"),
    optimizer=_nadamw,
    default=calibration().rates["nadamw"]["cosine"],
    tuned=False,
    formula="nadamw under the cosine schedule, α the same for all tasks",
    source=f"Dahl et al. 2023, arXiv 2306.07179; {CHOSEN}",
)
ROWS = (
    *(_row(schedule) for schedule in schedules.SCHEDULES),
    Baseline(
        "linear × P^u" + CALIBRATED,
        partial(schedules.planned, "linear"),
        tuned=False,
        measure=_scaled,
        sees=("epoch", "parameters"),
        formula="α = c (P/1000)^u, α_i = α (1 − i/T), c and u the same for all tasks",
        source=CHOSEN,
    ),
    NADAMW,
)
