"""What may be asked for: names and configs, checked without importing JAX.

The command line reads a config and says what is wrong with it before anything heavy starts.
"""

import math
import re
from dataclasses import asdict, dataclass, field
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import Any

from psi.lab.bounds import BOUNDS
from psi.lab.checks import at_least
from psi.lab.tasks.data_config import DataConfig

DATASET_NAMES = ("breast_cancer", "diabetes", "digits", "iris", "pydoc", "wine")
FAMILY_NAMES = ("gaussian_mixture", "ill_conditioned", "moons", "teacher")
OPTIMIZER_NAMES = (
    "sgd", "momentum", "momentum_ema", "nesterov", "adagrad", "adadelta", "rmsprop", "adam",
    "adamw", "sign",
)  # fmt: skip
PROBLEM_NAMES = (
    "noisy_quadratic", "least_squares", "noisy_quadratic_3d", "drift", "power_law-1",
    "power_law-1.5", "power_law-2", "power_law-3", "power_law-4", "sign_descent",
    "exponential_tail", "spectrum", "lipschitz", "saddle",
)  # fmt: skip
FILE_SUFFIXES = (".csv", ".parquet", ".npz")
NETWORK_NAMES = ("linear", "mlp", "residual", "cnn", "gru", "transformer")
ACTIVATION_NAMES = ("relu", "tanh", "gelu")
PRECISION_NAMES = ("float32", "bfloat16")

PILOT_RATES = 15
PILOT_SEEDS = 5
PILOT_RUNS = 3 * PILOT_RATES * PILOT_SEEDS
"""Runs of a task's pilot: three plain schedules."""


@dataclass(frozen=True)
class Hyper:
    """H: every hyperparameter of a training but the learning rate. None: the task's own default.

    Raises ValueError where one makes no sense.
    """

    epochs: int = 20
    """T, the length of a trajectory."""
    optimizer: str = "sgd"
    """One of the table in psi.lab.optimizers: sgd, momentum, nesterov, adam, …"""
    batch: int | None = None
    """Rows a minibatch."""
    weight_decay: float = 0.0
    """Decoupled: θ ← θ − α (u + weight_decay · θ)."""
    label_smoothing: float = 0.0
    """Share of a label's weight that is spread over all classes."""
    network: str | None = None
    """linear, mlp, residual, cnn, gru or transformer."""
    width: int | None = None
    """Units a hidden layer, channels of a CNN, or size of an embedding."""
    depth: int | None = None
    """Hidden layers or blocks."""
    activation: str = "relu"
    """relu, tanh or gelu."""
    init_scale: float = 1.0
    """Times the weights of He initialisation."""
    normalised: bool = False
    """Layer normalisation before activations."""
    precision: str = "float32"
    """float32, or bfloat16 for the network forward and backward; weights and losses stay float32.
    It is quick only where the device has it."""

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"epochs, the length of a trajectory, must be >= 1, got {self.epochs}")
        _one_of("optimizer", self.optimizer, OPTIMIZER_NAMES)
        _one_of("activation", self.activation, ACTIVATION_NAMES)
        _one_of("precision", self.precision, PRECISION_NAMES)
        if self.network is not None:
            _one_of("network", self.network, NETWORK_NAMES)
        for name in ("batch", "width", "depth"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be >= 1, got {value}")
        for name, high in (("weight_decay", math.inf), ("label_smoothing", 1.0)):
            if not 0 <= getattr(self, name) < high:
                raise ValueError(f"{name} must be in [0, {high:g}), got {getattr(self, name)}")
        if not 0 < self.init_scale < math.inf:
            raise ValueError(f"init_scale must be positive and finite, got {self.init_scale}")


def _one_of(what: str, name: str, allowed: tuple[str, ...]) -> None:
    if name not in allowed:
        raise ValueError(f"unknown {what} {name!r}; allowed: {', '.join(allowed)}")


def is_file(name: str) -> bool:
    """Whether the name of a task is that of a user's data file."""
    return Path(name).suffix.lower() in FILE_SUFFIXES


def check_task(name: str) -> None:
    """Raise ValueError unless `make_task` knows the name. Costs nothing, opens no file."""
    families = "|".join(FAMILY_NAMES)
    drawn = re.fullmatch(rf"({families})-\d{{1,6}}(-fixed)?|drawn-\d{{1,6}}", name)
    own = is_file(name) or re.fullmatch(r"openml:.+", name)
    if not (name in (*DATASET_NAMES, *PROBLEM_NAMES) or drawn or own):
        allowed = ", ".join([*DATASET_NAMES, *(f"{family}-N" for family in FAMILY_NAMES)])
        raise ValueError(
            f"unknown data set {name!r}; allowed: {allowed} (N a number; then -fixed for fixed "
            f"rows in place of a stream), drawn-N, {', '.join(PROBLEM_NAMES)}, "
            f"a file ({', '.join(FILE_SUFFIXES)}), openml:NAME"
        )


@dataclass(frozen=True)
class GenerateConfig:
    """What to train. Raises ValueError, before anything is trained, where it makes no sense."""

    tasks: tuple[str, ...] = ("breast_cancer", "wine", "gaussian_mixture-0", "teacher-0")
    """Data sets; draws of families (teacher-0, teacher-0-fixed), or of hyperparameters as well
    (drawn-0, drawn-1, …); problems whose ideal rate is known; your own .csv, .parquet and .npz
    files; openml:NAME."""
    hyper: Hyper = field(default_factory=Hyper)
    data: DataConfig = field(default_factory=DataConfig)
    trajectories: int = 160
    """Random trajectories a task, the families of psi.lab.data.trajectories in turn."""
    cells: int = 20
    """Random prefixes a task, from each of which candidate rates branch off."""
    candidates: int = 9
    """Rates tried from each branch point."""
    seeds: int = 16
    """Initialisations and batch orders each trajectory is run from."""
    min_lr: float | None = None
    """Lowest rate; by default by optimizer."""
    max_lr: float | None = None
    """Highest rate; by default by optimizer."""
    seed: int = 0
    """Seed of everything random."""

    def __post_init__(self) -> None:
        if not self.tasks or len(set(self.tasks)) != len(self.tasks):
            raise ValueError(f"tasks must be distinct, at least one; got {self.tasks}")
        for task in self.tasks:
            check_task(task)
            if is_file(task) and not Path(task).is_file():
                raise ValueError(f"no such data file: {task}")
        at_least(self, ("trajectories", 0), ("cells", 0), ("candidates", 1), ("seeds", 1))
        if not self.lanes():
            raise ValueError("trajectories or cells must be at least one, got 0 of both")
        if self.seed < 0:
            raise ValueError(f"seed must be >= 0, got {self.seed}")
        low, high = self.rates()
        if not 0 < low < high < math.inf:
            raise ValueError(f"rates must be 0 < min_lr < max_lr, got {low} and {high}")

    def rates(self) -> tuple[float, float]:
        """The lowest and the highest rate."""
        low, high = dict(BOUNDS)[self.hyper.optimizer]
        return (
            low if self.min_lr is None else self.min_lr,
            high if self.max_lr is None else self.max_lr,
        )

    def lanes(self) -> int:
        """Trajectories a task, the pilot's left out."""
        return self.trajectories + self.cells * self.candidates

    def runs(self) -> int:
        """Networks trained in all."""
        return len(self.tasks) * (PILOT_RUNS + self.lanes() * self.seeds)


REAL = tuple(name for name in DATASET_NAMES if name not in ("digits", "pydoc"))
PRESETS: tuple[tuple[str, GenerateConfig], ...] = (
    (
        "smoke",
        GenerateConfig(("wine", "teacher-0"), Hyper(epochs=5), trajectories=32, cells=4, seeds=4),
    ),
    (
        "laptop",
        GenerateConfig((*REAL, *(f"{family}-{k}" for family in FAMILY_NAMES for k in range(2)))),
    ),
    (
        "full",
        GenerateConfig(
            (
                *DATASET_NAMES,
                *(f"{family}-{k}" for family in FAMILY_NAMES for k in range(16)),
                *(f"{family}-{k}-fixed" for family in FAMILY_NAMES for k in range(4)),
            ),
            trajectories=640,
            cells=40,
            seeds=32,
        ),
    ),
)
"""Sizes of a data set: seconds, minutes, hours on two cores."""


def flat(config: Any) -> dict[str, Any]:
    """A config's fields as JSON values, nested ones as `hyper.epochs`."""
    fields: dict[str, Any] = {}
    for name, value in asdict(config).items():
        inner = value if isinstance(value, dict) else {"": value}
        for key, each in inner.items():
            value = list(each) if isinstance(each, tuple) else each
            fields[f"{name}.{key}" if key else name] = value
    return fields


def from_flat(fields: dict[str, Any]) -> GenerateConfig:
    """The config that `flat` was made from; other keys are passed over.

    Raises ValueError where its values make no sense.
    """
    known = {f.name for f in dataclass_fields(GenerateConfig)}
    nested: dict[str, dict[str, Any]] = {"hyper": {}, "data": {}}
    plain: dict[str, Any] = {}
    for key, value in fields.items():
        name, _, inner = key.partition(".")
        if inner and name in nested:
            nested[name][inner] = value
        elif key in known:
            plain[key] = tuple(value) if isinstance(value, list) else value
    return GenerateConfig(
        **plain, hyper=Hyper(**nested["hyper"]), data=DataConfig(**nested["data"])
    )


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
            allowed = ", ".join(DEMO_DATASETS)
            raise ValueError(f"unknown held-out data set {self.held_out!r}; allowed: {allowed}")
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
