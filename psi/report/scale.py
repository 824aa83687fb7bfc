"""Figures of what the ideal rate depends on: shares of its variance, and regret by tasks."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from psi.report.axes import RED, legend_below, panel_title
from psi.report.figures import save

COLOURS = {
    "domain, by facts": "tab:blue",
    "within domains, by facts": "tab:cyan",
    "domain, else": "tab:orange",
    "noise of the label": "0.8",
    "unexplained": "0.5",
}
"""Of the parts of the variance, in the order in which they are stacked."""
LEAST = 0.05  # a share that is large enough for its number to stand in it
PANEL = 3.2  # inches


def variance_figure(shares: pd.DataFrame, path: Path) -> None:
    """A bar that adds to one for each law.

    `shares`: optimizer, target, part, share; parts as in psi.fit.scale.variance.
    """
    table = shares.pivot_table(
        index=["optimizer", "target"], columns="part", values="share", sort=False
    )
    figure = Figure(figsize=(7.0, 1.1 + 0.34 * len(table)), layout="constrained")
    axis: Any = figure.subplots()
    place, left = np.arange(len(table)), np.zeros(len(table))
    for part, colour in COLOURS.items():
        width = table[part].to_numpy()
        bars = axis.barh(place, width, left=left, color=colour, label=part, height=0.7)
        texts = [f"{each:.0%}" if each >= LEAST else "" for each in width]
        axis.bar_label(bars, texts, label_type="center", fontsize=7)
        left = left + width
    axis.set_yticks(place, [f"{name}, {target}" for name, target in table.index])
    axis.invert_yaxis()
    axis.set(xlim=(0, 1), xlabel="share of the variance of log α* between tasks")
    legend_below(figure)
    save(figure, path)


def learning_figure(curves: pd.DataFrame, path: Path) -> None:
    """The regret on left-out domains by the number of tasks; a panel an optimizer.

    `curves`: optimizer, target, tasks, regret, low, high.
    """
    panels = [*curves.groupby("optimizer", sort=False)]
    figure = Figure(figsize=(PANEL * len(panels), 3.2), layout="constrained")
    axes: Any = figure.subplots(1, len(panels), sharey=True, squeeze=False)
    for axis, (name, own) in zip(axes[0], panels, strict=True):
        _learning_panel(axis, own)
        panel_title(axis, str(name))
    axes[0][0].set_ylabel("regret on left-out domains [nats]")
    legend_below(figure)
    save(figure, path)


def _learning_panel(axis: Axes, curves: pd.DataFrame) -> None:
    for target, colour in (("validation", RED), ("train", "tab:blue")):
        own = curves[curves.target == target]
        axis.fill_between(own.tasks, own.low, own.high, color=colour, alpha=0.15, lw=0)
        axis.plot(own.tasks, own.regret, "o-", color=colour, label=f"target {target}", ms=4)
    axis.set(xscale="log", xlabel="tasks that the law is fitted to", ylim=(0, None))
    axis.grid(alpha=0.25, lw=0.5)
