"""The figure of a learning-rate range test."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from psi.report.figures import FONT, save


def range_figure(found: Any, path: Path) -> None:
    """Loss against rate: every run, the smooth curve that decides, and the rate suggested.

    The band is two standard errors of the curve to either side. `found` is what `psi.suggest_lr`
    returned.
    """
    figure = Figure(figsize=(5.6, 3.6), layout="constrained")
    axes = figure.add_subplot()
    shown = np.isfinite(found.losses)
    for number, losses in enumerate(found.losses):
        label = f"{len(found.losses)} runs" if number == 0 else None
        axes.plot(found.rates, losses, ".", color="0.7", ms=3, label=label)
    if np.isfinite(found.smooth).all():
        trained = shown.any(0)  # beyond, every run has ended
        rates, smooth, band = (
            each[trained] for each in (found.rates, found.smooth, 2 * found.smooth_error)
        )
        axes.fill_between(rates, smooth - band, smooth + band, color="C0", alpha=0.2, lw=0)
        axes.plot(rates, smooth, color="C0", label="smooth, ± 2 standard errors")
        axes.set_ylim(*_limits(found.losses[shown], smooth, band))
    if found.lr is not None:
        axes.axvline(found.lr, color="C3", lw=1.2, label=f"suggested: {found.lr:.2g}")
    axes.set_xscale("log")
    axes.set_xlim(found.rates[0] / 1.2, found.rates[-1] * 1.2)
    axes.set_xlabel("learning rate", fontsize=FONT)
    axes.set_ylabel("minibatch loss", fontsize=FONT)
    axes.set_title(found.reason, fontsize=FONT, wrap=True)
    if shown.any():
        axes.legend(fontsize=FONT - 1, loc="upper right", framealpha=0.9)
    else:
        axes.set_yticks([])
    save(figure, path)


def _limits(losses: np.ndarray, smooth: np.ndarray, band: np.ndarray) -> tuple[float, float]:
    """Of the loss: the smooth curve with its band, and nine in ten of the losses below its top."""
    top = (smooth + band).max()
    low = min((smooth - band).min(), np.quantile(losses[losses <= top], 0.05))
    return low - 0.05 * (top - low), top + 0.1 * (top - low)
