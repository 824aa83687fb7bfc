"""psi search: the weights of a law's feedback, on whole trainings."""

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import tyro

from psi.commands.printing import finite, print_law, print_table
from psi.commands.words import options_of
from psi.law.law import Provenance

if TYPE_CHECKING:
    from psi.fit.feedback.pool import Pool
    from psi.fit.feedback.search import SearchConfig

PRESETS: dict[str, dict[str, Any]] = {
    "smoke": {"generations": 2, "lanes": 8, "seeds": 1, "operations": 2e7},
    "laptop": {"generations": 40, "lanes": 24, "seeds": 5, "operations": 4e8},
    "full": {"generations": 200, "lanes": 64, "seeds": 10, "operations": 2e9},
}


@dataclass(frozen=True)
class SearchCommand:
    """Search what a law of facts is to do about the losses of its own run, on tasks of an atlas.

    An evolution strategy trains laws on tasks that are drawn anew each generation, on processors;
    several searches and their mean are compared on domains that none has seen, and the best becomes
    the law. Rerun the same command to go on after an interruption.
    Example: psi search data/atlas --optimizer adam --out out/search/adam
    Example: psi search data/atlas --optimizer adam --no-budget --out out/search/adam-free
    Example: psi search data/atlas --optimizer sgd --preset smoke --out out/try --json
    """

    atlas: tyro.conf.Positional[Path]
    """The folder of an atlas: its tables."""
    optimizer: str
    """One of the atlas's."""
    out: Path
    """Folder of law.json, the tables and the searches' states."""
    preset: Literal["smoke", "laptop", "full"] = "laptop"
    """smoke: some minutes; laptop: about an hour on two cores; full: for many cores."""
    seeds: int | None = None
    """Searches. None: the preset's, like the following."""
    generations: int | None = None
    lanes: int | None = None
    """Laws a generation."""
    operations: float | None = None
    """The most that a training may take."""
    level: float = 1.0
    """A factor of the law's rates, where tasks of another kind than the atlas's say so."""
    inputs: tuple[str, ...] = ()
    """What the feedback sees: INPUTS of psi.fit.feedback.family. None: the validation loss."""
    budget: bool = True
    """Whether the law is told how long a run is; without, it may be stopped at any time."""
    method: Literal["cma", "snes", "openes", "gradient"] = "cma"
    """An evolution strategy, or descent along derivatives of whole trainings."""
    dry_run: bool = False
    """Say how much would be trained, and write nothing."""
    json: bool = False
    """Print the comparison as one JSON object."""

    def run(self) -> Any:
        """Do it; what --json prints."""
        from psi.fit.feedback.fit import check, fit_feedback
        from psi.fit.feedback.pool import on_processors, pool_of
        from psi.fit.scale.table import read_atlas
        from psi.lab.engine.devices import prepare
        from psi.law.file import write_atomic
        from psi.report.progress import bar

        config, seeds = self._config()
        atlas = read_atlas(self.atlas)
        pool = pool_of(atlas, self.optimizer, config.operations)
        if self.dry_run:
            check(pool, config, seeds, self.budget)
            return self._told(pool, config, seeds)
        prepare()
        on_processors()
        with bar("generations") as report:
            made = fit_feedback(
                atlas, pool, config, seeds, self.out, self.level, self.budget, report
            )
        law = replace(made.law, provenance=self._provenance())
        for name in ("constants", "regrets", "summary"):
            table = getattr(made, name)
            write_atomic(self.out / f"{name}.csv", table.to_csv(index=False).encode())
        law.save(self.out / "law.json")
        if not self.json:
            rows = [tuple(map(_shown, row)) for row in made.summary.itertuples(index=False)]
            names = tuple(map(str, made.summary.columns))
            print_table("Regret on validation domains [nats]", names, rows, names[:1])
            print_law(law)
        records = made.summary.to_dict("records")
        rows = [{str(k): finite(v) for k, v in row.items()} for row in records]
        return {"law": law.document(), "chosen": made.chosen, "summary": rows}

    def _provenance(self) -> Provenance:
        """The atlas's hash, versions, and what would have to be typed to make the law again."""
        from psi.fit.scale.table import PACKAGES, provenance

        words = ["psi", "search", str(self.atlas)]
        words += options_of(self, ("atlas", "dry_run", "json"))
        return provenance(self.atlas, shlex.join(words), (*PACKAGES, "jax", "optax", "evosax"))

    def _config(self) -> "tuple[SearchConfig, int]":
        """The config of a search, and how many there are."""
        from psi.fit.feedback.family import WITHOUT_BUDGET
        from psi.fit.feedback.search import SearchConfig

        preset = PRESETS[self.preset]
        given = {name: getattr(self, name) for name in preset if getattr(self, name) is not None}
        chosen = preset | given
        seeds = chosen.pop("seeds")
        if inputs := self.inputs or (() if self.budget else WITHOUT_BUDGET):
            chosen["inputs"] = inputs
        return SearchConfig(**chosen, method=self.method), seeds

    def _told(self, pool: "Pool", config: "SearchConfig", seeds: int) -> dict[str, Any]:
        from psi.fit.feedback.objective import pairs

        tasks = 2 * sum(pairs(pool.take(~pool.validation)).values())
        # "level and shape" beside the searches; a descent has one training for all directions.
        lanes = 1 if config.method == "gradient" else config.lanes
        trainings = (seeds + 1) * config.generations * lanes * tasks
        told = {"tasks": len(pool.entries), "each_generation": tasks, "trainings": trainings}
        if not self.json:
            print(f"{trainings:,} trainings on {told['tasks']:,} tasks; nothing was written")
        return told


def _shown(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
