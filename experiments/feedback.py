"""What each part of a law is worth, and what each kind of memory adds to it.

    python -m experiments.feedback data/atlas --optimizer adam --out out/feedback/adam

Every row is the mean of searches of the same length in the same family, from the same start, in
which all other constants stay where the law of facts has them; once around that law, once around
one rate for all tasks. They are compared on domains, and on rows, that no fit and no search has
seen. Writes `ablation.csv`, a row a part. The same command goes on where it was stopped.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import tyro

from experiments.searches import Searches
from psi.fit.feedback.family import INPUTS, OF_TRAINING, OF_VALIDATION, SHAPES, Family
from psi.fit.feedback.judging import summary
from psi.fit.feedback.pool import Pool
from psi.fit.feedback.search import SearchConfig
from psi.fit.scale.facts import FactSet
from psi.fit.scale.linear import Candidate, fit_linear
from psi.fit.scale.table import Atlas
from psi.fit.scale.tuned import tuned_tasks
from psi.law.file import write_atomic
from psi.law.law import Law, Range
from psi.law.parsing import parse

RULE = ("pace", "leak")
SWITCHED = ("v_known", "v_late")
"""Another level and shape where a validation loss is measured, whatever it is."""
SHAPE = ("level", *SHAPES[True][1])
PARTS: dict[str, tuple[str, ...]] = {
    "shape": SHAPE,
    "training memory": (*OF_TRAINING, *RULE),
    "validation memory": (*(n for n in OF_VALIDATION if n not in SWITCHED), "gap", *RULE),
    "both memories": (*(n for n in INPUTS if n not in SWITCHED), *RULE),
    "shape and training memory": (*SHAPE, *OF_TRAINING, *RULE),
    "shape and validation memory": (*SHAPE, *OF_VALIDATION, "gap", *RULE),
    "shape and both memories": (*SHAPE, *INPUTS, *RULE),
}
"""What a search moves, by the name of a row; an input's weight on streams goes with it."""


@dataclass(frozen=True)
class Main(Searches):
    """Search each part of a law alone, and compare them."""

    def run(self) -> None:
        """Do it."""
        atlas, pool = self.tasks()
        base = self.base(atlas)
        around = {"facts": base, "one rate": without_facts(atlas, base)}
        tables = [self._around(name, pool, each) for name, each in around.items()]
        table = pd.concat(tables, axis=1)
        table = table.loc[:, ~table.columns.duplicated()]
        found = summary(table, "facts")
        write_atomic(self.out / "ablation.csv", found.to_csv(index=False).encode())
        print(found.round(3).to_string(index=False))

    def _around(self, name: str, pool: Pool, base: Law) -> pd.DataFrame:
        """Regrets of a law and of all its parts on validation tasks."""
        family = Family(base, tuple(INPUTS))
        found = {name: family.start}
        for part, config in self._configs(family):
            found[f"{name} + {part}"] = self.mean(f"{name} {part}", pool, family, config)
        return self.judged(pool, [(family, found)])

    def _configs(self, family: Family) -> Iterator[tuple[str, SearchConfig]]:
        for part, moved in PARTS.items():
            held = [n for n in family.constants if n.removesuffix("_stream") not in moved]
            yield part, replace(self.config(), inputs=family.inputs, held=tuple(held))


def without_facts(atlas: Atlas, base: Law) -> Law:
    """The law that gives all tasks one rate, the best for them in the mean, times 1 − t."""
    tasks = tuned_tasks(atlas, base.optimizer, "validation")
    rate = float(np.exp(fit_linear(tasks, Candidate(FactSet("one rate", ()))).intercept))
    known = dict(zip(base.features, base.domain, strict=True))
    features = ("stream", "budget", "progress")
    return replace(
        base, model=parse(f"{rate!r}*budget^0.0*(1.0 - progress)"), features=features,
        domain=tuple(known[name] for name in features), typical=(0.0, known["budget"].low),
        extrapolates=(), rates=Range(rate * (1 - known["progress"].high), rate),
        constants=(), scores=(), provenance=None,
    )  # fmt: skip


if __name__ == "__main__":
    tyro.cli(Main).run()
