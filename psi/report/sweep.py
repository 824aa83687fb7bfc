"""The figure of a power law that was fitted to a user's own runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from psi.report.axes import legend_below, panel_title
from psi.report.figures import WIDTH, save

MOST = 3  # panels in a row
STYLE: dict[str, Any] = {"fmt": "o", "ms": 4, "elinewidth": 0.8, "capsize": 2}


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
        axis.set(xscale="log", yscale="log", xlabel=power.name)
        axis.set_ylabel(f"best {columns.rate}" + ", other facts at their means" * (count > 1))
        axis.grid(alpha=0.25, lw=0.5)
        panel_title(axis, f"exponent {power.value:.3f} [{power.low:.3f}, {power.high:.3f}]")
    for axis in panels[count:]:
        axis.set_axis_off()
    legend_below(figure)
    save(figure, path)


def _panel(axis: Axes, x: np.ndarray, groups: Sequence[Any], shift: np.ndarray) -> None:
    rate, low, high = np.array([[g.rate, g.low, g.high] for g in groups]).T / shift
    edge = np.array([bool(group.edge) for group in groups])
    styles: tuple[tuple[np.ndarray, dict[str, Any]], ...] = (
        (~edge, {"color": "tab:blue", "label": "groups, 95 %"}),
        (edge, {"color": "0.5", "mfc": "none", "label": "at an edge: not in the law"}),
    )
    for which, style in styles:
        if which.any():
            bars = np.stack([rate - low, high - rate])[:, which]
            axis.errorbar(x[which], rate[which], np.maximum(bars, 0), **STYLE, **style)
