"""What a feedback's form and its search are worth, at about equal cost.

    python -m experiments.policies data/atlas --optimizer adam --out out/policies/adam

Formulas, networks that remember nothing and gated recurrent units on the same inputs, around the
same law of facts, by evolution strategies; leaky sums and gated units with norms of gradients and
updates beside, and without; formulas by descent along hypergradients too, for which a network has
too many weights. Level and shape move with all of them: a network sees t and T and would move them
anyway. Every search begins at the law of facts, without a feedback, and has the same number of
generations, the evolution strategies the same trainings; their means over seeds are compared on
domains, and on rows, that no fit and no search has seen. Writes `policies.csv`, a row a search. The
same command goes on where it was stopped.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Literal, get_args

import numpy as np
import tyro

from psi.fit.feedback.family import Family
from psi.fit.feedback.fit import FACTS, SEEDS, bases, check
from psi.fit.feedback.judging import Candidates, judge, summary
from psi.fit.feedback.networks import Kind, NetworkFamily
from psi.fit.feedback.pool import Pool, on_processors, pool_of
from psi.fit.feedback.search import Method, Searchable, SearchConfig, search
from psi.fit.scale.table import read_atlas
from psi.lab.engine.devices import prepare
from psi.lab.engine.seeds import JUDGING
from psi.law.file import write_atomic
from psi.law.law import Law
from psi.report.progress import bar

Form = Literal["formula", "leaky", "leaky, statistics", "dense", "gru", "gru, statistics"]
METHODS: dict[Form, tuple[Method, ...]] = {
    "formula": ("cma", "snes", "openes", "gradient"),
    "leaky": ("cma",),
    "leaky, statistics": ("cma",),
    "dense": ("snes", "openes"),
    "gru": ("snes", "openes"),
    "gru, statistics": ("snes",),
}
"""A network has hundreds of weights, of which no covariance is estimated from so few lanes."""


@dataclass(frozen=True)
class Main:
    """Search the same feedback in several forms and by several methods."""

    atlas: tyro.conf.Positional[Path]
    """The folder that psi atlas made."""
    optimizer: str
    """One of the atlas's."""
    out: Path
    """Folder of the searches and the table."""
    generations: int = 40
    seeds: int = 2
    """Searches of a row, whose mean it is."""
    lanes: int = 24
    operations: float = 4e8
    """The most that a training may take."""
    forms: tuple[Form, ...] = get_args(Form)

    def run(self) -> None:
        """Do it."""
        prepare()
        on_processors()
        atlas = read_atlas(self.atlas)
        pool = pool_of(atlas, self.optimizer, self.operations)
        for form in self.forms:
            for method in METHODS[form]:
                check(pool, self._config(method), self.seeds)
        base, _ = bases(atlas, self.optimizer)
        formula = Family(base)
        judged: list[tuple[Searchable, Candidates]] = [(formula, {FACTS: formula.start})]
        seconds: dict[str, float] = {}
        for form in self.forms:
            family = formula if form == "formula" else network(base, form)
            found = {}
            for method in METHODS[form]:
                name = f"{form}, {method}"
                began = perf_counter()
                found[name] = self._mean(name, method, pool.take(~pool.validation), family)
                seconds[name] = perf_counter() - began
            judged.append((family, found))
        with bar("comparing") as report:
            own = pool.take(pool.validation)
            regrets = judge(own, judged, self.lanes, JUDGING.array(SEEDS), report)
        table = summary(regrets, FACTS)
        table["constants"] = [constants(judged, name) for name in table.candidate]
        write_atomic(self.out / "policies.csv", table.to_csv(index=False).encode())
        print(table.round(3).to_string(index=False))
        print("seconds now:", {name: round(value) for name, value in seconds.items()})

    def _mean(self, name: str, method: Method, pool: Pool, family: Searchable) -> np.ndarray:
        """The mean of a method's searches."""
        found = []
        for seed in range(self.seeds):
            config = replace(self._config(method), seed=seed)
            folder = self.out / f"{name} {seed}".replace(" ", "-").replace(",", "")
            with bar(f"{name}, search {seed + 1}") as report:
                found.append(search(pool, family, family.start, config, folder, report).constants)
        return np.mean(found, axis=0)

    def _config(self, method: Method) -> SearchConfig:
        return SearchConfig(self.generations, self.lanes, method=method, operations=self.operations)


def network(base: Law, form: Form) -> NetworkFamily:
    """The family of a form that is no formula."""
    kind, _, more = form.partition(", ")
    kinds: dict[str, Kind] = {"leaky": "leaky", "dense": "dense", "gru": "gru"}
    return NetworkFamily(base, kind=kinds[kind], statistics=bool(more))


def constants(judged: list[tuple[Searchable, Candidates]], name: str) -> int:
    """How many constants a candidate has that were searched."""
    family = next(family for family, found in judged if name in found)
    return 0 if name == FACTS else len(family.constants)


if __name__ == "__main__":
    tyro.cli(Main).run()
