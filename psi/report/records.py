"""A picture of what a data set holds."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from psi.report.axes import RED, beyond, integers, legend_below, panel_title, with_unit
from psi.report.figures import save

SHOWN = 8  # tasks
DOTS: dict[str, Any] = {"ms": 3, "alpha": 0.6, "mew": 0}
OUTCOMES = (("exhausted", "0.6"), ("converged", "tab:blue"), ("diverged", RED))


def records_figure(tasks: pd.DataFrame, records: pd.DataFrame, path: Path) -> None:
    """What a data set holds, a column for each of the first eight tasks.

    Top: final validation loss of each run against its mean learning rate. Triangles at the top
    are runs whose loss is not finite or above twice the loss of chance. Bottom: quantiles of the
    learning rate over the epochs.
    """
    names = list(tasks.task[:SHOWN])
    figure = Figure(figsize=(2.4 * max(len(names), 2), 5.0), layout="constrained")
    axes = figure.subplots(2, len(names), squeeze=False)
    for column, name in enumerate(names):
        rows = records[records.task == name]
        fact = tasks[tasks.task == name].iloc[0]
        _losses(axes[0, column], rows, float(fact.criterion), 2 * float(fact.chance_loss))
        _rates(axes[1, column], rows)
        panel_title(axes[0, column], name)
    shown = tasks.loss[tasks.task.isin(names)]
    axes[0, 0].set_ylabel(with_unit("final validation loss", shown))
    axes[1, 0].set_ylabel("learning rate")
    integers(*axes[1])
    legend_below(figure)
    save(figure, path)


def _losses(axis: Axes, rows: pd.DataFrame, criterion: float, top: float) -> None:
    runs = rows.assign(log_rate=np.log(rows.lr.clip(lower=1e-12))).groupby("run")
    table = pd.DataFrame({"rate": np.exp(runs.log_rate.mean()), "outcome": runs.outcome.first()})
    table["loss"] = runs.val_loss.last(skipna=False)
    for outcome, colour in OUTCOMES:
        of = table[(table.outcome == outcome) & (table.loss <= top)]
        if len(of):
            axis.plot(of.rate, of.loss, "o", color=colour, label=outcome, **DOTS)
    beyond(axis, table.rate, table.loss, top, "diverged, or above twice the loss of chance")
    # There is no criterion where every constant rate of the pilot diverged.
    if np.isfinite(criterion) and criterion > 0:
        axis.axhline(criterion, lw=0.8, ls=":", color="k", label="criterion")
    positive = (table.loss[table.loss <= top] > 0).all() and top > 0
    axis.set(xscale="log", yscale="log" if positive else "linear", xlabel="mean learning rate")


def _rates(axis: Axes, rows: pd.DataFrame) -> None:
    points = rows.groupby("epoch").lr.quantile(np.array([0.05, 0.25, 0.5, 0.75, 0.95])).unstack()
    epoch = points.index.to_numpy()
    axis.fill_between(
        epoch, points[0.05], points[0.95], alpha=0.2, color="tab:blue", lw=0, label="5 to 95 %"
    )
    axis.fill_between(
        epoch, points[0.25], points[0.75], alpha=0.4, color="tab:blue", lw=0, label="25 to 75 %"
    )
    axis.plot(epoch, points[0.5], "o-", ms=2, color="tab:blue", label="median")
    axis.set(yscale="log", xlabel="epoch")
