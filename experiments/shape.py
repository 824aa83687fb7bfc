"""Which shape of the rate is worth more than a line: (1 − t)^a (1 + b t) (ε/ε_0)^c.

    python -m experiments.shape out/atlas --out out/shape

Trains thirty shapes at seven rates each on the first tasks of an atlas and writes `forms.csv`: what
each loses on left-out domains at the scale that facts give, beside the linear schedule. The same
command goes on where it was stopped.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import pandas as pd
import tyro

from psi.atlas.config import AtlasConfig
from psi.atlas.distribution import describe
from psi.atlas.forms import collect_forms
from psi.atlas.tables import seed_means
from psi.fit.scale.choice import candidates, choose
from psi.fit.scale.facts import sets_for
from psi.fit.scale.forms import FORM, regret_by_form
from psi.fit.scale.table import Atlas, read_atlas
from psi.fit.scale.tuned import Target, tuned_tasks
from psi.lab.engine.devices import prepare
from psi.law.file import write_atomic
from psi.report.progress import bar


@dataclass(frozen=True)
class Main:
    """Train shapes on tasks of an atlas and compare them."""

    atlas: tyro.conf.Positional[Path]
    """The folder that psi atlas made."""
    out: Path
    """Folder of the runs and the table."""
    tasks: int = 150
    """The first so many tasks of the atlas."""

    def run(self) -> None:
        """Do it."""
        prepare()
        atlas = read_atlas(self.atlas)
        optimizers = tuple(sorted(set(atlas.runs.optimizer)))
        with bar("shapes") as report:
            runs = collect_forms(self._config(atlas, optimizers), atlas.runs, self.out, report)
        runs = runs[runs.task.isin(atlas.tasks.task)]
        means = seed_means(runs, atlas.tasks, ["task", "optimizer", *FORM, "rate"])
        pairs = [(name, target) for name in optimizers for target in get_args(Target)]
        tables = [self._table(atlas, means, *pair) for pair in pairs]
        whole = pd.concat(tables, ignore_index=True)
        write_atomic(self.out / "forms.csv", whole.to_csv(index=False).encode())
        print(whole.groupby(["optimizer", "target"]).head(3).to_string(index=False))

    def _config(self, atlas: Atlas, optimizers: tuple[str, ...]) -> AtlasConfig:
        """What the first tasks were drawn by; ValueError where they would be others now."""
        few = atlas.tasks.sort_values("task").head(self.tasks)
        first, last = int(few.task.iloc[0]), int(few.task.iloc[-1])
        config = AtlasConfig(last - first + 1, optimizers, first, reach=few.reach.iloc[0])
        for row in few.itertuples():
            if describe(int(row.task), reach=config.reach).to_json() != row.description:  # type: ignore[arg-type]
                raise ValueError(f"task {row.task} of {self.atlas} is not drawn by this version")
        return config

    def _table(
        self, atlas: Atlas, runs: pd.DataFrame, optimizer: str, target: Target
    ) -> pd.DataFrame:
        tried = [each for each in candidates(sets_for(optimizer)) if each.schedule == "linear"]
        chosen = choose(tuned_tasks(atlas, optimizer, target), tried).candidate
        found = regret_by_form(atlas, runs, optimizer, target, chosen)
        return found.assign(optimizer=optimizer, target=target)


if __name__ == "__main__":
    tyro.cli(Main).run()
