"""What a fit may be asked for, checked without importing a library."""

from dataclasses import dataclass
from typing import Literal

from psi.fit.formula.families import RAW, RELATIVE, SIZED, Family, families, family
from psi.fit.symbolic.config import SymbolicConfig
from psi.lab.optimizers import OPTIMIZERS

LawKind = Literal["curve", "symbolic", "network"]
FEATURES = {"raw": RAW, "relative": RELATIVE, "sized": SIZED}
AUTO = "auto"


@dataclass(frozen=True)
class FitConfig:
    """Which law is fitted, and to what.

    Raises:
        ValueError: where a name is unknown or a number makes no sense.

    Example:
        >>> import psi
        >>> config = psi.FitConfig(family="loss_power*polynomial")  # a (ε/ε_0)^p (1 − i/T)^q
        >>> config.names
        ('loss_ratio', 'progress')
    """

    kind: LawKind = "curve"
    """A family of the table of curves, a formula that is searched for, or a small Flax network."""
    features: Literal["raw", "relative", "sized"] = "relative"
    """(ε, i), (ε/ε_0, i/T), or these and P, for data sets of networks of several sizes."""
    family: str = AUTO
    """The one family of a curve, or the one that is offered to a symbolic search: factors joined
    by `*`, the loss's first (loss_power*polynomial), or constant. auto: all are fitted; the
    best of each length on tasks left out are compared as schedules in whole trainings, and the best
    few are offered to a symbolic search."""
    scaled: bool = False
    """Scale × shape: Ψ is fitted to α/α_0, with each task's α_0 from a probe at initialisation."""
    optimizer: str | None = None
    """Whose tasks are fitted, where the data set has several. None: its only one."""
    runs: int = 6
    """Genetic searches of a symbolic fit."""
    generations: int = 40
    """Of a genetic search."""
    resamples: int = 200
    """Bootstrap resamples of whole tasks, for intervals."""
    seed: int = 0
    """Seed of searches, bootstrap and initialisation."""

    def __post_init__(self) -> None:
        if self.features not in FEATURES:
            raise ValueError(f"features must be raw, relative or sized, got {self.features!r:.60}")
        if self.kind not in ("curve", "symbolic", "network"):
            raise ValueError(f"kind must be curve, symbolic or network, got {self.kind!r:.60}")
        if self.optimizer is not None:
            OPTIMIZERS[self.optimizer]
        if self.family != AUTO and self.kind == "network":
            raise ValueError(f"a network has no family, got {self.family!r:.60}")
        if self.family != AUTO:
            family(self.family, self.names)
        self.symbolic()

    @property
    def names(self) -> tuple[str, ...]:
        """The features by name."""
        return FEATURES[self.features]

    def table(self) -> tuple[Family, ...]:
        """The families that are fitted."""
        if self.family == AUTO:
            return families(self.names)
        return (family(self.family, self.names),)

    def symbolic(self) -> SymbolicConfig:
        """How a symbolic fit searches."""
        return SymbolicConfig(
            runs=self.runs, generations=self.generations, resamples=self.resamples, seed=self.seed
        )
