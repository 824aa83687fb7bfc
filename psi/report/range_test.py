"""The figure of a learning-rate range test."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from psi.report.figures import FONT, save


def range_figure(found: Any, path: Path) -> None:
    """Loss against rate: every run, their smooth mean, and the rate suggested.

    `found` is what `psi.suggest_lr` returned.
    """
    figure = Figure(figsize=(5.6, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for number, losses in enumerate(found.losses):
        label = f"{len(found.losses)} runs" if number == 0 else None
        axes.plot(found.rates, losses, ".", color="0.7", ms=3, label=label)
    fine = np.isfinite(found.smooth)
    axes.plot(found.rates[fine], found.smooth[fine], color="C0", label="around each rate")
    if found.lr is not None:
        axes.axvline(found.lr, color="C3", lw=1.2, label=f"suggested: {found.lr:.2g}")
    if fine.any():
        low, high = found.smooth[fine].min(), found.smooth[fine].max()
        axes.set_ylim(low - 0.15 * (high - low), high + 0.1 * (high - low))
    axes.set_xscale("log")
    axes.set_xlabel("learning rate", fontsize=FONT)
    axes.set_ylabel("minibatch loss [nats]", fontsize=FONT)
    axes.set_title(found.reason, fontsize=FONT, wrap=True)
    axes.legend(fontsize=FONT - 1, frameon=False)
    save(figure, path)
