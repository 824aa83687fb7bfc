"""What may be asked for: names and configs, checked without importing JAX.

The command line reads a config and says what is wrong with it before anything heavy starts.
"""

import math
import re
from dataclasses import dataclass

DATASET_NAMES = ("breast_cancer", "digits", "wine")
FAMILY_NAMES = ("gaussian_mixture", "teacher")
OPTIMIZERS = ("sgd", "momentum", "adam")

PILOT_RATES = 15
PILOT_SEEDS = 5
PILOT_RUNS = 3 * PILOT_RATES * PILOT_SEEDS
"""Runs of a task's pilot: three plain schedules."""


def check_task(name: str, epochs: int, optimizer: str) -> None:
    """Raise ValueError unless `make_task` knows the task. Costs nothing."""
    drawn = re.fullmatch(rf"({'|'.join(FAMILY_NAMES)})-\d{{1,6}}", name)
    if name not in DATASET_NAMES and not drawn:
        allowed = ", ".join([*DATASET_NAMES, *(f"{family}-N" for family in FAMILY_NAMES)])
        raise ValueError(f"unknown data set {name!r}; allowed: {allowed} (N a number)")
    if epochs < 1:
        raise ValueError(f"epochs, the length of a trajectory, must be >= 1, got {epochs}")
    if optimizer not in OPTIMIZERS:
        raise ValueError(f"unknown optimizer {optimizer!r}; allowed: {', '.join(OPTIMIZERS)}")


@dataclass(frozen=True)
class GenerateConfig:
    """What to train. Raises ValueError, before anything is trained, where it makes no sense."""

    tasks: tuple[str, ...] = ("breast_cancer", "wine", "gaussian_mixture-0", "teacher-0")
    """Data sets, and draws of synthetic families: teacher-0, teacher-1, …"""
    epochs: int = 20
    """T, the length of a trajectory."""
    optimizer: str = "sgd"
    """sgd, momentum or adam."""
    cells: int = 20
    """Random prefixes a task, each with its branch epoch."""
    candidates: int = 9
    """Rates tried from each branch point."""
    seeds: int = 16
    """Initialisations and batch orders each trajectory is run from."""
    min_lr: float = 0.01
    """Lowest candidate rate."""
    max_lr: float = 6.0
    """Highest candidate rate."""
    seed: int = 0
    """Seed of everything random."""

    def __post_init__(self) -> None:
        if not self.tasks or len(set(self.tasks)) != len(self.tasks):
            raise ValueError(f"tasks must be distinct, at least one; got {self.tasks}")
        for task in self.tasks:
            check_task(task, self.epochs, self.optimizer)
        for name in ("cells", "candidates", "seeds"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}")
        if self.seed < 0:
            raise ValueError(f"seed must be >= 0, got {self.seed}")
        if not 0 < self.min_lr < self.max_lr < math.inf:
            raise ValueError(
                f"rates must be 0 < min_lr < max_lr, got {self.min_lr} and {self.max_lr}"
            )

    def runs(self) -> int:
        """Networks trained in all."""
        return len(self.tasks) * (PILOT_RUNS + self.cells * self.candidates * self.seeds)


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
        if self.held_out not in DATASET_NAMES:
            allowed = ", ".join(DATASET_NAMES)
            raise ValueError(f"unknown held-out data set {self.held_out!r}; allowed: {allowed}")
        self.data()

    def data(self) -> GenerateConfig:
        """What is trained, the held-out task first."""
        drawn = [f"{family}-{k}" for family in FAMILY_NAMES for k in range(self.draws)]
        others = [name for name in (*DATASET_NAMES, *drawn) if name != self.held_out]
        return GenerateConfig(
            tasks=(self.held_out, *others),
            epochs=self.epochs,
            cells=self.cells,
            candidates=self.candidates,
            seeds=self.seeds,
            seed=self.seed,
        )
