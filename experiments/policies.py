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
from time import perf_counter
from typing import Literal, get_args

import tyro

from experiments.searches import Searches
from psi.fit.feedback.family import Family
from psi.fit.feedback.fit import FACTS, check
from psi.fit.feedback.judging import Candidates, summary
from psi.fit.feedback.networks import Kind, NetworkFamily
from psi.fit.feedback.search import Method, Searchable
from psi.law.file import write_atomic

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
NETWORKS: dict[Form, tuple[Kind, bool]] = {
    "leaky": ("leaky", False),
    "leaky, statistics": ("leaky", True),
    "dense": ("dense", False),
    "gru": ("gru", False),
    "gru, statistics": ("gru", True),
}
"""The kind of a form that is no formula, and whether it sees norms of gradients and updates."""


@dataclass(frozen=True)
class Main(Searches):
    """Search the same feedback in several forms and by several methods."""

    forms: tuple[Form, ...] = get_args(Form)

    def run(self) -> None:
        """Do it."""
        atlas, pool = self.tasks()
        for form in self.forms:
            for method in METHODS[form]:
                check(pool, replace(self.config(), method=method), self.seeds)
        formula = Family(self.base(atlas))
        judged: list[tuple[Searchable, Candidates]] = [(formula, {FACTS: formula.start})]
        seconds: dict[str, float] = {}
        for form in self.forms:
            family, found = formula, {}
            if form != "formula":
                kind, statistics = NETWORKS[form]
                family = NetworkFamily(formula.base, kind=kind, statistics=statistics)
            for method in METHODS[form]:
                name, began = f"{form}, {method}", perf_counter()
                found[name] = self.mean(name, pool, family, replace(self.config(), method=method))
                seconds[name] = perf_counter() - began
            judged.append((family, found))
        table = summary(self.judged(pool, judged), FACTS)
        table["constants"] = [constants(judged, name) for name in table.candidate]
        write_atomic(self.out / "policies.csv", table.to_csv(index=False).encode())
        print(table.round(3).to_string(index=False))
        print("seconds now:", {name: round(value) for name, value in seconds.items()})


def constants(judged: list[tuple[Searchable, Candidates]], name: str) -> int:
    """How many constants a candidate has that were searched."""
    family = next(family for family, found in judged if name in found)
    return 0 if name == FACTS else len(family.constants)


if __name__ == "__main__":
    tyro.cli(Main).run()
