"""Figures of a suite's run: mean regrets, performance profiles, and regret against its price.

The tables are those of psi.bench.standing: a row for each optimizer and method, and the profiles of
a few of them.
"""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from psi.report.axes import DOT, RED, legend_below, panel_title
from psi.report.figures import save

KINDS = {
    "law": (RED, "law"),
    "calibrated": ("tab:orange", "one setting for all tasks"),
    "rule": ("0.45", "rule at its default"),
    "search": ("tab:green", "search on the task"),
    "tuned": ("tab:blue", "schedule tuned on the task"),
    "reference": ("k", "tuned reference"),
    "oracle": ("tab:purple", "oracle: the limit"),
}
"""Colour and name of each kind of row."""
PANEL = 4.2  # inches
ROW = 0.135  # inches: a line of text of SMALL points, with a gap
SMALL = 6.5  # points
ZERO: dict[str, Any] = {"color": "k", "lw": 0.6, "zorder": 0, "label": "no difference"}
LINES = ("-", "--", "-.", ":")
BESIDE = {"calibrated": 1.25, "law": 1.6}
"""Factors that move rows aside where many stand at one price."""


def regrets_figure(rows: pd.DataFrame, path: Path) -> None:
    """Mean regret of every row with its 95 % interval, the best on top; a panel an optimizer."""
    panels = [*rows.groupby("optimizer")]
    longest = max(len(own) for _, own in panels)
    figure = Figure(figsize=(PANEL * len(panels), 1 + ROW * longest), layout="constrained")
    for axis, (name, own) in zip(_panels(figure, len(panels)), panels, strict=True):
        place = pd.Series(range(len(own)), index=own.sort_values("regret").index)
        for kind, of in _by_kind(own):
            axis.hlines(place[of.index], of.low, of.high, color=KINDS[kind][0], lw=0.9)
            axis.plot(of.regret, place[of.index], "o", **_style(kind))
        axis.axvline(0, **ZERO)
        ordered = own.loc[place.index]
        axis.set_yticks(range(len(own)), ordered.method)
        for label, kind in zip(axis.get_yticklabels(), ordered.kind, strict=True):
            label.set(fontsize=SMALL, color=KINDS[kind][0], parse_math=False)
        axis.set(ylim=(len(own) - 0.4, -0.6), xlabel="mean regret [nats]")
        axis.grid(axis="x", alpha=0.25, lw=0.5)
        panel_title(axis, str(name))
    legend_below(figure)
    save(figure, path)


def profiles_figure(profiles: pd.DataFrame, path: Path) -> None:
    """The share of tasks on which the regret is at most τ.

    The band of the best law and that of the best calibrated row are 95 % of each τ by itself.
    """
    panels = [*profiles.groupby("optimizer")]
    figure = Figure(figsize=(PANEL * len(panels), 3.6), layout="constrained")
    for axis, (name, own) in zip(_panels(figure, len(panels)), panels, strict=True):
        drawn = dict.fromkeys(KINDS, 0)
        for method, curve in own.groupby("method", sort=False):
            kind = str(curve.kind.iloc[0])
            style: dict[str, Any] = {"color": KINDS[kind][0], "lw": 2 if kind == "law" else 1.2}
            line, first = LINES[drawn[kind] % len(LINES)], not drawn[kind]
            drawn[kind] += 1
            axis.plot(curve.tau, curve.share, line, label=method, **style)
            if first and kind in ("law", "calibrated"):
                band = {"color": style["color"], "alpha": 0.12, "lw": 0}
                axis.fill_between(curve.tau, curve.low, curve.high, **band)
        axis.axvline(0, **ZERO)
        axis.set(ylim=(0, 1), xlabel="regret τ [nats]")
        axis.grid(alpha=0.25, lw=0.5)
        panel_title(axis, str(name))
        axis.legend(loc="lower right", fontsize=SMALL)  # there every curve is near 1
    figure.axes[0].set_ylabel("share of tasks with at most that regret")
    save(figure, path)


def prices_figure(rows: pd.DataFrame, path: Path) -> None:
    """Mean regret against the trainings that a row takes with its tuning: n + 1 of n runs.

    Calibrated rows and laws stand a little to the right of the others.
    """
    panels = [*rows.groupby("optimizer")]
    figure = Figure(figsize=(PANEL * len(panels), 3.8), layout="constrained")
    for axis, (name, own) in zip(_panels(figure, len(panels)), panels, strict=True):
        for kind, of in _by_kind(own):
            at = (of.tuning_runs + 1) * BESIDE.get(kind, 1)
            if kind != "rule":  # of which there are too many
                axis.vlines(at, of.low, of.high, color=KINDS[kind][0], lw=0.9)
            axis.plot(at, of.regret, "o", **_style(kind))
        axis.axhline(0, **ZERO)
        axis.set(xscale="log", xlabel="trainings with tuning")
        axis.grid(alpha=0.25, lw=0.5)
        panel_title(axis, str(name))
    figure.axes[0].set_ylabel("mean regret [nats]")
    legend_below(figure)
    save(figure, path)


def _panels(figure: Figure, count: int) -> list[Axes]:
    return [*figure.subplots(1, count, squeeze=False)[0]]


def _by_kind(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(kind, rows[rows.kind == kind]) for kind in KINDS if (rows.kind == kind).any()]


def _style(kind: str) -> dict[str, Any]:
    colour, name = KINDS[kind]
    return {"ms": DOT - 1.5, "color": colour, "label": name}
