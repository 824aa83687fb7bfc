"""What was the best rate, from records and from branched runs.

`estimate.estimate` makes all tables of a data set, `labelling.label_task` the ideal rates of one
task in memory; `oracle.headroom` says how much a schedule can matter there.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psi.ideal import (
        bias,
        branched,
        config,
        estimate,
        identify,
        labelling,
        oracle,
        rate,
        surface,
    )

__all__ = [
    "bias", "branched", "config", "estimate", "identify", "labelling", "oracle", "rate", "surface",
]  # fmt: skip
