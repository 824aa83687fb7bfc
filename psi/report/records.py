"""A picture of what a data set holds."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from psi.report.figures import save

SHOWN = 8  # tasks
OUTCOMES = (("exhausted", "0.6"), ("converged", "tab:blue"), ("diverged", "tab:red"))


def records_figure(tasks: pd.DataFrame, records: pd.DataFrame, path: Path) -> None:
    """What a data set holds, a column for each of the first eight tasks.

    Top: final validation loss of each run against its mean learning rate, at most twice the loss
    of chance, where diverged runs are too; dotted: the criterion. Bottom: 5, 25, 50, 75 and 95 %
    points of the learning rate over the epochs.
    """
    names = list(tasks.task[:SHOWN])
    figure = Figure(figsize=(2.4 * max(len(names), 2), 5.0), layout="constrained")
    axes = figure.subplots(2, len(names), squeeze=False)
    for column, name in enumerate(names):
        rows = records[records.task == name]
        fact = tasks[tasks.task == name].iloc[0]
        _losses(axes[0, column], rows, float(fact.criterion), 2 * float(fact.chance_loss))
        _rates(axes[1, column], rows)
        axes[0, column].set_title(name, fontsize=9)
    axes[0, 0].set_ylabel("final validation loss")
    axes[1, 0].set_ylabel("learning rate")
    axes[0, 0].legend(fontsize=7, loc="lower left", markerscale=6)
    save(figure, path)


def _losses(axis, rows: pd.DataFrame, criterion: float, top: float) -> None:
    runs = rows.assign(log_rate=np.log(rows.lr.clip(lower=1e-12))).groupby("run")
    table = pd.DataFrame({"rate": np.exp(runs.log_rate.mean()), "outcome": runs.outcome.first()})
    table["loss"] = runs.val_loss.last(skipna=False)
    # There is no criterion where every constant rate of the pilot diverged.
    known = np.isfinite(criterion) and criterion > 0
    low = criterion / 10 if known else top / 1000
    table["loss"] = table.loss.fillna(top).clip(low, top)
    for outcome, colour in OUTCOMES:
        of = table[table.outcome == outcome]
        axis.plot(of.rate, of.loss, ".", ms=1.5, alpha=0.6, mew=0, color=colour, label=outcome)
    if known:
        axis.axhline(criterion, lw=0.8, ls=":", color="k")
    axis.set(xscale="log", yscale="log", ylim=(low / 1.2, 1.2 * top))
    axis.set_xlabel("mean learning rate", fontsize=8)


def _rates(axis, rows: pd.DataFrame) -> None:
    points = rows.groupby("epoch").lr.quantile(np.array([0.05, 0.25, 0.5, 0.75, 0.95])).unstack()
    epoch = points.index.to_numpy()
    axis.fill_between(epoch, points[0.05], points[0.95], alpha=0.2, color="tab:blue", lw=0)
    axis.fill_between(epoch, points[0.25], points[0.75], alpha=0.3, color="tab:blue", lw=0)
    axis.plot(epoch, points[0.5], color="tab:blue")
    axis.set_yscale("log")
    axis.set_xlabel("epoch", fontsize=8)
