"""The tables and figures of paper/scale, from what experiments.scale wrote.

    python -m experiments.scale_pages out/scale --out paper/scale

A CSV a table, of all optimizers and both targets, and two figures: where the variance of the best
rate comes from, and the regret by the number of tasks. Trains and fits nothing.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import pandas as pd
import tyro

from psi.atlas.config import OPTIMIZERS
from psi.fit.scale.tuned import Target
from psi.law.file import write_atomic
from psi.report.scale import learning_figure, variance_figure

TARGETS = get_args(Target)
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
        found = {name: gathered(self.scale, name) for name in TABLES}
        for name, table in found.items():
            write_atomic(self.out / f"{name}.csv", table.to_csv(index=False).encode())
        variance_figure(found["variance"], self.out / "variance.png")
        learning_figure(found["learning_curve"], self.out / "learning_curve.png")


def gathered(folder: Path, name: str) -> pd.DataFrame:
    """A table of all optimizers and targets, which its first two columns say.

    Raises FileNotFoundError where no law has it.
    """
    parts = []
    for optimizer in OPTIMIZERS:
        for target in TARGETS[::-1]:
            path = folder / f"{optimizer}-{target}" / f"{name}.csv"
            if path.exists():
                parts.append(pd.read_csv(path).assign(optimizer=optimizer, target=target))
    if not parts:
        raise FileNotFoundError(f"no {name}.csv of any law in {folder}; make them again")
    whole = pd.concat(parts, ignore_index=True)
    first = ["optimizer", "target"]
    return whole[[*first, *(column for column in whole if column not in first)]].round(4)


if __name__ == "__main__":
    tyro.cli(Main).run()
