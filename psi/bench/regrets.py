"""Regrets of the rows of a table: over all tasks, over parts of a suite, and of other scores.

Each is taken against one method, on the methods that ran on every task under one optimizer, with
intervals over domains (psi.bench.statistics). Of fewer than FEWEST domains there are means alone.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
from jaxtyping import Float

from psi.bench.scores import Scores, domain_means
from psi.bench.statistics import (
    FEWEST,
    Interval,
    interquartile_regret,
    mean_regret,
    performance_profile,
    probability_of_improvement,
)

THRESHOLDS = np.linspace(-1, 2, 121)  # nats
OTHERS = ("train_loss", "test_loss")
RESAMPLES = 1000  # of interquartile means: the error of their width is 2 %


def scores_of(ends: pd.DataFrame, column: str = "val_loss") -> Scores:
    """Final losses of the methods that ran on every task, under one optimizer."""
    table = ends.pivot_table(
        index="task", columns=["method", "seed"], values=column, dropna=False, aggfunc="first"
    )
    ran = ends.groupby("method").task.nunique()
    methods = tuple(str(name) for name in ran.index[ran == ends.task.nunique()])
    losses = np.stack([table[name].to_numpy(np.float64) for name in methods], axis=1)
    facts = ends.groupby("task").first().loc[table.index]
    return Scores(
        methods, losses, facts.floor.to_numpy(), facts.chance_loss.to_numpy(),
        facts.domain.to_numpy(), facts.name.to_numpy(), np.arange(len(facts)),
    )  # fmt: skip


def regrets(scores: Scores, ends: pd.DataFrame, against: str) -> dict[str, np.ndarray]:
    """Mean regrets with intervals: of all, of parts of the suite, and of other scores."""
    stream = ends.groupby("task").stream.first()  # NaN: not known
    fixed, streams = (stream.eq(value).to_numpy() for value in (False, True))
    train, test = (replace(scores, losses=scores_of(ends, name).losses) for name in OTHERS)
    parts = {
        "regret_train": train.of(fixed),
        "regret_test": test,
        "regret_fixed": scores.of(fixed),
        "regret_streams": scores.of(streams),
        "regret_0001": replace(scores, resolution=0.001),
        "regret_01": replace(scores, resolution=0.1),
    }
    mean, low, high, p = _regret(scores, against)
    found = {"regret": mean, "low": low, "high": high, "p": p}
    for name, part in parts.items():
        ends_of = (name, f"{name}_low", f"{name}_high")
        known = name != "regret_test" or _tested(ends)
        values = _regret(part, against)[:3] if known else [np.full(len(mean), np.nan)] * 3
        found |= dict(zip(ends_of, values, strict=True))
    return found


def _tested(ends: pd.DataFrame) -> bool:
    """Whether every run that did not diverge has a test loss: older records have none."""
    return bool((ends.test_loss.notna() | ends.val_loss.isna()).all())


def _regret(scores: Scores, against: str) -> list[Float[np.ndarray, " method"]]:
    """Mean, low, high and p; of few domains the mean alone, of no tasks nothing."""
    if len(set(scores.domains)) >= FEWEST:
        return [*mean_regret(scores, against)]
    nothing = np.full(len(scores.methods), np.nan)
    regrets = scores.scores - scores.scores[:, [scores.column(against)]]
    mean = domain_means(scores, regrets).mean(0) if len(regrets) else nothing
    return [mean, nothing, nothing, nothing]


def shares(scores: Scores, against: str) -> dict[str, np.ndarray]:
    """Interquartile means of single runs' regrets and probabilities of improvement."""
    count = len(scores.methods)
    nothing = Interval(*[np.full(count, np.nan)] * 3)
    middle = better = nothing
    if len(set(scores.domains)) >= FEWEST:
        middle = interquartile_regret(scores, against, RESAMPLES)
        each = [probability_of_improvement(scores, name, against) for name in scores.methods]
        better = Interval(*map(np.array, zip(*each, strict=True)))
    fields = {"middle": middle, "better": better}
    return {
        name + end: getattr(interval, of)
        for name, interval in fields.items()
        for end, of in (("", "value"), ("_low", "low"), ("_high", "high"))
    }


def profile(scores: Scores, method: str, reference: str) -> pd.DataFrame:
    """The share of tasks on which a method's regret is at most tau, with the ends of a 95 % band.

    The band is of each tau by itself, and NaN for few domains.
    """
    pair = (reference, method)
    kept = [scores.column(name) for name in pair]
    two = replace(scores, methods=pair, losses=scores.losses[:, kept])
    if len(set(scores.domains)) >= FEWEST:
        band = performance_profile(two, reference, THRESHOLDS)
        share, low, high = (part[:, 1] for part in band)
    else:
        within = two.scores[:, 1:] - two.scores[:, :1] <= THRESHOLDS
        share, low = domain_means(two, within).mean(0), np.full(len(THRESHOLDS), np.nan)
        high = low
    return pd.DataFrame({"tau": THRESHOLDS, "share": share, "low": low, "high": high})
