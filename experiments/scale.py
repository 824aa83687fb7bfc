"""Every law of the scale and every table about it, from an atlas.

    psi atlas --preset laptop --out out/atlas
    python -m experiments.scale out/atlas --out out/scale

A folder an optimizer and target: the law, what it was chosen from, its exponents beside published
ones, what each fact is worth, the regret by what is known of a task, by the number of tasks and by
the kind of fit, where the variance of the best rate comes from, what tuning by runs would have
lost, and after how many tasks the atlas has paid; what the facts of the data and those of the
training explain alone; what a fit to smaller networks loses on the large ones. The same command
goes on where it was stopped: a folder's law is written last, and made again for another atlas.
"""

import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import get_args

import pandas as pd
import tyro

from psi.fit.scale.choice import candidates, choose
from psi.fit.scale.exponents import beside_published
from psi.fit.scale.extrapolation import LARGE, on_larger, smaller
from psi.fit.scale.facts import FACTS, OF_DATA, OF_TRAINING, FactSet, sets_for
from psi.fit.scale.fit import ScaleFit, fit_scale
from psi.fit.scale.knowledge import regret_by_knowledge
from psi.fit.scale.learning_curve import learning_curve
from psi.fit.scale.left_out import Predictor, compared, linear
from psi.fit.scale.linear import Candidate
from psi.fit.scale.network import network
from psi.fit.scale.symbolic import symbolic
from psi.fit.scale.table import Atlas, provenance, read_atlas
from psi.fit.scale.tuned import Target, TunedTasks, tuned_tasks
from psi.fit.scale.tuning import break_even, regret_by_runs, runs_saved
from psi.fit.scale.variance import variance_shares
from psi.fit.scale.worth import worth
from psi.law.checks import unknown
from psi.law.file import write_atomic
from psi.law.law import Provenance
from psi.law.load import load
from psi.report.progress import bar

Table = Callable[[], pd.DataFrame]
TABLES = (
    "choice", "exponents", "published", "worth", "knowledge", "learning_curve", "contenders",
    "runs", "break_even", "variance", "variance_data", "variance_training", "larger",
)  # fmt: skip
"""Names of the tables; `larger` where there are larger networks."""


@dataclass(frozen=True)
class Main:
    """Fit the scale of every optimizer of an atlas, for both targets."""

    atlas: tyro.conf.Positional[Path]
    """The folder that psi atlas made."""
    out: Path
    """Where the folders go."""
    resamples: int = 200
    """Of the exponents' intervals."""
    draws: int = 10
    """Of tasks, for the learning curve."""
    symbolic: bool = False
    """Compare with formulas from a symbolic search too: half a minute a fold, twelve folds."""
    only: tuple[str, ...] = ()
    """Tables to make anew beside laws that are there; none: whatever is missing."""

    def __post_init__(self) -> None:
        for name in self.only:
            if name not in TABLES:
                raise ValueError(unknown("table", name, TABLES))

    def run(self) -> None:
        """Do it."""
        atlas = read_atlas(self.atlas)
        for optimizer in sorted(set(atlas.runs.optimizer)):
            for target in get_args(Target):
                folder = self.out / f"{optimizer}-{target}"
                made_from = provenance(self.atlas, self._command(optimizer, target, folder))
                made = _is_made(folder / "law.json", made_from)
                if self.only and not made:
                    raise ValueError(f"{folder} has no law of this atlas and command: make all")
                if self.only or not made:
                    self._one(atlas, optimizer, target, folder, made_from)

    def _command(self, optimizer: str, target: Target, folder: Path) -> str:
        """What makes the same law again, without the tables about it."""
        words = ["psi", "fit", str(self.atlas), "--kind", "scale", "--optimizer", optimizer]
        words += ["--target", target, "--resamples", str(self.resamples)]
        return shlex.join([*words, "--out", str(folder / "law.json")])

    def _one(
        self, atlas: Atlas, optimizer: str, target: Target, folder: Path, made_from: Provenance
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        with bar(f"{optimizer}, {target}") as report:
            made = fit_scale(atlas, optimizer, target, None, self.resamples, report=report)
        tasks = tuned_tasks(atlas, optimizer, target)
        made_by = self._tables(atlas, tasks, made, optimizer)
        for name in self.only or made_by:
            write_atomic(folder / f"{name}.csv", made_by[name]().to_csv(index=False).encode())
        if self.only:
            return
        law = replace(made.law, provenance=made_from)
        law.save(folder / "law.json")
        print(f"{folder / 'law.json'}: {law}")

    def _tables(
        self, atlas: Atlas, tasks: TunedTasks, made: ScaleFit, optimizer: str
    ) -> dict[str, Table]:
        """What makes each table."""
        chosen, schedule = made.choice.candidate, made.choice.candidate.schedule
        every = FactSet("all", FACTS)
        parts = {"": chosen.facts, "_data": every.of(OF_DATA), "_training": every.of(OF_TRAINING)}
        by_runs = cache(lambda: regret_by_runs(tasks, schedule))
        made_by: dict[str, Table] = {
            "choice": lambda: made.choice.table,
            "exponents": lambda: made.exponents,
            "published": lambda: beside_published(made.exponents, optimizer),
            "worth": lambda: worth(tasks, chosen),
            "knowledge": lambda: regret_by_knowledge(tasks, chosen),
            "learning_curve": lambda: learning_curve(tasks, chosen, draws=self.draws),
            "contenders": lambda: compared(tasks, self._fits(chosen), schedule),
            "runs": by_runs,
            "break_even": lambda: _break_even(atlas, optimizer, made, by_runs()),
        }
        for name, facts in parts.items():
            made_by[f"variance{name}"] = partial(variance_shares, tasks, facts, schedule)
        if (tasks.facts["parameters"] >= LARGE).any():
            made_by["larger"] = lambda: _on_larger(tasks, optimizer)
        return made_by

    def _fits(self, chosen: Candidate) -> dict[str, Predictor]:
        """Kinds of fits to the facts of the chosen one."""
        fits: dict[str, Predictor] = {"power law": linear(chosen)}
        if chosen.facts.columns:
            fits["network"] = network(chosen.facts, chosen.schedule)
        if chosen.facts.columns and self.symbolic:
            fits["symbolic"] = symbolic(chosen.facts, chosen.schedule)
        return fits


def _on_larger(tasks: TunedTasks, optimizer: str) -> pd.DataFrame:
    tried = candidates(sets_for(optimizer))
    return on_larger(tasks, choose(smaller(tasks, LARGE), tried).candidate, LARGE)


def _break_even(
    atlas: Atlas, optimizer: str, made: ScaleFit, by_runs: pd.DataFrame
) -> pd.DataFrame:
    saved = runs_saved(by_runs, made.choice.table.regret[made.choice.table.chosen].iloc[0])
    return pd.DataFrame([{"runs_saved": saved, "tasks": break_even(atlas, optimizer, saved)}])


def _is_made(path: Path, made_from: Provenance) -> bool:
    """Whether a law is there, and of this very atlas and command."""
    return path.exists() and load(path).provenance == made_from


if __name__ == "__main__":
    tyro.cli(Main).run()
