"""From ideal rates to a law: a closed form or a network.

`dataset.fit_law` takes a data set on disk; `config.FitConfig` says which law. Formulas and their
constants are in `psi.fit.formula`, formulas from nothing in `psi.fit.symbolic`, searches over whole
trainings in `psi.fit.search`, the scale as a function of facts in `psi.fit.scale`. Of a user's own
table of `runs`, `sweep` finds the best rates and `power_law` their law.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psi.fit import (
        cells,
        closed,
        config,
        dataset,
        decompose,
        network,
        power_law,
        refine,
        runs,
        sweep,
        trainings,
    )

__all__ = [
    "cells", "closed", "config", "dataset", "decompose", "network", "power_law", "refine", "runs",
    "sweep", "trainings",
]  # fmt: skip
