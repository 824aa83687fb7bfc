"""Where contestants stand after a run of a suite: regrets, with what a claim about them needs.

The reference of a task is its tuned schedule: of constant, linear and cosine the one that was best
on the tuning seeds, scored on others. The measures are never merged: regret, accuracy, reliability
(the share of runs that end below the chance loss) and the runs that tuning took stand apart.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from psi.bench.baselines import SCHEDULES
from psi.bench.contestants import OWN, TUNED
from psi.bench.scores import Scores, domain_means
from psi.bench.statistics import (
    FEWEST,
    holm,
    interquartile_mean,
    mean_regret,
    probability_of_improvement,
    run_regrets,
)
from psi.lab.data import store

REFERENCE = "tuned reference"
COLUMNS = (
    "optimizer", "task", "method", "name", "domain", "floor", "chance_loss", "tuning_score",
    "tuning_runs", "seed", "epoch", "val_loss", "accuracy",
)  # fmt: skip


class Standing(NamedTuple):
    """A row of the table: one contestant beside the reference, over all tasks of the suite."""

    optimizer: str
    method: str
    regret: float
    """Mean over domains [nats]; negative is better."""
    low: float
    high: float
    p: float
    """Of a mean of 0, corrected over the rows of the optimizer (Holm); NaN for few domains."""
    middle: float
    """Interquartile mean of single runs' regrets [nats]."""
    better: float
    """Probability that a run of it ends lower than one of the reference."""
    accuracy: float
    reliability: float
    tuning_runs: float


def standings(folder: Path) -> list[Standing]:
    """The table of a run, the lowest regret first within each optimizer.

    Raises ValueError where there are no records, or no tuned schedules to compare with.
    """
    ends = final_runs(folder)
    found = []
    for optimizer in sorted(set(ends.optimizer) - {OWN}):
        own = ends[ends.optimizer.isin((optimizer, OWN))]
        found += _of_optimizer(optimizer, own)
    return found


def final_runs(folder: Path) -> pd.DataFrame:
    """The last epoch of every run, a row each, with the reference of each task as a method."""
    runs = store.read_records(folder, COLUMNS)
    last = runs.groupby(["optimizer", "task", "method"]).epoch.transform("max")
    ends = runs[runs.epoch == last]
    tuned = ends[ends.method.isin([name + TUNED for name in SCHEDULES])]
    if tuned.empty:
        wanted = ", ".join(f"'{name}{TUNED}'" for name in SCHEDULES)
        raise ValueError(f"{folder} holds no tuned schedule to compare with: run {wanted}")
    keys = ["optimizer", "task"]
    best = tuned.groupby(keys).tuning_score.transform("min")
    reference = tuned[tuned.tuning_score == best].drop_duplicates([*keys, "seed"])
    taken = reference.merge(tuned.groupby([*keys, "seed"]).tuning_runs.sum().rename("all"),
                            on=[*keys, "seed"])  # fmt: skip
    taken = taken.assign(method=REFERENCE, tuning_runs=taken["all"]).drop(columns="all")
    return pd.concat([ends, taken], ignore_index=True)


def scores_of(ends: pd.DataFrame) -> Scores:
    """Final losses of the methods that ran on every task, under one optimizer."""
    table = ends.pivot_table(
        index="task", columns=["method", "seed"], values="val_loss", dropna=False, aggfunc="first"
    )
    ran = ends.groupby("method").task.nunique()
    methods = tuple(str(name) for name in ran.index[ran == len(table)])
    losses = np.stack([table[name].to_numpy(np.float64) for name in methods], axis=1)
    facts = ends.groupby("task").first().loc[table.index]
    return Scores(
        methods, losses, facts.floor.to_numpy(), facts.chance_loss.to_numpy(),
        facts.domain.to_numpy(), facts.name.to_numpy(), np.zeros(len(facts), int),
    )  # fmt: skip


def _of_optimizer(optimizer: str, ends: pd.DataFrame) -> list[Standing]:
    scores = scores_of(ends)
    own = scores.scores - scores.scores[:, [scores.column(REFERENCE)]]
    mean = domain_means(scores, own).mean(0)
    low = high = p = np.full(len(mean), np.nan)
    better = np.full(len(mean), np.nan)
    if len(set(scores.domains)) >= FEWEST:
        found = mean_regret(scores, REFERENCE)
        low, high, p = found.low, found.high, _corrected(found.p, scores.column(REFERENCE))
        names = scores.methods
        better = [probability_of_improvement(scores, each, REFERENCE).value for each in names]
    singles = run_regrets(scores, REFERENCE)
    by_method = ends.assign(fine=ends.val_loss < ends.chance_loss).groupby("method")
    means = {
        str(name): own
        for name, own in by_method[["accuracy", "fine", "tuning_runs"]].mean().iterrows()
    }
    rows = [
        Standing(
            optimizer, name, float(mean[k]), float(low[k]), float(high[k]), float(p[k]),
            interquartile_mean(singles[k]), float(better[k]),
            *map(float, means[name]),
        )
        for k, name in enumerate(scores.methods)
    ]  # fmt: skip
    return sorted(rows, key=lambda row: row.regret)


def _corrected(p: np.ndarray, reference: int) -> np.ndarray:
    others: Sequence[int] = [k for k in range(len(p)) if k != reference]
    return np.insert(holm(p[others]), reference, np.nan)
