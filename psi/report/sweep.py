"""The figure of a power law that was fitted to a user's own runs."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from psi.report.axes import FONT, legend_below
from psi.report.figures import WIDTH, save

MOST = 3  # panels in a row
LINE = 28  # characters of a label


def sweep_figure(groups: Sequence[Any], law: Any, columns: Any, path: Path) -> None:
    """Best rates with 95 % intervals against each fact, and the law's line.

    The other facts are at their geometric means: each rate is divided by what the law says of their
    difference. `groups`: of `psi.fit.sweep.best_rates`; `law`: of `psi.fit.power_law.power_law`;
    `columns`: `psi.fit.runs.Columns`.
    """
    count = len(columns.facts)
    wide = min(count, MOST)
    rows = -(-count // wide)
    figure = Figure(figsize=(max(WIDTH, 3.0 * wide), 0.4 + 3.0 * rows), layout="constrained")
    panels = figure.subplots(rows, wide, squeeze=False).reshape(-1)
    facts = np.array([group.facts for group in groups]).reshape(-1, count)
    powers = np.array([each.value for each in law.exponents])
    for k, (axis, power) in enumerate(zip(panels, law.exponents, strict=False)):
        others = np.where(np.arange(count) == k, 0.0, powers)
        shift = np.prod((facts / np.array(law.middle)) ** others, axis=1)
        _panel(axis, facts[:, k], groups, shift)
        ends = np.array([facts[:, k].min(), facts[:, k].max()])
        line = law.rate.value * (ends / law.middle[k]) ** power.value
        axis.plot(ends, line, color="k", lw=1, label="power law")
        axis.set(xscale="log", yscale="log", xlabel=fill(power.name, LINE))
        means = ", other facts at their means" * (count > 1)
        axis.set_ylabel(fill(f"best {columns.rate}{means}", LINE))
        axis.grid(alpha=0.25, lw=0.5)
        title = f"exponent {power.value:.3f}\n95 %: {power.low:.3f} … {power.high:.3f}"
        axis.set_title(title.replace("-", "−"), fontsize=FONT)
    for axis in panels[count:]:
        axis.set_axis_off()
    legend_below(figure)
    save(figure, path)


def _panel(axis: Axes, x: np.ndarray, groups: Sequence[Any], shift: np.ndarray) -> None:
    rate, low, high = np.array([[g.rate, g.low, g.high] for g in groups]).T / shift
    edge = np.array([bool(group.edge) for group in groups])
    for which, colour, name in (
        (~edge, "tab:blue", "groups, 95 %"),
        (edge, "0.6", "at an edge: not in the law"),
    ):
        if which.any():
            axis.vlines(x[which], low[which], high[which], color=colour, lw=0.8)
            axis.plot(x[which], rate[which], "o", ms=4, color=colour, label=name)
