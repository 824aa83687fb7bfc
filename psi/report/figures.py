"""Figures of a demo and of a comparison, each drawn from tables and saved as PNG."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from psi.law.clock import Clock, rates_over
from psi.law.evaluation import stand_in
from psi.law.facts import UNKNOWN, Facts
from psi.law.law import Law
from psi.report.axes import (
    BLOWN_UP,
    DOT,
    GREY,
    NO_DATA,
    integers,
    keep_rules,
    legend_below,
    panel_title,
    with_unit,
)

if TYPE_CHECKING:  # psi show and psi diagnose draw where it is not installed
    from jaxtyping import Float

DPI = 130
WIDTH = 5.2  # inches: a column of a page, which a phone shows at half its size


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
    """The response surface: what the score loses against the best candidate of the cell, binned.

    Over progress i/T (top) and relative loss ε/ε_0 (bottom) against the candidate rate. Bins
    that no run visited stay grey. Networks that have blown up, ε > 2 ε_0, are left out.
    """
    best = surface.groupby(["task", "cell"], observed=True).score.transform("min")
    table = _relative(surface.assign(lost=surface.score - best))
    dots = _relative(ideal[ideal.sure])
    rates = _bins(pd.concat([table.lr, dots.lr]))
    colours = ScalarMappable(Normalize(0, _top(table.lost)), "viridis_r")
    figure, axes = _figure(2, 1, (WIDTH, 6.6))
    _binned(axes[0], table, "progress", (np.linspace(0, 1, 11), rates), colours)
    ratios = _bins(pd.concat([table.ratio, dots.ratio]))
    _binned(axes[1], table, "ratio", (ratios, rates), colours)
    axes[0].set_xlabel("progress i/T")
    axes[1].set(xlabel="relative loss ε/ε₀", xscale="log")
    for axis, across in zip(axes, ("progress", "ratio"), strict=True):
        axis.set_ylabel("learning rate α of epoch i")
        dot = {
            "ms": 2 * DOT,
            "mec": "k",
            "mew": 0.5,
            "clip_on": False,
            "label": "ideal rate of a sure cell",
        }
        if len(dots):
            axis.plot(dots[across], dots.lr, "w.", **dot)
    label = "score lost against the cell's best rate"
    figure.colorbar(colours, ax=list(axes), label=label, extend="max")
    legend_below(figure, NO_DATA)
    save(figure, path)


def _relative(cells: pd.DataFrame) -> pd.DataFrame:
    ratio = cells.loss / cells.initial_loss
    relative = cells.assign(progress=cells.epoch / cells.epochs, ratio=ratio)
    return relative[(ratio > 0) & (ratio <= BLOWN_UP)]


def _bins(values: pd.Series) -> np.ndarray:
    """Edges of twelve bins, equal in the logarithm, that hold all values."""
    low, high = (values.min(), values.max()) if len(values) else (1.0, 1.0)
    return np.geomspace(low, high, 13) if high > low else np.geomspace(low / 2, low * 2, 13)


def _top(values: pd.Series) -> float:
    """Where a colour scale from 0 ends: few values lie above; 1 where all are 0 or unknown."""
    known = values[np.isfinite(values)]
    return float(known.quantile(0.95)) or 1.0 if len(known) else 1.0


def _binned(axis: Axes, table: pd.DataFrame, across: str, edges: Any, colours: Any) -> None:
    axis.set_facecolor(GREY)
    axis.set_yscale("log")
    mean = binned_mean(table[across], table.lr, edges, table.lost)
    axis.pcolormesh(*edges, mean.T, cmap=colours.cmap, norm=colours.norm)


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
    unit: str = "",
) -> None:
    """Ψ over the loss ε and the epoch i, a contour plot a law; dots: (ε, i) of `visited`.

    The loss goes over `losses` and further where `visited` does, states that have blown up left
    out. `unit`: the name of the task's loss.
    """
    shown = visited[(visited.loss > 0) & (visited.loss <= BLOWN_UP * losses[1])]
    ends = np.append(shown.loss, losses)
    loss = np.geomspace(ends.min(), ends.max(), 120)
    epoch = np.linspace(0, max(epochs - 1, 1), 120)
    grid = np.meshgrid(epoch, loss)
    values = [law.rate(grid[1], grid[0]) for law in laws]
    low, high = min(v.min() for v in values), max(v.max() for v in values)
    low, high = (low, high) if high > low * 1.001 else (low / 1.1, high * 1.1)
    levels = np.geomspace(low, high * 1.0001, 13)
    colours = ScalarMappable(LogNorm(low, high), "viridis")
    figure, axes = _figure(len(laws), 1, (WIDTH, 0.4 + 3.2 * len(laws)), sharex=True)
    for axis, law, value in zip(axes, laws, values, strict=True):
        axis.contourf(*grid, value, levels, norm=colours.norm, cmap=colours.cmap)
        if value.max() > levels[1] or value.min() < levels[-2]:
            axis.contour(*grid, value, levels[1:-1], colors="w", linewidths=0.4)
        if len(shown):
            axis.plot(shown.epoch, shown.loss, "k.", ms=DOT, clip_on=False, label="visited")
        axis.set(yscale="log", xlim=(0, epoch[-1]), ylim=(loss[0], loss[-1]))
        axis.set_ylabel(with_unit("loss ε", [unit]))
        panel_title(axis, law.title)
    axes[-1].set_xlabel("epoch i")
    integers(axes[-1])
    figure.colorbar(colours, ax=list(axes), label="Ψ(ε, i), learning rate")
    legend_below(figure, Line2D([], [], color="0.7", lw=0.8, label="equal rates"))
    save(figure, path)


def law_figure(law: Law, epochs: int, path: Path, facts: Facts = UNKNOWN) -> None:
    """Ψ over epoch and loss, up to the typical ε_0, of a budget T; facts not known are typical."""
    given = facts.values() | {"budget": float(epochs)}
    seen = {name: given[name] for name in law.facts}
    at = [f"{n} = {stand_in(law, n) if v != v else v:.4g}" for n, v in seen.items()]
    formula = str(law).replace("*", " * ")  # so that a title breaks at blanks
    surface = Surface(
        ", ".join([f"Ψ: {formula}", *at]), partial(rates_over, Clock(law, epochs, facts=facts))
    )
    unvisited = pd.DataFrame({"epoch": [], "loss": []})
    losses = (law.initial_loss / 100, law.initial_loss)
    psi_figure([surface], losses, epochs, unvisited, path)


def curves_figure(lines: Sequence[Line], criterion: float, path: Path, unit: str = "") -> None:
    """Mean validation loss of each method over the epochs, and the criterion.

    `unit`: the name of the task's loss.
    """
    figure, (axis,) = _figure(1, 1, (WIDTH, 3.6))
    drawn = _curves(axis, lines, [line.losses for line in lines])
    if np.isfinite(criterion):
        axis.axhline(criterion, color="0.5", lw=0.8, ls=":", label="criterion")
        drawn = np.append(drawn, criterion)
    axis.set(xlabel="epochs trained", ylabel=with_unit("mean validation loss", [unit]))
    axis.set_yscale("log" if (drawn > 0).all() else "linear")
    _finish(figure, axis, path)


def rates_figure(lines: Sequence[Line], path: Path) -> None:
    """The learning rate of each method at the end of each epoch; a rate of zero is not drawn."""
    figure, (axis,) = _figure(1, 1, (WIDTH, 3.4))
    rates = [[rate if rate and rate > 0 else None for rate in line.rates] for line in lines]
    _curves(axis, lines, rates)
    axis.set(xlabel="epoch", ylabel="learning rate at its last step", yscale="log")
    _finish(figure, axis, path)


def comparison_figure(panels: Sequence[tuple[str, Sequence[Line]]], path: Path) -> None:
    """Of each task (title, lines): mean validation losses over its epochs, and below them rates."""
    every = [line for _, lines in panels for line in lines]
    figure, axes = _figure(2 * len(panels), 1, (WIDTH, 5.2 * len(panels)))
    for (title, lines), loss, rate in zip(panels, axes[::2], axes[1::2], strict=True):
        drawn = _curves(loss, lines, [line.losses for line in lines], every)
        loss.set(xlabel="epochs trained", ylabel="mean validation loss")
        loss.set_yscale("log" if (drawn > 0).all() else "linear")
        rates = [[each if each and each > 0 else None for each in line.rates] for line in lines]
        _curves(rate, lines, rates, every)
        rate.set(xlabel="epoch", ylabel="mean learning rate", yscale="log")
        panel_title(loss, title)
        for axis in (loss, rate):
            axis.grid(alpha=0.25, lw=0.5)
    legend_below(figure)
    save(figure, path)


def _curves(
    axis: Axes,
    lines: Sequence[Line],
    values: Sequence[Sequence[float | None]],
    every: Sequence[Line] = (),
) -> np.ndarray:
    """A line a method, in its colour among `every`; returns all finite values drawn."""
    integers(axis)
    series = [np.array(each, np.float64) for each in values]
    for line, style, each in zip(lines, _styles(lines, every or lines), series, strict=True):
        marker = "." if np.isfinite(each).sum() == 1 else ""  # a line of one point is not seen
        style |= {"marker": marker, "ms": 2 * DOT, "label": line.name}
        axis.plot(np.arange(1, len(each) + 1), each, **style)
    together = np.concatenate(series)
    return together[np.isfinite(together)]


def _styles(lines: Sequence[Line], every: Sequence[Line]) -> list[dict]:
    colours = mpl.color_sequences["tab10"]
    shapes = sorted({line.name.split(",")[0] for line in every})
    styles = []
    for name in (line.name for line in lines):
        lw, zorder = (2.4, 3) if name.startswith("Ψ") else (1.2, 2)
        again, shape = divmod(shapes.index(name.split(",")[0]), len(colours))
        ls = (":", "-.")[again % 2] if again else "-"
        color, ls = colours[shape], "--" if "untuned" in name else ls
        styles.append({"color": color, "lw": lw, "ls": ls, "zorder": zorder})
    return styles


def _finish(figure: Figure, axis: Axes, path: Path) -> None:
    axis.grid(alpha=0.25, lw=0.5)
    legend_below(figure)
    save(figure, path)


def _figure(rows: int, columns: int, size: tuple[float, float], sharex: bool = False):
    # Figure, not pyplot: no global state, no window, and it works in a thread.
    figure = Figure(figsize=size, layout="constrained")
    return figure, np.atleast_1d(figure.subplots(rows, columns, sharex=sharex))


def save(figure: Figure, path: Path) -> None:
    """A PNG that keeps the rules of every picture; its bytes do not name the library."""
    keep_rules(figure)
    figure.savefig(path, dpi=DPI, metadata={"Software": None})
