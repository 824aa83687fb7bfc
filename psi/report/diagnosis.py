"""The figure of a diagnosis: the loss with the findings in it, the rates beside the law's."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from psi.report.figures import FONT, legend_beside, save

MAX_DRAWN = 1e200  # beyond that, the ticks of an axis overflow
COLOURS = {"rate too high": "C3", "spikes": "C1", "noise floor": "C4", "plateau": "C5"}


def diagnosis_figure(
    log: Any, curve: Any, found: Any, along: Any, law_name: str, path: Path
) -> None:
    """Loss above, rates below, and updates over weights where the log has them.

    `log` is what `psi.advice.log.read_log` returned, `curve` its trend or None, `found` its
    findings, `along` the replay of the law `law_name` along it.
    """
    ratios = np.isfinite(log.update_ratio).any()
    heights = [3, 2, 1.4] if ratios else [3, 2]
    figure = Figure(figsize=(7.6, 1.4 + sum(heights) * 0.8), layout="constrained")
    axes = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
    _losses(axes[0], log, curve, found)
    _rates(axes[1], log, along, law_name)
    if ratios:
        axes[2].plot(log.at, log.update_ratio, ".", color="0.5", ms=3)
        axes[2].axhline(1e-3, color="C2", lw=1, label="rule of thumb: 10⁻³")
        axes[2].set(yscale="log", ylabel="update / weights")
        legend_beside(axes[2])
    for axis in axes:
        axis.grid(alpha=0.25, lw=0.5)
    axes[-1].set_xlabel(log.unit)
    save(figure, path)


def _losses(axis: Axes, log: Any, curve: Any, found: Any) -> None:
    fine = np.isfinite(log.loss)
    loss = np.clip(log.loss[fine], -MAX_DRAWN, MAX_DRAWN)
    axis.plot(log.at[fine], loss, ".", color="0.6", ms=3, label="logged")
    if curve is not None:
        axis.plot(curve.at, curve.smooth, color="k", lw=1.3, label="without its noise")
    named = set()
    for each in found:
        if each.span is not None and each.name in COLOURS:
            begin, end = each.span
            end = max(end, begin + (log.at[-1] - log.at[0]) / 150)
            label = None if each.name in named else each.name
            axis.axvspan(begin, end, color=COLOURS[each.name], alpha=0.18, lw=0, label=label)
            named.add(each.name)
    if not fine.all():
        bottom = axis.get_xaxis_transform()
        style = {"color": "C3", "ms": 5, "transform": bottom, "clip_on": False}
        axis.plot(log.at[~fine], np.full((~fine).sum(), 0.02), "x", label="not finite", **style)
    _scale(axis, loss, curve)
    axis.set_ylabel("loss")
    axis.set_title(", ".join(dict.fromkeys(each.name for each in found)), fontsize=FONT + 1)
    legend_beside(axis)


def _scale(axis: Axes, loss: np.ndarray, curve: Any) -> None:
    """Limits that leave out what diverged; a logarithmic axis for a loss that falls far."""
    if len(loss) == 0:
        return
    low, high = loss.min(), loss.max()
    if curve is not None:
        top = curve.loss.max()
        high = min(high, top + 0.15 * abs(top))
    if low > 0 and high > 10 * low:
        axis.set_yscale("log")
        axis.set_ylim(low / 1.3, high * 1.3)
    else:
        margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
        axis.set_ylim(low - margin, high + margin)


def _rates(axis: Axes, log: Any, along: Any, law_name: str) -> None:
    if np.isfinite(log.rate).any():
        axis.step(log.at, log.rate, where="post", color="0.35", lw=1.3, label="yours")
    axis.step(along.at, along.law_rate, where="post", color="C0", lw=2, label=f"Ψ ({law_name})")
    axis.set(yscale="log", ylabel="learning rate")
    positive = log.rate[np.isfinite(log.rate) & (log.rate > 0)]
    both = np.concatenate([positive, along.law_rate])
    # Without a limit, a schedule that ends at zero would fill the axis.
    axis.set_ylim(max(both.min(), both.max() / 1e5) / 1.5, both.max() * 1.5)
    legend_beside(axis)
