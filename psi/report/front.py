"""The figure of a front: length against held-out error, the chosen formula written out."""

from pathlib import Path
from textwrap import wrap

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from psi.law.parsing import parse
from psi.law.printing import latex, text
from psi.report.axes import DOT, FONT, RED, integers, legend_below
from psi.report.figures import save

DIGITS = 3
LONG = 52  # characters of a formula in the list
MOST = 24  # formulas of the list


def front_figure(front: pd.DataFrame, path: Path, unit: str = "task") -> None:
    """Held-out error over the number of nodes, from `psi.fit.symbolic.front.table`.

    Bars: one standard error of the difference to the best row. The chosen row is ringed and its
    formula stands above; all formulas are listed beside. `unit`: what was left out.
    """
    figure = Figure(figsize=(10.4, 4.8), layout="constrained")
    axis, listed = figure.subplots(1, 2, width_ratios=(1.25, 1))
    axis.step(
        front.complexity, front.held_out, where="post", color="tab:blue", lw=0.8, label="front"
    )
    axis.errorbar(
        front.complexity, front.held_out, front.gap_error, fmt="o", color="tab:blue",
        ms=4, elinewidth=0.8, capsize=2, label=f"{unit}s left out",
    )  # fmt: skip
    axis.plot(front.complexity, front.error, ".", color="0.6", ms=2 * DOT, label="all, fitted")
    chosen = front[front.chosen].iloc[0]
    axis.plot(
        chosen.complexity, chosen.held_out, "o", ms=12, mfc="none", mec=RED, mew=1.6,
        label=f"chosen: nodes {chosen.complexity}, constants {chosen.n_constants}",
    )  # fmt: skip
    positive = (front[["error", "held_out"]] > 0).all(axis=None)
    axis.set(xlabel="nodes of the formula", ylabel="error of log α")
    axis.set_yscale("log" if positive else "linear")
    axis.grid(alpha=0.25, lw=0.5)
    integers(axis)
    legend_below(figure)
    _list(listed, front)
    figure.suptitle(_title(chosen.formula), fontsize=FONT + 3)
    save(figure, path)


def _title(formula: str) -> str:
    """As mathematics where it fits on a line, else as text on several."""
    tree = parse(formula)
    if len(formula) > 2 * LONG:
        return "\n".join(wrap(f"Ψ = {text(tree, DIGITS)}", 2 * LONG)).replace("$", "")
    return f"$\\Psi = {latex(tree, DIGITS)}$".replace(r"\frac", r"\dfrac")


def _list(axis: Axes, front: pd.DataFrame) -> None:
    """Nodes and formula of each row, the simplest MOST of them."""
    axis.set_axis_off()
    axis.set_title("nodes, error, formula", fontsize=FONT, loc="left")
    step = 1 / max(len(front[:MOST]), 12)
    for position, (_, row) in enumerate(front[:MOST].iterrows()):
        shown = text(parse(row.formula), DIGITS)
        shown = shown if len(shown) <= LONG else shown[: LONG - 1] + "…"
        height = 1 - (position + 0.7) * step
        parts = (str(row.complexity), f"{row.held_out:.3g}", shown)
        for left, part in zip((0.0, 0.06, 0.17), parts, strict=True):
            axis.text(
                left, height, part, transform=axis.transAxes, fontsize=FONT - 1.5,
                color=RED if row.chosen else "0.2", parse_math=False,
            )  # fmt: skip
