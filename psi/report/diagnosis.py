"""The figure of a diagnosis: the loss with the findings in it, the rates beside the law's."""

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from psi.report.figures import FONT, legend_beside, save

MAX_DRAWN = 1e200  # beyond that, the ticks of an axis overflow
POINTS = 4000  # drawn of a longer series
COLOURS = {
    "rate too high": "C3", "spikes": "C1", "noise floor": "C4", "plateau": "C5",
    "overfitting": "C8", "validation rises": "C8", "loss is exactly 0": "C3", "constant loss": "C3",
    "rate is 0": "C5", "gradients not finite": "C6",
}  # fmt: skip


def diagnosis_figure(
    log: Any, curve: Any, found: Any, along: Any, law_name: str, path: Path
) -> None:
    """Losses above, rates below, and gradient norms and update ratios where the log has them.

    `log` is what `psi.advice.log.read_log` returned, `curve` its trend or None, `found` its
    findings, `along` the replay of the law `law_name` along it or None.
    """
    rates = along is not None or bool(np.isfinite(log.rate).any())
    more = {
        "gradient norm": (log.gradient_norm.at, log.gradient_norm.value),
        "update / weights": (log.at, log.update_ratio),
    }
    more = {k: (at, v) for k, (at, v) in more.items() if (np.isfinite(v) & (v > 0)).any()}
    heights = [3, *[2] * rates, *[1.4] * len(more)]
    figure = Figure(figsize=(7.6, 1.4 + sum(heights) * 0.8), layout="constrained")
    axes = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0]
    _losses(axes[0], log, curve, found)
    if rates:
        _rates(axes[1], log, along, law_name)
    for axis, (name, (at, value)) in zip(axes[1 + rates :], more.items(), strict=True):
        fine = np.isfinite(value) & (value > 0)
        axis.plot(*_thinned(at[fine], value[fine]), ".", color="0.5", ms=3)
        axis.set(yscale="log", ylabel=name)
        _wide(axis)
        if name == "update / weights":
            axis.axhline(1e-3, color="C2", lw=1, label="rule of thumb: 10⁻³")
            legend_beside(axis)
    for axis in axes:
        axis.grid(alpha=0.25, lw=0.5)
    axes[-1].set_xlabel(log.unit)
    save(figure, path)


def _wide(axis: Axes) -> None:
    """A logarithmic axis of more than a decade, with powers of ten alone for labels."""
    axis.yaxis.set_minor_formatter(NullFormatter())
    low, high = axis.get_ylim()
    if high < 20 * low:
        middle = np.sqrt(low * high)
        axis.set_ylim(middle / 4.5, middle * 4.5)


def _thinned(at: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of a long series the lowest and the highest value of every few: what is seen is the same."""
    every = 2 * (len(at) // POINTS)
    if every < 4:
        return at, value
    whole = len(at) // every * every
    blocks = value[:whole].reshape(-1, every)
    first = np.arange(0, whole, every)
    kept = np.stack([first + blocks.argmin(1), first + blocks.argmax(1)], 1)
    kept = np.append(np.sort(kept, 1).ravel(), np.arange(whole, len(at)))
    return at[kept], value[kept]


def _losses(axis: Axes, log: Any, curve: Any, found: Any) -> None:
    fine = np.isfinite(log.loss)
    loss = np.clip(log.loss[fine], -MAX_DRAWN, MAX_DRAWN)
    axis.plot(*_thinned(log.at[fine], loss), ".", color="0.6", ms=3, label="logged")
    if curve is not None:
        axis.plot(curve.at, curve.smooth, color="k", lw=1.3, label="without its noise")
    at, validation = log.validation
    known = np.isfinite(validation)
    validation = np.clip(validation[known], -MAX_DRAWN, MAX_DRAWN)
    if known.any():
        style = {"color": "C0", "marker": "." if known.sum() < 200 else "", "ms": 4, "lw": 1.2}
        axis.plot(*_thinned(at[known], validation), label="validation", **style)
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
    _scale(axis, loss, validation, curve)
    axis.set_ylabel("loss")
    title = ", ".join(dict.fromkeys(each.name for each in found))
    axis.set_title(textwrap.fill(title, 70), fontsize=FONT + 1)
    legend_beside(axis)


def _scale(axis: Axes, loss: np.ndarray, validation: np.ndarray, curve: Any) -> None:
    """Limits that leave out what diverged; a logarithmic axis for a loss that falls far."""
    both = np.append(loss, validation)
    if len(both) == 0:
        return
    low, high = both.min(), both.max()
    if curve is not None:
        top = curve.loss.max()
        high = min(high, max(top + 0.15 * abs(top), min(validation.max(initial=top), 3 * abs(top))))
    if low > 0 and high > 10 * low:
        axis.set_yscale("log")
        axis.set_ylim(low / 1.3, high * 1.3)
        _wide(axis)
    else:
        margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
        axis.set_ylim(low - margin, high + margin)


def _rates(axis: Axes, log: Any, along: Any, law_name: str) -> None:
    rate = np.where(np.isfinite(log.rate) & (log.rate > 0), log.rate, np.nan)
    drawn = rate[np.isfinite(rate)]
    if len(drawn):
        axis.step(*_thinned(log.at, rate), where="post", color="0.35", lw=1.3, label="yours")
    if along is not None:
        style = {"where": "post", "color": "C0", "lw": 2, "label": f"Ψ ({law_name})"}
        axis.step(along.at, along.law_rate, **style)
        drawn = np.append(drawn, along.law_rate)
    axis.set(yscale="log", ylabel="learning rate")
    if len(drawn):  # without a limit, a schedule that ends at zero would fill the axis
        axis.set_ylim(max(drawn.min(), drawn.max() / 1e5) / 1.5, drawn.max() * 1.5)
        _wide(axis)
        legend_beside(axis)
