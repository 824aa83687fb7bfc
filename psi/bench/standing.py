"""Where contestants stand after a run of a suite: regrets, with what a claim about them needs.

The measures are never merged: regret, accuracy, reliability (the share of runs that reach the
criterion), the time to it, and the price. Figures are means over domains, of the means over their
tasks. Times are medians in which domains weigh equally, and never counts as infinite: the time by
which half of the runs were there. psi.bench.suite_runs has the reference, the criterion and the
costs.

The price of a row is how many runs a random search needs to match it: the smallest number whose
mean regret is at most the row's. Between the numbers that were run nothing is interpolated.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from psi.bench.regrets import profile, regrets, scores_of, shares
from psi.bench.scores import Scores
from psi.bench.statistics import holm
from psi.bench.suite_runs import REFERENCE, final_runs, means, medians
from psi.law.checks import unknown

SEARCH = re.compile(r"random search, (\d+) runs?")
COLUMNS = (
    "optimizer", "method", "regret [95 %]", "p", "IQM", "P(better)", "accuracy",
    "reliability", "epochs to criterion", "price", "tuning runs",
)  # fmt: skip


class Standing(NamedTuple):
    """A row of the table: one contestant beside the reference, over all tasks of the suite."""

    optimizer: str
    method: str
    kind: str
    """reference, tuned, law, calibrated, search or rule."""
    regret: float
    """Mean over domains [nats]; negative is better. With a 95 % interval over domains."""
    low: float
    high: float
    p: float
    """Of a mean of 0, corrected over the rows of the optimizer (Holm); NaN for few domains."""
    middle: float
    """Interquartile mean of single runs' regrets [nats]."""
    better: float
    """Probability that a run of it ends lower than one of the reference."""
    accuracy: float
    """Share right on the test split, or R² of a regression; 0 where that is negative."""
    reliability: float
    """Share of runs that reach the criterion."""
    epochs_to: float
    """Epochs by which half of the runs have reached the criterion; infinite: fewer do."""
    price: float
    """Runs of the smallest random search that matches it; infinite: the largest does not."""
    tuning_runs: float
    middle_low: float
    middle_high: float
    better_low: float
    better_high: float
    regret_test: float
    """Of the loss on the test split, which no policy sees; floor and chance of the validation's."""
    regret_test_low: float
    regret_test_high: float
    regret_train: float
    """Of the training loss, on fixed data."""
    regret_train_low: float
    regret_train_high: float
    regret_fixed: float
    """On fixed data."""
    regret_fixed_low: float
    regret_fixed_high: float
    regret_streams: float
    """On streams."""
    regret_streams_low: float
    regret_streams_high: float
    regret_0001: float
    """With 0.001 in place of 0.01."""
    regret_0001_low: float
    regret_0001_high: float
    regret_01: float
    """With 0.1 in place of 0.01."""
    regret_01_low: float
    regret_01_high: float
    below_chance: float
    """Share of runs that end below the chance loss."""
    steps_to: float
    """Gradient steps to the criterion, as `epochs_to`."""
    operations_to: float
    seconds_to: float
    """Of one training, compilation excluded."""
    operations: float
    """Of a run and all of its tuning; the median over runs."""


def standings(folder: Path, against: str = REFERENCE) -> list[Standing]:
    """The table of a run, the lowest regret first within each optimizer.

    Args:
        folder: what `psi bench suite` has written.
        against: the method that all are compared with.

    Returns:
        A row for every method that ran on every task of the optimizer. p is corrected where all
        are compared with the reference.

    Raises:
        ValueError: there are no records, no tuned schedules, or no such method.
    """
    return standings_of(final_runs(folder), against)


def standings_of(ends: pd.DataFrame, against: str = REFERENCE) -> list[Standing]:
    """The same from `psi.bench.suite_runs.final_runs`; only optimizers that have `against`."""
    found, names = [], set[str]()
    for optimizer, own in ends.groupby("optimizer"):
        scores = scores_of(own)
        names |= {*scores.methods}
        if against in scores.methods:
            found += _of_optimizer(str(optimizer), own, scores, against)
    if not found:
        raise ValueError(unknown("method that ran on every task", against, sorted(names)))
    return found


def price(regret: float, searches: Mapping[int, float]) -> float:
    """The smallest random search whose mean regret is at most `regret`; NaN where none was run.

    >>> from psi.bench.standing import price
    >>> price(0.1, {3: 0.5, 10: 0.2, 30: 0.05}), price(-1.0, {3: 0.5})
    (30, inf)
    """
    enough = [runs for runs, mean in sorted(searches.items()) if mean <= regret]
    return float(enough[0]) if enough else np.inf if searches else np.nan


def cells(rows: Sequence[Standing]) -> list[list[str]]:
    """The columns that people look at, COLUMNS, as text."""
    searched: dict[str, list[int]] = {}
    for row in rows:
        if match := SEARCH.fullmatch(row.method):
            searched.setdefault(row.optimizer, []).append(int(match[1]))
    return [
        [
            row.optimizer, row.method, _interval(row),
            *(_short(value) for value in row[6:11]),
            "never" if np.isinf(row.epochs_to) else _short(row.epochs_to),
            _price_text(row.price, searched.get(row.optimizer, [])), f"{row.tuning_runs:g}",
        ]
        for row in rows
    ]  # fmt: skip


def _interval(row: Standing) -> str:
    return f"{row.regret:.2f}" + f" [{row.low:.2f}, {row.high:.2f}]" * (not np.isnan(row.low))


def _short(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3g}"


def _price_text(value: float, searched: Sequence[int]) -> str:
    if not searched:
        return "-"
    if np.isinf(value):
        return f">{max(searched)}"
    return f"≤{value:g}" if value == min(searched) else f"{value:g}"


def profiles_of(ends: pd.DataFrame, rows: Sequence[Standing]) -> pd.DataFrame:
    """Performance profiles of a few rows: the share of tasks with a regret of at most τ.

    Of each optimizer: its laws, the best calibrated row, the best other rule that needs no tuning,
    and the schedules tuned on the task. Columns: optimizer, method, kind, tau, share, low, high.
    """
    found = [
        profile(scores, row.method, REFERENCE).assign(
            optimizer=name, method=row.method, kind=row.kind
        )
        for name, own in ends.groupby("optimizer")
        for scores in [scores_of(own)]
        for row in _shown([row for row in rows if row.optimizer == name])
    ]
    return pd.concat(found, ignore_index=True)


def _shown(rows: Sequence[Standing]) -> list[Standing]:
    """Rows of an optimizer whose profiles are drawn; `rows` begin with the lowest regret."""
    chosen = [row for row in rows if row.kind == "law"]
    for wanted in ("calibrated", "rule"):
        chosen += [row for row in rows if row.kind == wanted][:1]
    return chosen + [row for row in rows if row.kind == "tuned"]


def _of_optimizer(
    optimizer: str, ends: pd.DataFrame, scores: Scores, against: str
) -> list[Standing]:
    found = regrets(scores, ends, against) | shares(scores, against)
    found["p"] = _p_values(found["p"], scores.column(against), against == REFERENCE)
    table = pd.DataFrame({"method": scores.methods} | found).set_index("method")
    table = table.join(means(ends)).join(medians(ends))
    searches = {
        int(match[1]): float(table.regret[name])
        for name in scores.methods
        if (match := SEARCH.fullmatch(name))
    }
    table = table.reset_index().assign(
        optimizer=optimizer,
        price=[price(value, searches) for value in table.regret],
        kind=ends.groupby("method").kind.first()[table.index].to_numpy(),
    )
    ordered = table.sort_values("regret", kind="stable")[list(Standing._fields)]
    return [Standing(*row) for row in ordered.itertuples(index=False)]


def _p_values(p: np.ndarray, own: int, correct: bool) -> np.ndarray:
    """Of all but the method that the others are compared with; its own is NaN."""
    others = np.delete(p, own)
    return np.insert(holm(others) if correct else others, own, np.nan)
