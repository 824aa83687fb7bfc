"""The figure of an atlas: where the best rates lie."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from psi.report.axes import legend_below
from psi.report.figures import WIDTH, save


def atlas_figure(best: Any, tasks: Any, path: Path) -> None:
    """The linear schedule's best rate on each task against its number of weights.

    `best`: of `psi.fit.scale.look.best_rates`; `tasks`: the atlas's tasks. A panel an optimizer.
    """
    names = sorted(set(best.optimizer))
    figure = Figure(figsize=(max(WIDTH, 3.0 * len(names)), 3.4), layout="constrained")
    panels = figure.subplots(1, len(names), squeeze=False)[0]
    facts = tasks.set_index("task")
    for axis, name in zip(panels, names, strict=True):
        own = best[(best.optimizer == name) & (best.schedule == "linear")]
        stream = facts.loc[own.task, "stream"].to_numpy(bool)
        weights = facts.loc[own.task, "parameters"].to_numpy(float)
        # Rates lie on a grid: points are moved a little so that none hides another.
        moved = own.rate.to_numpy() * np.exp(0.25 * np.sin(12.9898 * own.task.to_numpy()))
        for which, colour, label in (
            (~stream, "tab:blue", "fixed rows"), (stream, "tab:orange", "streams"),
        ):  # fmt: skip
            axis.scatter(weights[which], moved[which], 8, color=colour, alpha=0.6, label=label)
        axis.set(xscale="log", yscale="log", xlabel="weights P", title=name)
        axis.grid(alpha=0.25, lw=0.5)
    panels[0].set_ylabel("best peak rate, linear schedule")
    legend_below(figure)
    save(figure, path)
