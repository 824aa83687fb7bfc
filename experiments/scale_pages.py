"""The tables and figures of paper/scale, from what experiments.scale wrote.

    python -m experiments.scale_pages out/scale --out paper/scale

A CSV a table, of all optimizers and both targets, and two figures: where the variance of the best
rate comes from, and the regret by the number of tasks. Trains and fits nothing.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import tyro

from psi.law.file import write_atomic
from psi.report.scale import learning_figure, variance_figure

OPTIMIZERS, TARGETS = ("sgd", "momentum", "adam"), ("validation", "train")
TABLES = (
    "choice", "exponents", "published", "worth", "knowledge", "learning_curve", "variance",
    "variance_data", "variance_training", "contenders", "runs", "break_even", "larger",
)  # fmt: skip


@dataclass(frozen=True)
class Main:
    """Put the tables of all laws of the scale together, and draw two of them."""

    scale: tyro.conf.Positional[Path]
    """The folder that experiments.scale made."""
    out: Path = Path("paper/scale")

    def run(self) -> None:
        """Do it."""
        self.out.mkdir(parents=True, exist_ok=True)
        for name in TABLES:
            whole = gathered(self.scale, name)
            write_atomic(self.out / f"{name}.csv", whole.to_csv(index=False).encode())
        variance_figure(gathered(self.scale, "variance"), self.out / "variance.png")
        learning_figure(gathered(self.scale, "learning_curve"), self.out / "learning_curve.png")


def gathered(folder: Path, name: str) -> pd.DataFrame:
    """A table of all optimizers and targets, which its first two columns say."""
    parts = []
    for optimizer in OPTIMIZERS:
        for target in TARGETS:
            path = folder / f"{optimizer}-{target}" / f"{name}.csv"
            if path.exists():
                parts.append(pd.read_csv(path).assign(optimizer=optimizer, target=target))
    whole = pd.concat(parts, ignore_index=True)
    first = ["optimizer", "target"]
    return whole[[*first, *(column for column in whole if column not in first)]].round(4)


if __name__ == "__main__":
    tyro.cli(Main).run()
