"""One run under a law: its losses, its rates with what each part did, and the feedback."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from psi.law.parts import Course
from psi.report.axes import integers, legend_below, with_unit
from psi.report.figures import WIDTH, save

if TYPE_CHECKING:  # psi show draws where it is not installed
    from jaxtyping import Float

COLOURS = {"shape": "tab:blue", "feedback": "tab:orange", "limits": "0.6"}
"""Of the areas; told apart by those who see no red or no green."""


def run_figure(
    course: Course,
    losses: "Float[np.ndarray, ' epoch']",
    val_losses: "Float[np.ndarray, ' epoch']",
    path: Path,
    title: str,
    loss: str = "",
) -> None:
    """Losses before each epoch over the rate in it, whose parts are stacked, and u.

    Args:
        course: the rates and their parts.
        losses: ε_i, before each epoch.
        val_losses: the validation loss after each.
        path: of the PNG.
        title: over the figure.
        loss: which loss function, for its unit.
    """
    seen = bool(np.any(course.feedback))
    figure = Figure(figsize=(WIDTH, 6.6 if seen else 5.0), layout="constrained")
    axes = figure.subplots(3 if seen else 2, 1, sharex=True)
    epoch = np.arange(len(losses))
    # Both as the law sees them: what is known when epoch i begins.
    axes[0].plot(epoch, losses, "k-", label="training loss")
    axes[0].plot(epoch + 1, val_losses, "k--", label="validation loss")
    axes[0].set(yscale="log", ylabel=with_unit("loss", [loss]))
    _stacked(axes[1], epoch, course)
    if seen:
        axes[2].axhline(0, color="0.6", linewidth=0.8)
        axes[2].step(epoch, course.feedback, color=COLOURS["feedback"], where="mid")
        axes[2].set_ylabel("feedback u [nats]")
    axes[-1].set_xlabel("epoch i")
    integers(*axes)
    figure.suptitle(title, fontsize=9)
    legend_below(figure)
    save(figure, path)


def _stacked(axis: Axes, epoch: "Float[np.ndarray, ' epoch']", course: Course) -> None:
    """From the scale to the rate: on a logarithmic axis factors are added."""
    scale, *factors = course.parts
    axis.plot(epoch, scale, ":", color="0.3", label="scale: the rate from the facts")
    level = scale
    for (name, colour), factor in zip(COLOURS.items(), factors, strict=True):
        after = level * factor
        if not np.allclose(factor, 1.0):
            style = {"color": colour, "alpha": 0.45, "linewidth": 0, "step": "mid"}
            axis.fill_between(epoch, level, after, **style, label=f"what the {name} did")
        level = after
    axis.step(epoch, course.rate, "k-", where="mid", label="learning rate α")
    axis.set(yscale="log", ylabel="learning rate α")
