"""psi fit ATLAS --kind scale: the rate's level as a function of facts, from an atlas."""

import math
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import tyro

from psi.commands.files import check_output
from psi.commands.printing import print_law, print_table
from psi.law.law import Provenance


@dataclass(frozen=True)
class FitAtlasCommand:
    """Fit the scale of the rate, log α_0 = w · facts, to what an atlas's tasks lose at every rate.

    Facts, ridge penalty and schedule are chosen by the regret on domains that were left out.
    Example: psi fit out/atlas --kind scale --optimizer adam --out adam.json
    Example: psi fit out/atlas --kind scale --optimizer sgd --target train --out sgd-train.json
    """

    atlas: tyro.conf.Positional[Path]
    """The folder that psi atlas made."""
    optimizer: str
    """One of the atlas's."""
    out: Path
    """Law file, .json."""
    kind: Literal["scale"] = "scale"
    target: Literal["validation", "train"] = "validation"
    """The loss that the rate is to be best for."""
    resamples: int = 200
    """Of the bootstrap over domains."""
    seed: int = 0
    """Of folds and bootstrap."""
    level: float = 1.0
    """A factor of the rate, where tasks of another kind than the atlas's say that it is too low or
    too high on them."""
    json: bool = False
    """Print the law as one JSON object."""

    def __post_init__(self) -> None:
        check_output("out", self.out, ".json")
        if self.resamples < 20:
            raise ValueError(f"resamples must be >= 20, got {self.resamples}")
        if not 0 < self.level < math.inf:
            raise ValueError(f"level must be positive and finite, got {self.level}")
        if self.seed < 0:
            raise ValueError(f"seed must be >= 0, got {self.seed}")

    def run(self) -> Any:
        """Do it; what --json prints."""
        from psi.fit.scale.fit import fit_scale
        from psi.fit.scale.table import read_atlas
        from psi.report.progress import bar

        with bar("candidates") as report:
            made = fit_scale(
                read_atlas(self.atlas), self.optimizer, self.target, None, self.resamples,
                self.seed, report, self.level,
            )  # fmt: skip
        law = replace(made.law, provenance=self.provenance())
        law.save(self.out)
        if not self.json:
            rows = [tuple(map(_shown, row)) for row in made.exponents.itertuples(index=False)]
            names = tuple(map(str, made.exponents.columns))
            print_table("Exponents", names, rows, names[:1])
            print_law(law)
        return law.document() | {"exponents": made.exponents.to_dict("records")}

    def provenance(self) -> Provenance:
        """The atlas's hash, versions, and what would have to be typed to make the law again."""
        from psi.fit.scale.table import provenance

        return provenance(self.atlas, self._command())

    def _command(self) -> str:
        words = ["psi", "fit", str(self.atlas), "--kind", "scale", "--optimizer", self.optimizer]
        words += ["--target", self.target] if self.target != "validation" else []
        words += ["--resamples", str(self.resamples)] if self.resamples != 200 else []
        words += ["--seed", str(self.seed)] if self.seed else []
        words += ["--level", str(self.level)] if self.level != 1 else []
        return shlex.join([*words, "--out", str(self.out)])


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
