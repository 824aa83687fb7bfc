"""The figure of a diagnosis: the loss with the findings in it, the rates beside the law's."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from psi.report.axes import DOT, MAX_DRAWN, beyond, legend_below, panel_title
from psi.report.figures import WIDTH, save

LEAST = 1e-5  # of the highest rate: a schedule that ends at zero would fill the axis
LOGGED = {"marker": ".", "ls": "", "ms": DOT, "color": "0.6", "label": "logged"}
BEYOND = "not finite, or beyond the axis"
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
    findings, `along` the replay of the law `law_name` along it or None. Triangles are what is not
    finite or beyond an axis.
    """
    rates = along is not None or bool(np.isfinite(log.rate).any())
    more = {
        "gradient norm": (log.gradient_norm.at, log.gradient_norm.value),
        "update / weights": (log.at, log.update_ratio),
    }
    more = {k: (at, v) for k, (at, v) in more.items() if (np.isfinite(v) & (v > 0)).any()}
    heights = [3, *[2] * rates, *[1.4] * len(more)]
    figure = Figure(figsize=(WIDTH, 0.8 + sum(heights) * 0.8), layout="constrained")
    axes = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0]
    _losses(axes[0], log, curve, found)
    if rates:
        _rates(axes[1], log, along, law_name)
    for axis, (name, (at, value)) in zip(axes[1 + rates :], more.items(), strict=True):
        fine = np.isfinite(value) & (value > 0)
        axis.plot(*_thinned(at[fine], value[fine]), **LOGGED)
        infinite = np.isinf(value)
        beyond(axis, at[infinite], value[infinite], value[fine].max(), BEYOND)
        axis.set(yscale="log", ylabel=name)
        if name == "update / weights":
            axis.axhline(1e-3, color="C2", lw=1, label="rule of thumb: 10⁻³")
    for axis in axes:
        axis.grid(alpha=0.25, lw=0.5)
    axes[-1].set_xlabel(log.unit)
    legend_below(figure)
    save(figure, path)


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
    at, validation = log.validation
    low, high = _range(log.loss, validation, curve)
    fine, known = (_within(each, high) for each in (log.loss, validation))
    if fine.any():
        axis.plot(*_thinned(log.at[fine], log.loss[fine]), **LOGGED)
    if curve is not None:
        axis.plot(curve.at, curve.smooth, color="k", lw=1.3, label="without its noise")
    if known.any():
        style = {"color": "C0", "marker": "." if known.sum() < 200 else "", "ms": DOT, "lw": 1.2}
        axis.plot(*_thinned(at[known], validation[known]), label="validation", **style)
    for each in found:
        if each.span is not None and each.name in COLOURS:
            begin, end = each.span
            end = max(end, begin + (log.at[-1] - log.at[0]) / 150)
            style = {"color": COLOURS[each.name], "alpha": 0.18, "lw": 0}
            axis.axvspan(begin, end, label=each.name, **style)
    positions = np.append(log.at[~fine], at[~known])
    beyond(axis, positions, np.full(len(positions), np.inf), high, BEYOND)
    axis.set_ylabel("loss")
    if 0 < 10 * low < high:
        axis.set_yscale("log", nonpositive="mask")
    if not (fine.any() or known.any()):
        axis.set_ylim(0, 1.05 * high)
    panel_title(axis, ", ".join(dict.fromkeys(each.name for each in found)))


def _within(loss: np.ndarray, high: float) -> np.ndarray:
    return (np.abs(loss) <= MAX_DRAWN) & (loss <= high)


def _range(loss: np.ndarray, validation: np.ndarray, curve: Any) -> tuple[float, float]:
    """The lowest and the highest loss that is drawn: what diverged is beyond."""
    both = np.append(loss, validation)
    both = both[_within(both, np.inf)]
    if not len(both):
        return 0.0, 1.0
    high = both.max()
    if curve is not None:
        top = curve.loss.max()
        last = validation[_within(validation, np.inf)].max(initial=top)
        wide = max(top + 0.15 * abs(top), min(last, 3 * abs(top)), curve.smooth.max())
        high = min(high, wide)
    return float(both.min()), float(high)


def _rates(axis: Axes, log: Any, along: Any, law_name: str) -> None:
    lines = [(log.at, log.rate, "0.35", 1.3, "your rate")]
    if along is not None:
        lines.append((along.at, along.law_rate, "C0", 2.0, f"Ψ ({law_name})"))
    highest = max(rate[np.isfinite(rate)].max(initial=0.0) for _, rate, *_ in lines)
    least = LEAST * highest if highest > 0 else 1.0
    for at, rate, colour, width, label in lines:
        drawn = np.where(np.isfinite(rate) & (rate >= least), rate, np.nan)
        if np.isfinite(drawn).any():
            style = {"color": colour, "lw": width, "label": label, "where": "post"}
            axis.step(*_thinned(at, drawn), **style)
        tiny = rate < least
        name = f"{label}: 0, or nearly"
        beyond(axis, at[tiny], rate[tiny], least, name, below=True, colour=colour)
    axis.set(yscale="log", ylabel="learning rate")
