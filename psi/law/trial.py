"""Whether a law gives usable rates: Ψ evaluated all over its domain."""

from typing import NamedTuple

import numpy as np

from psi.law.law import Law

INSIDE = 20_000  # points beside the corners


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
    """Evaluate Ψ at the corners of the domain and at a Latin hypercube of points within it.

    A grid would have corners alone where a law sees eleven features.
    """
    low, high = np.transpose(law.domain)[..., None]
    each = np.tile((np.arange(INSIDE) + 0.5) / INSIDE, (len(law.features), 1))
    inside = np.random.default_rng(0).permuted(each, axis=1)
    corners = np.reshape(np.meshgrid(*[[0.0, 1.0]] * len(law.features)), (len(law.features), -1))
    unit = np.concatenate([corners, inside], axis=1)
    with np.errstate(all="ignore"):
        rate = law(low + (high - low) * unit)
        fine = np.isfinite(rate) & (rate > 0)
        clipped = fine & ((rate < law.rates.low) | (rate > law.rates.high))
    least, most = (rate[fine].min(), rate[fine].max()) if fine.any() else (np.nan, np.nan)
    return Trial(rate.size, int(fine.sum()), float(least), float(most), int(clipped.sum()))
