"""The figure of a learning-rate range test."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from psi.report.axes import DOT, MAX_DRAWN, RED, beyond, legend_below, panel_title
from psi.report.figures import WIDTH, save


def range_figure(found: Any, path: Path) -> None:
    """Loss against rate: every run, the smooth curve that decides, and the rate suggested.

    The band is two standard errors of the curve to either side. Triangles at the top are losses
    above the smooth curve and those of the lowest rates, and the end of a run. `found` is what
    `psi.suggest_lr` returned.
    """
    figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
    axes = figure.add_subplot()
    shown = np.abs(found.losses) <= MAX_DRAWN
    rates = np.broadcast_to(found.rates, shown.shape)
    top = _top(found, shown)
    if np.isfinite(found.smooth).all():
        trained = shown.any(0)  # beyond, every run has ended
        at, middle, band = (
            each[trained] for each in (found.rates, found.smooth, 2 * found.smooth_error)
        )
        axes.fill_between(at, middle - band, middle + band, color="C0", alpha=0.2, lw=0)
        axes.plot(at, middle, color="C0", label="smooth, ± 2 standard errors")
    within = shown & (found.losses <= top)
    if within.any():
        runs = "1 run" if len(shown) == 1 else f"{len(shown)} runs"
        style = {"color": "0.7", "ms": DOT, "label": runs, "zorder": 1}
        axes.plot(rates[within], found.losses[within], ".", **style)
    ended = ~shown & (np.cumsum(~shown, axis=1) == 1)
    marked = shown & ~within | ended
    name = "above the axis, or the end of a run"
    beyond(axes, rates[marked], np.where(ended, np.nan, found.losses)[marked], top, name)
    if found.lr is not None:
        axes.axvline(found.lr, color=RED, lw=1.2, label=f"suggested: {found.lr:.2g}")
    axes.set(xscale="log", xlabel="learning rate", ylabel="training loss")
    if not shown.any():
        axes.set_ylim(0, 1.05 * top)
    panel_title(axes, found.reason)
    legend_below(figure)
    save(figure, path)


def _top(found: Any, shown: np.ndarray) -> float:
    """The highest loss that is drawn: of the smooth band and the lowest rates, or of all."""
    if not shown.any():
        return 1.0
    if not np.isfinite(found.smooth).all():
        return float(found.losses[shown].max())
    band = (found.smooth + 2 * found.smooth_error)[shown.any(0)]
    first = slice(len(found.rates) // 6)
    return max(band.max(), found.losses[:, first][shown[:, first]].max(initial=-np.inf))
