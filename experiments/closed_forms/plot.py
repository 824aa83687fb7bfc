"""Figures of the shipped closed forms, from tables and law files alone.

python -m experiments.closed_forms.plot --table paper/closed_forms/held_out.csv
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import tyro
from matplotlib.figure import Figure

import psi
from psi.report.figures import save

LOSSES = (1.0, 0.5, 0.2, 0.05)
COLOURS = {"law": "tab:red", "linear": "tab:blue", "cosine": "tab:cyan", "constant": "0.55"}


@dataclass(frozen=True)
class Main:
    """Draw the held-out table and the shape of every shipped law."""

    table: Path = Path("paper/closed_forms/held_out.csv")
    """What psi bench fit --table wrote."""
    out: Path = Path("paper/closed_forms")

    def run(self) -> None:
        """Do it."""
        table = pd.read_csv(self.table)
        tasks_figure(table, self.out / "held_out.png")
        shapes_figure(sorted(table.law.unique()), self.out / "shapes.png")


def tasks_figure(table: pd.DataFrame, path: Path) -> None:
    """Regret against the tuned linear schedule, task by task: law and single rates."""
    laws = sorted(table.law.unique())
    tasks = table.task.unique()
    figure = Figure(figsize=(3.0 * len(laws) + 3.4, 0.34 * len(tasks) + 1.4), layout="constrained")
    axes = figure.subplots(1, len(laws), sharey=True, squeeze=False)[0]
    for axis, law in zip(axes, laws, strict=True):
        rows = table[table.law == law].set_index("task").loc[list(tasks)]
        y = np.arange(len(tasks))[::-1]
        for schedule in ("constant", "linear", "cosine"):
            single = rows.regret_linear_tuned - rows[f"regret_{schedule}_single"]
            axis.plot(single, y, "o", ms=4, color=COLOURS[schedule], label=f"{schedule}, one rate")
        axis.plot(rows.regret_linear_tuned, y, "D", ms=6, color=COLOURS["law"], label="law")
        axis.axvline(0, color="k", lw=0.8)
        axis.set(title=law, xlabel="regret to tuned linear [nats]")
        axis.set_xscale("symlog", linthresh=0.3)
        axis.grid(axis="y", lw=0.3)
    axes[0].set_yticks(np.arange(len(tasks))[::-1], labels=[_short(task) for task in tasks])
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    save(figure, path)


def shapes_figure(laws: list[str], path: Path) -> None:
    """Ψ over progress at a few relative losses, a panel a law."""
    figure = Figure(figsize=(2.9 * len(laws) + 0.6, 3.2), layout="constrained")
    axes = figure.subplots(1, len(laws), squeeze=False)[0]
    for axis, name in zip(axes, laws, strict=True):
        law = psi.load(name)
        progress = np.linspace(*law.domain[law.features.index("progress")], 200)
        for number, ratio in enumerate(LOSSES):
            ratio = float(np.clip(ratio, *law.domain[law.features.index("loss_ratio")]))
            values = {"loss_ratio": np.full_like(progress, ratio), "progress": progress}
            rate = law(np.stack([values[feature] for feature in law.features]))
            shade = 0.25 + 0.2 * number
            axis.plot(progress, rate, color=(0.85 * shade, 0.2, 1 - shade), label=f"{ratio:g}")
        axis.set(title=name, xlabel="progress i/T")
    axes[0].set_ylabel("Ψ (with -scaled: times α₀)")
    axes[-1].legend(title="ε/ε₀", fontsize=8)
    save(figure, path)


def _short(task: str) -> str:
    return task.replace("network=", "").replace("activation=", "").replace("init_scale=", "init ")


if __name__ == "__main__":
    tyro.cli(Main).run()
