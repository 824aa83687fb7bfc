"""Choose one setting for all tasks, on the suite `train`: what a user has who does not tune.

    python -m experiments.calibrate

trains every task under every optimizer over a grid of rates (data/calibration.parquet, resumable)
and writes psi/bench/baselines/calibrated.json: of each plain schedule the rate with the lowest mean
score over domains; of linear × P^u the pair of rate and exponent; of NAdamW under cosine its rate.
A rate between two of the grid has the score that lies linearly between theirs in log α. Of text,
whose lowest loss is not known, scores are of the loss itself.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic

import numpy as np
import pandas as pd
import tyro
from jaxtyping import Float
from scipy.optimize import minimize

from psi.bench.baselines import SCHEDULES, entered, plain_rates
from psi.bench.baselines.calibrated import FILE, NADAMW
from psi.bench.running import key_of
from psi.bench.suites import Suite, suite
from psi.bench.tuning import RATES
from psi.ideal.oracle import trajectory_losses
from psi.ideal.returns import capped, score
from psi.lab.data.store import parquet
from psi.lab.engine.devices import beside
from psi.lab.engine.policy import trajectory
from psi.lab.engine.population import population
from psi.lab.engine.seeds import TUNING
from psi.lab.engine.work import Layout
from psi.lab.optimizers import bounds
from psi.lab.tasks.carried import CARRIED
from psi.lab.tasks.table import spec_task
from psi.law.file import write_atomic
from psi.report.progress import bar

TABLE = Path("data/calibration.parquet")
SEEDS = TUNING.array(4)
OPTIMIZERS = ("sgd", "momentum", "adam", "nadamw")
EXPONENTS = np.linspace(-1, 0.5, 31)


@dataclass(frozen=True)
class Main:
    """Measure what is missing of the grid, and choose."""

    out: Path = FILE
    minutes: float = float("inf")
    """Begin nothing new after so long; then nothing is chosen."""

    def run(self) -> None:
        """Do it."""
        from psi.lab.engine.devices import prepare

        prepare()
        train, end = suite("train"), monotonic() + 60 * self.minutes
        parts = [kept(train)] if TABLE.exists() else []
        known = {pair for part in parts for pair in zip(part.optimizer, part.task, strict=True)}
        wanted = [(o, n) for n in range(len(train.specs)) for o in OPTIMIZERS]
        wanted = sorted((pair for pair in wanted if pair not in known), key=partial(text, train))

        def one(pair: tuple[str, int]) -> pd.DataFrame | None:
            return grid(train, *pair) if monotonic() < end else None

        with bar("calibration") as update:
            for done, part in enumerate(beside(one, wanted)):
                parts += [] if part is None else [part]
                if done % 10 == 9 or done == len(wanted) - 1:
                    write_atomic(TABLE, parquet(pd.concat(parts)))
                update(done + 1, len(wanted), train.specs[wanted[done][1]].name)
        table = pd.concat(parts)
        pairs = table[["optimizer", "task"]].drop_duplicates()
        if len(pairs) == len(train.specs) * len(OPTIMIZERS):
            content = json.dumps(chosen(table, train.digest), indent=1) + "\n"
            write_atomic(self.out, content.encode())


def kept(train: Suite) -> pd.DataFrame:
    """What was measured on this very list of tasks."""
    table = pd.read_parquet(TABLE)
    return table[table.suite == train.digest]


def text(train: Suite, pair: tuple[str, int]) -> bool:
    """Whether a task is of text, whose trainings take ten to fifty times as long as others'."""
    row = CARRIED.get(train.specs[pair[1]].name)
    return row is not None and row.kind == "text"


def grid(train: Suite, optimizer: str, number: int) -> pd.DataFrame:
    """The score of each schedule of an optimizer at each rate of the grid, on one task."""
    own = optimizer == "nadamw"
    task = spec_task(train.specs[number], "adam" if own else optimizer)
    seeds = SEEDS[:1] if text(train, (optimizer, number)) else SEEDS
    facts, names = task.facts, ("cosine",) if own else SCHEDULES
    rates = np.geomspace(*bounds(facts.optimizer), RATES)
    plans = np.concatenate([np.outer(rates, plain_rates(name, facts.epochs)) for name in names])
    if own:
        shape = Layout(RATES, len(seeds))
        lanes, entry = plans.astype(np.float32), entered(task, NADAMW)
        runs = population(
            entry, trajectory, lanes, seeds, key_of(number), shape, keep=("val_loss",)
        )
        losses = capped(np.asarray(runs.val_loss[:, :, -1], np.float64), facts.chance_loss).mean(1)
    else:
        losses = trajectory_losses(task, plans, seeds, key_of(number)).mean(0)
    return pd.DataFrame(
        {
            "suite": train.digest,
            "optimizer": optimizer,
            "task": number,
            "name": task.name,
            "domain": facts.domain,
            "parameters": facts.parameters,
            "schedule": np.repeat(names, RATES),
            "rate": np.tile(rates, len(names)),
            "score": score(losses, facts.floor, facts.chance_loss),
        }
    )


def chosen(table: pd.DataFrame, digest: str) -> dict[str, object]:
    """The settings, by optimizer and schedule."""
    settings: dict[str, dict[str, float]] = {}
    power: dict[str, tuple[float, float]] = {}
    for (optimizer, schedule), own in table.groupby(["optimizer", "schedule"]):  # pyright: ignore
        mean = curve(own)
        logs = np.log(np.sort(own.rate.unique()))
        fine = np.linspace(logs[0], logs[-1], 16 * (RATES - 1) + 1)
        best = fine[np.argmin([mean(log, 0.0) for log in fine])]
        settings.setdefault(str(optimizer), {})[str(schedule)] = float(np.exp(best))
        if schedule == "linear":
            power[str(optimizer)] = powered(mean, fine[::4])
    return {"suite": digest, "rates": settings, "power": power}


def powered(
    mean: Callable[[float, float], float], logs: Float[np.ndarray, " rate"]
) -> tuple[float, float]:
    """(c, u) of the best c (P/1000)^u: the best of a grid, polished."""
    _, *start = min((mean(log, u), log, u) for u in EXPONENTS for log in logs)
    log, exponent = minimize(lambda v: mean(*v), start, method="Nelder-Mead").x
    return float(np.exp(log)), float(exponent)


def curve(own: pd.DataFrame) -> Callable[[float, float], float]:
    """(log c, u) → mean over domains of the mean score of α = c (P/1000)^u over their tasks."""
    table = own.pivot_table(index="task", columns="rate", values="score")
    facts = own.groupby("task").first().loc[table.index]
    logs, scores = np.log(table.columns.to_numpy(float)), table.to_numpy()
    size = np.log(facts.parameters.to_numpy() / 1000)
    domain = pd.factorize(facts.domain)[0]
    weight: Float[np.ndarray, " task"] = 1 / np.bincount(domain)[domain] / (domain.max() + 1)

    def mean(log: float, exponent: float) -> float:
        at = np.clip(log + exponent * size, logs[0], logs[-1])
        place = (at - logs[0]) / (logs[1] - logs[0])
        left = np.minimum(place.astype(int), len(logs) - 2)
        share, row = place - left, np.arange(len(scores))
        return float(weight @ ((1 - share) * scores[row, left] + share * scores[row, left + 1]))

    return mean


if __name__ == "__main__":
    tyro.cli(Main).run()
