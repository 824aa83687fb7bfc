"""Whether a law gives usable rates: Ψ evaluated over a grid of its whole domain."""

from typing import NamedTuple

import numpy as np

from psi.law.law import Law

POINTS = 20_000  # about how many; the corners of the domain are among them


class Trial(NamedTuple):
    """How many points of a law's domain give a rate, and between which limits."""

    points: int
    finite: int
    """Points where Ψ is finite and positive."""
    low: float
    high: float
    """The least and the largest rate of these; NaN where there is none."""
    clipped: int
    """Points where it is outside the law's declared rates, to which a scheduler clips it."""

    @property
    def ok(self) -> bool:
        """Whether Ψ is a rate everywhere in the domain."""
        return self.finite == self.points


def trial(law: Law) -> Trial:
    """Evaluate Ψ over a grid that is evenly spaced in each feature."""
    each = max(2, round(POINTS ** (1 / len(law.features))))
    axes = [np.linspace(low, high, each) for low, high in law.domain]
    grid = np.stack([axis.reshape(-1) for axis in np.meshgrid(*axes, indexing="ij")])
    with np.errstate(all="ignore"):
        rate = law(grid)
        fine = np.isfinite(rate) & (rate > 0)
        clipped = fine & ((rate < law.rates.low) | (rate > law.rates.high))
    low, high = (rate[fine].min(), rate[fine].max()) if fine.any() else (np.nan, np.nan)
    return Trial(rate.size, int(fine.sum()), float(low), float(high), int(clipped.sum()))
