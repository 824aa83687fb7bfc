"""Figures of the closed forms of version 0.1.0, from tables and law files alone.

python -m experiments.closed_forms.plot --table paper/closed_forms/held_out.csv
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import tyro
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import psi
from experiments.closed_forms.names import SCALED, VERSION, of_study
from psi.report.axes import legend_below, panel_title
from psi.report.figures import save

SIZE = 1000
LOSSES = (1.0, 0.5, 0.2, 0.05)
COLOURS = {"law": "tab:red", "linear": "tab:blue", "cosine": "tab:cyan", "constant": "0.55"}
OPTIMIZERS = ("sgd", "momentum", "adam")


@dataclass(frozen=True)
class Main:
    """Draw the held-out table and the shape of every shipped law."""

    table: Path = Path("paper/closed_forms/held_out.csv")
    """What psi bench fit --table wrote."""
    out: Path = Path("paper/closed_forms")

    def run(self) -> None:
        """Do it."""
        table = pd.read_csv(self.table)
        table = table[table.law.map(of_study)]
        tasks_figure(table, self.out / "held_out.png")
        shapes_figure(sorted(table.law.unique()), self.out / "shapes.png")


def tasks_figure(table: pd.DataFrame, path: Path) -> None:
    """Regret against the tuned linear schedule, task by task: law and single rates."""
    rows, columns = _grid(list(table.law.unique()))
    tasks = list(table.task.unique())
    size = (2.6 * columns + 3.0, rows * (0.24 * len(tasks) + 0.7) + 0.5)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for law, some in table.groupby("law"):
        axis = axes[_place(str(law))]
        _tasks_panel(axis, some.set_index("task").loc[tasks])
        panel_title(axis, str(law))
    for axis in axes[:, 0]:
        axis.set_yticks(np.arange(len(tasks))[::-1], labels=[_short(task) for task in tasks])
    for axis in axes[-1]:
        axis.set_xlabel("regret to tuned linear, of the score")
    for axis in axes.flat:
        axis.set_visible(axis.has_data())
    legend_below(figure)
    save(figure, path)


def _tasks_panel(axis: Axes, rows: pd.DataFrame) -> None:
    y = np.arange(len(rows))[::-1]
    for schedule in ("constant", "linear", "cosine"):
        single = rows.regret_linear_tuned - rows[f"regret_{schedule}_single"]
        axis.plot(single, y, "o", ms=4, color=COLOURS[schedule], label=f"{schedule}, one rate")
    axis.plot(rows.regret_linear_tuned, y, "D", ms=5, color=COLOURS["law"], label="law")
    axis.axvline(0, color="k", lw=0.8, label="tuned linear")
    axis.set_xscale("symlog", linthresh=0.3)
    axis.grid(axis="y", lw=0.3)


def shapes_figure(laws: list[str], path: Path) -> None:
    """Ψ over progress at a few relative losses and P = SIZE, a panel a law."""
    rows, columns = _grid(laws)
    figure = Figure(figsize=(2.9 * columns + 0.6, 2.4 * rows + 0.4), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, squeeze=False)
    for name in laws:
        axis, law = axes[_place(name)], psi.load(name)
        progress = np.linspace(*law.domain[law.features.index("progress")], 200)
        for number, ratio in enumerate(LOSSES):
            ratio = float(np.clip(ratio, *law.domain[law.features.index("loss_ratio")]))
            values = {"loss_ratio": ratio, "progress": progress, "parameters": SIZE}
            rate = law(np.stack([values[name] + 0 * progress for name in law.features]))
            shade = 0.25 + 0.2 * number
            axis.plot(
                progress, rate, color=(0.85 * shade, 0.2, 1 - shade), label=f"ε/ε₀ = {ratio:g}"
            )
        panel_title(axis, name)
        axis.set_ylim(bottom=0)  # rates are positive
    for row, label in zip(axes, (f"α = Ψ, P = {SIZE}", f"α/α₀ = Ψ, P = {SIZE}"), strict=False):
        row[0].set_ylabel(label)
    for axis in axes[-1]:
        axis.set_xlabel("progress i/T")
    for axis in axes.flat:
        axis.set_visible(axis.has_data())
    legend_below(figure)
    save(figure, path)


def _grid(laws: list[str]) -> tuple[int, int]:
    """Rows, the scaled laws in the second; columns, an optimizer each."""
    places = [_place(law) for law in laws]
    return 1 + max(row for row, _ in places), 1 + max(column for _, column in places)


def _place(law: str) -> tuple[int, int]:
    optimizer = law.removesuffix(SCALED).removesuffix(VERSION)
    return int(law.endswith(SCALED)), OPTIMIZERS.index(optimizer)


def _short(task: str) -> str:
    return task.replace("network=", "").replace("activation=", "").replace("init_scale=", "init ")


if __name__ == "__main__":
    tyro.cli(Main).run()
