"""How large a demo is, checked without importing JAX."""

from dataclasses import dataclass

from psi.lab.data.config import GenerateConfig
from psi.lab.hyper import Hyper
from psi.law.checks import unknown

DEMO_DATASETS = ("breast_cancer", "digits", "wine")
DEMO_FAMILIES = ("gaussian_mixture", "teacher")


@dataclass(frozen=True)
class DemoConfig:
    """How large a demo. The defaults are meant for two cores.

    Raises ValueError where a number makes no sense or the held-out task is unknown.
    """

    held_out: str = "digits"
    """The real data set that no fit sees."""
    draws: int = 4
    """Tasks drawn from each of the two synthetic families."""
    epochs: int = 20
    """T, the length of a trajectory."""
    cells: int = 20
    """Random prefixes a task, each with its branch epoch."""
    candidates: int = 9
    """Rates tried from each branch point."""
    seeds: int = 16
    """Initialisations and batch orders a trajectory is run from."""
    seed: int = 0
    """Seed of everything random."""

    def __post_init__(self) -> None:
        if self.draws < 1:
            raise ValueError(f"draws must be >= 1, got {self.draws}")
        if self.held_out not in DEMO_DATASETS:
            raise ValueError(unknown("held-out data set", self.held_out, DEMO_DATASETS))
        self.data()

    def data(self) -> GenerateConfig:
        """What is trained, the held-out task first."""
        drawn = [f"{family}-{k}" for family in DEMO_FAMILIES for k in range(self.draws)]
        others = [name for name in (*DEMO_DATASETS, *drawn) if name != self.held_out]
        return GenerateConfig(
            tasks=(self.held_out, *others),
            hyper=Hyper(epochs=self.epochs),
            trajectories=0,
            cells=self.cells,
            candidates=self.candidates,
            seeds=self.seeds,
            seed=self.seed,
        )
