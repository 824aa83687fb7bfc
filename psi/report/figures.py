"""Figures of a demo, each drawn from tables and saved as PNG."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from psi.law.clock import Clock, rates_over
from psi.law.law import Law

if TYPE_CHECKING:  # psi show and psi diagnose draw where it is not installed
    from jaxtyping import Float

DPI = 130
FONT = 9
WIDE = 60  # characters of a title's line
NOTHING = "0.85"  # grey, where nothing was visited


class Line(NamedTuple):
    """One method's curves over epochs."""

    name: str
    losses: Sequence[float | None]
    rates: Sequence[float | None]


class Surface(NamedTuple):
    """A law as a function of (ε, i): `rate(loss, epoch)` on arrays of one shape."""

    title: str
    rate: "Callable[[Float[np.ndarray, '...'], Float[np.ndarray, '...']], np.ndarray]"


def surface_figure(surface: pd.DataFrame, ideal: pd.DataFrame, path: Path) -> None:
    """The response surface: nats lost against the best candidate of the cell, binned.

    Over progress i/T (left) and relative loss ε/ε_0 (right) against the candidate rate. Bins
    that no run visited stay grey.
    """
    progress, ratio = surface.epoch / surface.epochs, surface.loss / surface.initial_loss
    best = surface.groupby(["task", "cell"], observed=True).score.transform("min")
    table = surface.assign(progress=progress, ratio=ratio, lost=surface.score - best)
    dots = ideal[ideal.sure]
    rates = np.geomspace(table.lr.min(), table.lr.max(), 13)
    figure, axes = _figure(1, 2, (9.6, 4.0))
    _binned(axes[0], table.progress, np.linspace(0, 1, 11), table, rates)
    axes[0].plot(dots.epoch / dots.epochs + 0.025, dots.lr, "w.", ms=4, mec="k", mew=0.3)
    axes[0].set_xlabel("progress i/T")
    low = max(table.ratio.min(), 1e-3)
    mesh = _binned(axes[1], table.ratio, np.geomspace(low, 1.5, 13), table, rates)
    axes[1].plot(dots.loss / dots.initial_loss, dots.lr, "w.", ms=4, mec="k", mew=0.3)
    axes[1].set(xlabel="relative loss ε/ε₀", xscale="log", xlim=(low, 1.5))
    axes[0].set_ylabel("learning rate α of epoch i,\nthen linearly to zero")
    figure.colorbar(mesh, ax=axes, label="score lost against the cell's best rate [nats]")
    cells = f"dots: ideal rate of {len(dots)} cells"
    figure.suptitle(f"Response surface, {surface.task.nunique()} training tasks pooled ({cells})")
    save(figure, path)


def _binned(axis: Axes, x: pd.Series, x_edges: np.ndarray, table: pd.DataFrame, rates: np.ndarray):
    axis.set_facecolor(NOTHING)
    axis.set_yscale("log")
    mean = binned_mean(x, table.lr, (x_edges, rates), table.lost)
    return axis.pcolormesh(x_edges, rates, mean.T, cmap="viridis_r", vmin=0, vmax=2.5)


def binned_mean(
    x: pd.Series,
    y: pd.Series,
    edges: "tuple[Float[np.ndarray, ' x_edge'], Float[np.ndarray, ' y_edge']]",
    values: pd.Series,
    weights: pd.Series | float = 1.0,
) -> "Float[np.ndarray, 'x y']":
    """Weighted mean of the values whose (x, y) is in each bin; NaN where there is none."""
    weight = np.broadcast_to(weights, len(x))
    total, *_ = np.histogram2d(x, y, edges, weights=weight)
    summed, *_ = np.histogram2d(x, y, edges, weights=weight * values)
    with np.errstate(invalid="ignore"):
        return summed / total


def psi_figure(
    laws: Sequence[Surface],
    losses: tuple[float, float],
    epochs: int,
    visited: pd.DataFrame,
    path: Path,
) -> None:
    """Ψ over the loss ε and the epoch i, a contour plot a law; dots: (ε, i) of `visited`."""
    loss = np.geomspace(*losses, 120)
    epoch = np.linspace(0, epochs - 1, 120)
    grid = np.meshgrid(epoch, loss)
    values = [law.rate(grid[1], grid[0]) for law in laws]
    low, high = min(v.min() for v in values), max(v.max() for v in values)
    levels = np.geomspace(low, high * 1.0001, 13)
    colours = ScalarMappable(LogNorm(low, high), "viridis")
    figure, axes = _figure(1, len(laws), (4.9 * len(laws), 4.1), sharey=True)
    for axis, law, value in zip(axes, laws, values, strict=True):
        axis.contourf(*grid, value, levels, norm=colours.norm, cmap=colours.cmap)
        axis.contour(*grid, value, levels, colors="w", linewidths=0.4)
        axis.plot(visited.epoch, visited.loss, "k.", ms=2.5, alpha=0.6)
        axis.set(yscale="log", xlabel="epoch i", xlim=(0, epochs - 1), ylim=losses)
        axis.set_title(law.title, fontsize=FONT)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0].set_ylabel("loss ε [nats]")
    bar = figure.colorbar(colours, ax=axes, label="Ψ(ε, i), learning rate")
    bar.minorticks_off()
    bar.set_ticks(list(levels[::3]), labels=[f"{level:.2g}" for level in levels[::3]])
    save(figure, path)


def law_figure(law: Law, epochs: int, path: Path, parameters: int | None = None) -> None:
    """Ψ over epoch and loss, up to the law's typical ε_0, of a budget T and P parameters."""
    clock = Clock(law, epochs, parameters=parameters)
    size = f", P = {clock.parameter_count:.0f}" if "parameters" in law.features else ""
    title = "\n".join(wrap(f"Ψ: {law}{size}", WIDE))
    surface = Surface(title, partial(rates_over, clock))
    unvisited = pd.DataFrame({"epoch": [], "loss": []})
    losses = (law.initial_loss / 100, law.initial_loss)
    psi_figure([surface], losses, epochs, unvisited, path)


def curves_figure(lines: Sequence[Line], criterion: float, path: Path) -> None:
    """Mean validation loss of each method over the epochs, and the criterion."""
    figure, axes = _figure(1, 1, (7.6, 4.4))
    for line, style in zip(lines, _styles(lines), strict=True):
        losses = np.array(line.losses, np.float64)
        axes[0].plot(np.arange(1, len(losses) + 1), losses, label=line.name, **style)
    axes[0].axhline(criterion, color="0.5", lw=0.8, ls=":", label="criterion")
    axes[0].set(xlabel="epochs trained", ylabel="validation loss [nats], mean over seeds")
    axes[0].set_yscale("log")
    _finish(figure, axes[0], path)


def rates_figure(lines: Sequence[Line], path: Path) -> None:
    """The learning rate of each method at the end of each epoch."""
    figure, axes = _figure(1, 1, (7.6, 4.0))
    for line, style in zip(lines, _styles(lines), strict=True):
        rates = np.array(line.rates, np.float64)
        rates[rates <= 0] = np.nan
        axes[0].plot(np.arange(1, len(rates) + 1), rates, label=line.name, **style)
    axes[0].set(xlabel="epoch", ylabel="learning rate at its last step", yscale="log")
    axes[0].set_ylim(bottom=axes[0].get_ylim()[1] / 1e4)
    _finish(figure, axes[0], path)


def _styles(lines: Sequence[Line]) -> list[dict]:
    colours = mpl.color_sequences["tab10"]
    shapes = sorted({line.name.split(",")[0] for line in lines})
    styles = []
    for name in (line.name for line in lines):
        lw, zorder = (2.4, 3) if name.startswith("Ψ") else (1.2, 2)
        color, ls = colours[shapes.index(name.split(",")[0])], "--" if "untuned" in name else "-"
        styles.append({"color": color, "lw": lw, "ls": ls, "zorder": zorder})
    return styles


def _finish(figure: Figure, axis: Axes, path: Path) -> None:
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.grid(alpha=0.25, lw=0.5)
    legend_beside(axis)
    save(figure, path)


def _figure(rows: int, columns: int, size: tuple[float, float], sharey: bool = False):
    # Figure, not pyplot: no global state, no window, and it works in a thread.
    figure = Figure(figsize=size, layout="constrained")
    axes = np.atleast_1d(figure.subplots(rows, columns, sharey=sharey))
    return figure, axes


def legend_beside(axis: Axes) -> None:
    """The legend to the right of the axes, where it hides nothing."""
    axis.legend(fontsize=FONT - 1, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))


def save(figure: Figure, path: Path) -> None:
    """A PNG whose bytes say nothing of the library that drew it."""
    figure.savefig(path, dpi=DPI, metadata={"Software": None})
