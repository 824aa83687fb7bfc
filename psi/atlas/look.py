"""How the best rates of an atlas spread."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from psi.ideal.returns import score

TARGETS = (("validation", "val_loss", "chance_loss"), ("train", "train_loss", "train_chance_loss"))


class Spread(NamedTuple):
    """Of the tasks under one optimizer, for one target."""

    optimizer: str
    target: str
    middle: float
    """Median of the linear schedule's best peak rate …"""
    low: float
    """… and its deciles."""
    high: float
    constant: float
    """Share of the tasks on which a schedule is best of the three."""
    linear: float
    cosine: float
    one_rate: float
    """Mean regret of the best single rate of a linear schedule [nats]."""


def scored(tasks: pd.DataFrame, runs: pd.DataFrame, target: str) -> pd.DataFrame:
    """The runs with their score y for a target."""
    _, loss, chance = next(row for row in TARGETS if row[0] == target)
    facts = tasks.set_index("task").loc[runs.task, ["floor", chance, "stream"]]
    # A stream's training loss is its validation loss.
    floor = np.where(facts.stream, facts.floor, 0.0)
    y = score(runs[loss].to_numpy(), floor, facts[chance].to_numpy())
    return runs.assign(y=y)


def best_rates(tasks: pd.DataFrame, runs: pd.DataFrame, target: str) -> pd.DataFrame:
    """The best run of each task, optimizer and schedule."""
    runs = scored(tasks, runs, target)
    return runs.loc[runs.groupby(["task", "optimizer", "schedule"]).y.idxmin()]


def spreads(tasks: pd.DataFrame, runs: pd.DataFrame) -> list[Spread]:
    """A row an optimizer and target, of an atlas's tables."""
    found = []
    for target, _, _ in TARGETS:
        every, best = scored(tasks, runs, target), best_rates(tasks, runs, target)
        for optimizer, own in best.groupby("optimizer"):
            linear = own[own.schedule == "linear"]
            low, middle, high = np.quantile(linear.rate, (0.1, 0.5, 0.9))
            winner = own.loc[own.groupby("task").y.idxmin()].schedule
            shares = [float((winner == name).mean()) for name in ("constant", "linear", "cosine")]
            table = every[(every.optimizer == optimizer) & (every.schedule == "linear")]
            regrets = table.pivot_table(index="task", columns="rate", values="y").dropna(axis=1)
            regrets = regrets.sub(own.groupby("task").y.min(), axis=0)
            one = float(regrets.mean().min())
            row = (str(optimizer), target, middle, low, high, *shares, one)
            found.append(Spread(*row[:2], *map(float, row[2:])))
    return found
