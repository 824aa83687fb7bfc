"""The shipped laws of facts: those of every optimizer of an atlas, for both targets.

    python -m experiments.transfer data/atlas --out paper/scale/transfer.csv \
        --levels paper/scale/levels.csv
    python -m experiments.ship data/atlas    # psi/pretrained/*.json
    python -m experiments.ship data/atlas --searches out/search    # with what psi search found
    python -m experiments.ship data/atlas --judged paper/scale/sealed.csv

`--searches` takes laws with feedback of the folders OPTIMIZER in the place of laws of facts, and of
OPTIMIZER-free, for runs of unknown length, beside them. The last command writes what a suite said
of the laws into their files, from the table of `psi bench table DIR --table`. A law that is there,
of the same atlas and settings, is not made again.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import pandas as pd
import tyro

from psi.commands.fit_atlas import FitAtlasCommand
from psi.fit.scale.table import read_atlas
from psi.fit.scale.tuned import Target
from psi.law.law import Law, Score
from psi.law.load import load

ON = "regret to tuned schedules"


@dataclass(frozen=True)
class Main:
    """Make the shipped laws of facts from an atlas."""

    atlas: tyro.conf.Positional[Path]
    """The folder that psi atlas made."""
    out: Path = Path("psi", "pretrained")
    """Where the laws go: OPTIMIZER.json for the validation loss, OPTIMIZER-train.json."""
    levels: Path = Path("paper", "scale", "levels.csv")
    """Factors of the rates for the validation loss, which experiments.transfer found for the atlas;
    without the file, none."""
    judged: Path | None = None
    """What `psi bench table DIR --table` wrote of these laws: becomes scores in their files."""
    searches: Path | None = None
    """Folders of `psi search`, by the names of the laws."""
    resamples: int = 200
    """Of the constants' intervals."""

    def run(self) -> None:
        """Do it."""
        for optimizer in sorted(set(read_atlas(self.atlas).runs.optimizer)):
            for target in get_args(Target):
                self._one(optimizer, target)
            if not self.judged:
                self._searched(f"{optimizer}-free")

    def _searched(self, name: str) -> bool:
        """Take the law of a search, where there is one."""
        found = self.searches / name / "law.json" if self.searches else None
        if found is None or not found.exists():
            return False
        load(found).save(self.out / f"{name}.json")
        return True

    def _one(self, optimizer: str, target: Target) -> None:
        name = optimizer if target == "validation" else f"{optimizer}-{target}"
        path = self.out / f"{name}.json"
        if not self.judged and self._searched(name):
            return
        command = FitAtlasCommand(
            self.atlas, optimizer, path, target=target, resamples=self.resamples,
            level=self._level(optimizer) if target == "validation" else 1.0,
        )  # fmt: skip
        if self.judged:  # the very law that was judged, never one made anew
            judged(name, load(path), pd.read_csv(self.judged)).save(path)
        elif not path.exists() or load(path).provenance != command.provenance():
            command.run()

    def _level(self, optimizer: str) -> float:
        if not self.levels.exists():
            return 1.0
        table = pd.read_csv(self.levels).set_index("optimizer")
        return float(table.factor[optimizer])


def judged(name: str, law: Law, table: pd.DataFrame) -> Law:
    """The law with its regret to the tuned reference of a suite, in place of an earlier one.

    For the loss that it is for: mean and 95 % interval over domains, in nats.
    """
    own = table[(table.method == f"Ψ {name}") & (table.optimizer == law.optimizer)]
    if len(own) != 1:
        raise ValueError(f"the table must have one row of Ψ {name}, got {len(own)}")
    row, by_train = own.iloc[0], law.target == "train"
    columns = [f"regret_train{end}" for end in ("", "_low", "_high")]
    columns = columns if by_train else ["regret", "low", "high"]
    where = f"{ON} on {row.tasks} {row.suite} tasks"
    ends = zip(("mean", "low", "high"), columns, strict=True)
    found = [Score(f"{where}, {end}", float(row[column])) for end, column in ends]
    kept = [score for score in law.scores if not score.name.startswith(ON)]
    return replace(law, scores=(*kept, *found))


if __name__ == "__main__":
    tyro.cli(Main).run()
