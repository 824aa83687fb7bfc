"""Figures of the estimates that psi ideal makes, each drawn from its tables."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from psi.report.axes import (
    BLOWN_UP,
    DOT,
    FONT,
    GREY,
    LABEL,
    NO_DATA,
    integers,
    legend_below,
    panel_title,
    with_unit,
)
from psi.report.figures import binned_mean, save

SHOWN = 4  # tasks
GAIN = "gain of one epoch, log of the excess loss"

NEVER = Patch(fc="w", ec="0.6", hatch="///", label="most runs never met the criterion")

Edges = Float[np.ndarray, " edge"]


def gain_figure(surface: pd.DataFrame, path: Path, losses: Mapping[str, str] | None = None) -> None:
    """What an epoch at a rate gained, over loss and rate: a column a task, the first four.

    Top: the first half of the epochs, bottom: the second. Means over epoch bins, by visits; what
    was not visited is grey. The line joins the best visited rate of each loss. `losses`: task →
    the name of its loss, for units.
    """
    names = list(pd.unique(surface.group))[:SHOWN]
    figure = Figure(figsize=(1.5 + 2.5 * len(names), 5.0), layout="constrained")
    axes = figure.subplots(2, len(names), squeeze=False, sharex="col", sharey=True)
    middle = (surface.epoch_low.min() + surface.epoch_high.max()) / 2
    halves = (surface.epoch_high <= middle, surface.epoch_high > middle)
    top = _quantile(surface.rate.abs(), 0.95)
    colours = ScalarMappable(Normalize(-top, top), "RdBu")
    for column, name in enumerate(names):
        for row, half in enumerate(halves):
            _gained(axes[row, column], surface[(surface.group == name) & half], colours)
        panel_title(axes[0, column], name)
        axes[1, column].set_xlabel(with_unit("loss ε", [(losses or {}).get(name, "")]))
    for row, name in enumerate(("first half", "second half")):
        axes[row, 0].set_ylabel(f"learning rate, {name}")
    figure.colorbar(colours, ax=axes, label=GAIN, extend="both")
    legend_below(figure, NO_DATA)
    save(figure, path)


def _gained(axis: Axes, own: pd.DataFrame, colours: Any) -> None:
    axis.set_facecolor(GREY)
    if own.empty:
        return
    losses, rates, table = _over(own, "loss", "rate")
    axis.pcolormesh(losses, rates, table.T, cmap=colours.cmap, norm=colours.norm)
    axis.set(xscale="log", yscale="log")
    x, y = np.sqrt(losses[1:] * losses[:-1]), np.sqrt(rates[1:] * rates[:-1])
    seen = np.isfinite(table)
    if min(table.shape) > 1 and (table[seen] < 0).any() and (table[seen] > 0).any():
        filled = np.ma.masked_invalid(table.T)
        axis.contour(x, y, filled, levels=[0.0], colors="tab:purple", linewidths=0.8)
        axis.plot([], [], color="tab:purple", lw=0.8, label="gain of zero")
    known = seen.sum(1) >= 3
    best = np.argmax(np.where(seen, table, -np.inf), axis=1)
    axis.plot(x[known], y[best[known]], "k.-", ms=DOT, lw=0.7, label="best rate at a loss")


def _over(
    own: pd.DataFrame, across: str, value: str
) -> tuple[Edges, Edges, Float[np.ndarray, "x y"]]:
    """Edges of `across`, edges of the rate, and a mean by visits; NaN where nothing was visited."""
    known = own[own.visited & np.isfinite(own[value])]
    x, y = _edges(own, across), _edges(own, "lr")
    return x, y, binned_mean(known[across], known.lr, (x, y), known[value], known.visits)


def _edges(own: pd.DataFrame, across: str) -> Edges:
    return np.unique(np.append(own[f"{across}_low"], own[f"{across}_high"].max()))


def relief_figure(surface: pd.DataFrame, path: Path) -> None:
    """The pooled relative surface in three dimensions, early, in the middle and late in training.

    Height: the gain of one epoch, over loss and rate; what lost more than half of the
    largest gain is cut off there. A gap was not visited.
    """
    first = np.unique(surface.epoch_low)
    chosen = first[np.unique(np.linspace(0, len(first) - 1, 3).round().astype(int))]
    figure = Figure(figsize=(4.3 * len(chosen) + 0.8, 4.2))
    high = _quantile(surface.rate, 0.98)
    colours = ScalarMappable(Normalize(-high / 2, high), "viridis")
    for number, begin in enumerate(chosen):
        own = surface[surface.epoch_low == begin]
        axis: Any = figure.add_subplot(1, len(chosen), number + 1, projection="3d")
        _bars(axis, *_over(own, "loss", "rate"), colours)
        axis.set_title(f"i/T from {begin:.1f} to {own.epoch_high.iloc[0]:.1f}", y=0.99, fontsize=10)
    right = 1 - 0.95 / figure.get_figwidth()
    figure.subplots_adjust(left=0.01, right=right - 0.02, bottom=0.08, top=0.96, wspace=0.1)
    bar = figure.add_axes((right, 0.2, 0.012, 0.6), label="<colorbar>")
    figure.colorbar(colours, cax=bar, label=GAIN, extend="both")
    figure.text(0.5, 0.01, "no bar: no data", ha="center", fontsize=LABEL)
    save(figure, path)


def _bars(
    axis: Any, losses: Edges, rates: Edges, table: Float[np.ndarray, "x y"], colours: Any
) -> None:
    """A bar a visited bin, from the lowest return up."""
    x, y = np.log10(losses), np.log10(rates)
    low, high = colours.get_clim()
    i, j = np.nonzero(np.isfinite(table))
    if not i.size:
        axis.text2D(0.5, 0.5, "not visited", ha="center", transform=axis.transAxes)
        return
    height = np.clip(table[i, j], low, high)
    axis.bar3d(
        x[i], y[j], low, np.diff(x)[i], np.diff(y)[j], height - low + 1e-6,
        color=colours.to_rgba(height), edgecolor="k", linewidth=0.2, shade=True,
    )  # fmt: skip
    axis.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]), zlim=(low, high))
    axis.set_xlabel("log₁₀ ε/ε₀", fontsize=LABEL)
    axis.set_ylabel("log₁₀ α", fontsize=LABEL)
    axis.tick_params(labelsize=LABEL - 1, pad=0)
    for each in (axis.xaxis, axis.yaxis, axis.zaxis):
        each.set_major_locator(MaxNLocator(4, prune="both"))
    axis.view_init(32, -60)


def outcomes_figure(surface: pd.DataFrame, path: Path) -> None:
    """Time, accuracy and reliability over epoch and rate: a column a task, four of them.

    Those where most runs met the criterion in most bins. The times of bins most of whose runs
    never met it are hatched; what was not visited is grey.
    """
    met = surface.time.lt(np.inf).groupby(surface.task, sort=False).sum()
    names = list(met.sort_values(ascending=False, kind="stable").index[:SHOWN])
    kinds = (
        ("time", "epochs to criterion", "viridis_r"),
        ("accuracy", "test accuracy", "viridis"),
        ("reliability", "share that met it", "viridis"),
    )
    figure = Figure(figsize=(1.5 + 2.5 * len(names), 6.4), layout="constrained")
    axes = figure.subplots(len(kinds), len(names), squeeze=False, sharex=True, sharey=True)
    for row, (value, label, cmap) in enumerate(kinds):
        known = surface[value][np.isfinite(surface[value]) & surface.task.isin(names)]
        limits = (known.min(), known.max()) if len(known) else (0.0, 1.0)
        colours = ScalarMappable(Normalize(*limits), cmap)
        for column, name in enumerate(names):
            _outcome(axes[row, column], surface[surface.task == name], value, colours)
        axes[row, 0].set_ylabel("learning rate")
        figure.colorbar(colours, ax=axes[row], label=label)
    for column, name in enumerate(names):
        panel_title(axes[0, column], name)
        axes[-1, column].set_xlabel("epoch i")
    integers(*axes[-1])
    legend_below(figure, NO_DATA, NEVER)
    save(figure, path)


def _outcome(axis: Axes, own: pd.DataFrame, value: str, colours: Any) -> None:
    x, y = _edges(own, "epoch"), _edges(own, "lr")
    table = own.sort_values(["epoch_low", "lr_low"])[value].to_numpy(float)
    table = table.reshape(len(x) - 1, len(y) - 1)
    axis.set_facecolor(GREY)
    never = np.ma.masked_where(~np.isinf(table), np.ones(table.shape))
    hatched = {"cmap": "gray", "vmin": 0, "vmax": 1, "hatch": "///", "edgecolor": "0.6"}
    axis.pcolor(x, y, never.T, lw=0, **hatched)
    met = np.where(np.isinf(table), np.nan, table)
    axis.pcolormesh(x, y, met.T, cmap=colours.cmap, norm=colours.norm)
    axis.set_yscale("log")


def ideal_figure(ideal: pd.DataFrame, path: Path) -> None:
    """The ideal rate of each sure cell with its 95 % interval, a row a label.

    Left over the epoch, coloured by the loss; right over the loss, coloured by the epoch. An
    interval that is open on a side has none there. Networks that have blown up, ε > 2 ε_0, are
    left out.
    """
    labels = list(pd.unique(ideal.label))
    figure = Figure(figsize=(9.6, 0.6 + 3.2 * len(labels)), layout="constrained")
    axes = figure.subplots(len(labels), 2, squeeze=False, sharey=True)
    for row, label in enumerate(labels):
        shown = ideal.sure & (ideal.loss <= BLOWN_UP * ideal.initial_loss)
        own = ideal[(ideal.label == label) & shown]
        progress, ratio = own.epoch / own.epochs, own.loss / own.initial_loss
        cells = f"{label}: {len(own)} of {(ideal.label == label).sum()} cells"
        _dots(axes[row, 0], progress, own, np.log10(ratio), "log₁₀ ε/ε₀")
        _dots(axes[row, 1], ratio, own, progress, "progress i/T")
        axes[row, 0].set(xlabel="progress i/T", ylabel="ideal rate α*", yscale="log")
        panel_title(axes[row, 0], cells)
        axes[row, 1].set(xlabel="relative loss ε/ε₀", xscale="log")
    legend_below(figure)
    save(figure, path)


def _dots(axis: Axes, x: pd.Series, own: pd.DataFrame, colour: pd.Series, label: str) -> None:
    if own.empty:
        axis.text(0.5, 0.5, "no sure cell", ha="center", transform=axis.transAxes)
        return
    spread = np.stack([own.lr - own.lr_low, own.lr_high - own.lr])
    spread = np.where(np.isfinite(spread), spread.clip(min=0), 0)
    style = {"ecolor": "0.6", "elinewidth": 0.7, "zorder": 1, "label": "95 % interval"}
    axis.errorbar(x, own.lr, spread, fmt="none", **style)
    dots = axis.scatter(x, own.lr, c=colour, s=14, cmap="viridis", zorder=2, label="a sure cell")
    bar = axis.get_figure().colorbar(dots, ax=axis)  # pyright: ignore
    bar.ax.set_title(label, fontsize=FONT)


def bias_figure(bias: pd.DataFrame, path: Path) -> None:
    """Mean rate and final regret of schedules chosen H epochs ahead, over H; a line a task."""
    figure = Figure(figsize=(9.6, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axis in (left, right):
        axis.set(xscale="log", xlabel="horizon H [epochs]")
        axis.grid(alpha=0.25, lw=0.5)
    colours = mpl.color_sequences["tab10"]
    for number, (task, own) in enumerate(bias.groupby("task", sort=False)):
        rows = own.groupby("horizon").first()
        again = number >= len(colours)  # as many colours as there are, then dashed
        style: dict[str, Any] = {"color": colours[number % len(colours)], "ms": 4, "lw": 1.2}
        style |= {"marker": "s" if again else "o", "ls": "--" if again else "-"}
        left.plot(rows.index, rows.mean_lr, label=str(task), **style)
        spread = np.stack([rows.regret - rows.regret_low, rows.regret_high - rows.regret])
        right.errorbar(rows.index, rows.regret, spread, capsize=2, **style)
    left.set(yscale="log", ylabel="mean rate chosen")
    right.axhline(0, color="0.5", lw=0.8, ls=":", label="no regret")
    right.set_ylabel("regret of the score against\nthe longest horizon, 95 %")
    integers(left, right)
    legend_below(figure)
    save(figure, path)


def headroom_figure(table: pd.DataFrame, path: Path) -> None:
    """How much a schedule can matter: the score of the best constant rate minus the oracle's."""
    rows = table.sort_values("headroom")
    figure = Figure(figsize=(6.4, 1.0 + 0.3 * len(rows)), layout="constrained")
    axis = figure.subplots()
    spread = np.stack([rows.headroom - rows.headroom_low, rows.headroom_high - rows.headroom])
    height = np.arange(len(rows))
    axis.barh(height, rows.headroom, color="tab:blue", label="oracle")
    style = {"fmt": "none", "ecolor": "0.3", "capsize": 2, "label": "its 95 % interval"}
    axis.errorbar(rows.headroom, height, xerr=spread, **style)
    linear = rows.score_constant - rows.score_linear
    axis.plot(linear, height, "d", color="tab:orange", ms=5, label="tuned linear")
    axis.set_yticks(height, labels=list(rows.task))
    axis.set_xlabel("score gained on the best constant rate")
    legend_below(figure)
    save(figure, path)


def _quantile(values: pd.Series, share: float) -> float:
    """A quantile of what is known; 1 where that is nothing, or not above 0."""
    known = values[np.isfinite(values)]
    found = float(known.quantile(share)) if len(known) else 1.0
    return found if found > 0 else 1.0
