"""How the best rates of an atlas spread."""

from typing import NamedTuple, get_args

import numpy as np
import pandas as pd

from psi.fit.scale.table import Atlas
from psi.fit.scale.tuned import Target, scored, with_floors


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


def best_rates(atlas: Atlas, target: Target) -> pd.DataFrame:
    """The best run of each task, optimizer and schedule, with its `score`."""
    return _best(_scored(atlas, with_floors(atlas), target))


def spreads(atlas: Atlas) -> list[Spread]:
    """A row an optimizer and target, of an atlas's tables."""
    tasks, found = with_floors(atlas), []
    for target in get_args(Target):
        every = _scored(atlas, tasks, target)
        for optimizer, own in _best(every).groupby("optimizer"):
            linear = own[own.schedule == "linear"]
            low, middle, high = np.quantile(linear.rate, (0.1, 0.5, 0.9))
            winner = own.loc[own.groupby("task").score.idxmin()].schedule
            shares = [float((winner == name).mean()) for name in ("constant", "linear", "cosine")]
            table = every[(every.optimizer == optimizer) & (every.schedule == "linear")]
            regrets = table.pivot_table(index="task", columns="rate", values="score")
            regrets = regrets.dropna(axis=1).sub(own.groupby("task").score.min(), axis=0)
            one = float(regrets.mean().min())
            row = (str(optimizer), target, middle, low, high, *shares, one)
            found.append(Spread(*row[:2], *map(float, row[2:])))
    return found


def _scored(atlas: Atlas, tasks: pd.DataFrame, target: Target) -> pd.DataFrame:
    """All runs with their scores; each optimizer has a grid of its own."""
    each = [scored(own, tasks, target) for _, own in atlas.runs.groupby("optimizer")]
    return pd.concat(each, ignore_index=True)


def _best(runs: pd.DataFrame) -> pd.DataFrame:
    return runs.loc[runs.groupby(["task", "optimizer", "schedule"]).score.idxmin()]
