"""What an atlas is of, checked before anything is compiled; imports no JAX."""

from dataclasses import dataclass
from typing import Literal

from psi.law.checks import at_least, unknown

OPTIMIZERS = ("sgd", "momentum", "adam")
LOWEST = {"sgd": 1.2e-3, "momentum": 1.2e-4, "adam": 3e-5}
"""The lowest rate of the usual grid."""
RATES, RATIO = 17, 1.8
REACHES = ("near", "far", "practice")
LANES, SEEDS = 3 * RATES, 3
"""Constant, linear and cosine at each rate of a grid, from so many seeds in a round."""


@dataclass(frozen=True)
class AtlasConfig:
    """Tasks first … first + tasks − 1 of the distribution under some optimizers.

    Raises:
        ValueError: fewer than one task, an unknown optimizer or reach, or no optimizer.
    """

    tasks: int = 1000
    optimizers: tuple[str, ...] = OPTIMIZERS
    first: int = 0
    """Number of the first task."""
    reach: Literal["near", "far", "practice"] = "near"
    """far and practice are for accelerators: trainings on fixed rows are as long as in practice.
    far has networks of up to 6,000,000 weights; practice small ones, residual ones among them."""
    extensions: int = 2
    """Grids that are added where the best rate is at an edge, at most."""
    more_seeds: int = 1
    """Rounds of three further seeds where the order of the best rates is uncertain, at
    most."""

    def __post_init__(self) -> None:
        at_least(self, tasks=1, first=0, extensions=0, more_seeds=0)
        if not self.optimizers or len(set(self.optimizers)) < len(self.optimizers):
            raise ValueError(f"optimizers must be distinct, at least one; got {self.optimizers}")
        if self.reach not in REACHES:
            raise ValueError(unknown("reach", self.reach, REACHES))
        for name in self.optimizers:
            if name not in OPTIMIZERS:
                raise ValueError(unknown("optimizer", name, OPTIMIZERS))

    @property
    def trainings(self) -> int:
        """Networks to train, but for further grids and seeds."""
        return self.tasks * len(self.optimizers) * LANES * SEEDS

    @property
    def numbers(self) -> range:
        """Of its tasks."""
        return range(self.first, self.first + self.tasks)


PRESETS: tuple[tuple[str, AtlasConfig], ...] = (
    ("smoke", AtlasConfig(16, extensions=0, more_seeds=0)),
    ("laptop", AtlasConfig()),
    ("full", AtlasConfig(10_000, first=1000, reach="far")),
)
