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
    top = found.losses[shown].max(initial=-np.inf) if shown.any() else 1.0
    if np.isfinite(found.smooth).all():
        trained = shown.any(0)  # beyond, every run has ended
        middle, band = found.smooth[trained], 2 * found.smooth_error[trained]
        style = {"color": "C0", "alpha": 0.2, "lw": 0}
        axes.fill_between(found.rates[trained], middle - band, middle + band, **style)
        label = "smooth, ± 2 standard errors"
        axes.plot(found.rates[trained], middle, color="C0", label=label)
        first = slice(len(found.rates) // 6)
        top = max((middle + band).max(initial=0.0), found.losses[:, first][shown[:, first]].max(initial=0.0))
    within = shown & (found.losses <= top)
    if within.any():
        style = {"color": "0.7", "ms": DOT, "label": f"{len(shown)} runs", "zorder": 1}
        axes.plot(rates[within], found.losses[within], ".", **style)
    ended = ~shown & (np.cumsum(~shown, axis=1) == 1)
    marked = shown & ~within | ended
    name = "above the axis, or the end of a run"
    beyond(axes, rates[marked], np.where(ended, np.nan, found.losses)[marked], top, name)
    if found.lr is not None:
        axes.axvline(found.lr, color=RED, lw=1.2, label=f"suggested: {found.lr:.2g}")
    axes.set(xscale="log", xlabel="learning rate", ylabel="training loss")
    panel_title(axes, found.reason)
    legend_below(figure)
    save(figure, path)
