"""Write what the laws of version 0.1.0 are worth on held-out tasks into their files.

python -m experiments.closed_forms.scores

From the table of `psi bench fit --only shipped --table paper/closed_forms/held_out.csv`, into
psi/pretrained. Scores of an earlier table are replaced.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import tyro

import psi
from experiments.closed_forms.names import of_study
from psi.law.law import Score

ROOT = Path(__file__).parents[2]
HELD_OUT = "held-out"


@dataclass(frozen=True)
class Main:
    """Put scores on held-out tasks into law files."""

    table: Path = ROOT / "paper" / "closed_forms" / "held_out.csv"
    """What psi bench fit --table wrote."""
    laws: Path = ROOT / "psi" / "pretrained"
    """Folder of the law files, LAW.json each."""

    def run(self) -> None:
        """Do it."""
        table = pd.read_csv(self.table)
        for name, rows in table[table.law.map(of_study)].groupby("law"):
            path = self.laws / f"{name}.json"
            law = psi.load(path)
            kept = tuple(score for score in law.scores if HELD_OUT not in score.name)
            replace(law, scores=(*kept, *held_out_scores(rows))).save(path)


def held_out_scores(rows: pd.DataFrame) -> tuple[Score, ...]:
    """Mean regrets of one law over streams and over fixed data."""
    scores = []
    for measure, some in rows.groupby("measure"):
        where = f"on {len(some)} {HELD_OUT} tasks, {measure} loss"
        scores += [
            Score(f"regret to tuned linear {where}", float(some.regret_linear_tuned.mean())),
            Score(f"regret to linear at one rate {where}", float(some.regret_linear_single.mean())),
        ]
    return tuple(scores)


if __name__ == "__main__":
    tyro.cli(Main).run()
