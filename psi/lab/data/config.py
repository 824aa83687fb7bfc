"""What a data set of records may be asked for, checked without importing JAX.

The command line reads a config and says what is wrong with it before anything heavy starts.
"""

import math
from dataclasses import asdict, dataclass, field, replace
from dataclasses import fields as dataclass_fields
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

from psi.lab.data.families import FAMILIES
from psi.lab.hyper import Hyper
from psi.lab.optimizers import bounds
from psi.lab.tasks import names
from psi.lab.tasks.data_config import DataConfig
from psi.law.checks import at_least

PILOT_RATES = 15
PILOT_SEEDS = 5
PILOT_RUNS = 3 * PILOT_RATES * PILOT_SEEDS  # runs of a task's pilot: three plain schedules


@dataclass(frozen=True)
class GenerateConfig:
    """What to train: every task along random trajectories, from several seeds.

    Raises:
        ValueError: before anything is trained, where a name is unknown or a number makes no sense.

    Example:
        >>> import psi
        >>> config = psi.GenerateConfig(("wine",), optimizers=("sgd", "adam"), vary=("width=8,16",))
        >>> [config.label(number) for number in range(2)]
        ['wine, width=8', 'wine, optimizer=adam, width=8']
        >>> config.runs()  # networks trained in all
        22660
    """

    tasks: tuple[str, ...] = ("breast_cancer", "wine", "gaussian_mixture-0", "teacher-0")
    """Data sets; draws of families (teacher-0, teacher-0-fixed), or of hyperparameters as well
    (drawn-0, drawn-1, …); problems whose ideal rate is known; your own .csv, .parquet and .npz
    files or folders of parts; openml:NAME."""
    hyper: Hyper = field(default_factory=Hyper)
    """Of every training, but the learning rate."""
    data: DataConfig = field(default_factory=DataConfig)
    """How your own files and OpenML data sets are read."""
    trajectories: int = 160
    """Random trajectories a task, the families of psi.lab.data.trajectories in turn."""
    cells: int = 20
    """Random prefixes a task, from each of which candidate rates branch off. A fit needs 5 usable
    ones in all, that of a network 10, a symbolic one 20; a fifth or so are not usable."""
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
    optimizers: tuple[str, ...] = ()
    """Several optimizers, every task under each, in place of that of `hyper`."""
    vary: tuple[str, ...] = ()
    """Hyperparameters that take several values, such as width=16,64 and batch=8,32: every task
    with every combination. The budget is one for all."""
    families: tuple[str, ...] = ()
    """Trajectory families, gone round in turn; by default the house's own."""
    plugin: tuple[Path, ...] = ()
    """Python files whose PLUGIN holds what you add: tasks, optimizers, families, baselines."""

    def __post_init__(self) -> None:
        if not self.tasks or len(set(self.tasks)) != len(self.tasks):
            raise ValueError(f"tasks must be distinct, at least one; got {self.tasks}")
        for task in self.tasks:
            names.check_task(task)
        for path in self.data_files():
            if not path.exists():
                raise ValueError(f"no such data file: {path}")
        labels = [
            names.called(spec.name) + spec.label(self.hyper).removeprefix(spec.name)
            for spec in self.specs()
        ]
        if twice := sorted({label for label in labels if labels.count(label) > 1}):
            raise ValueError(f"several tasks would be called {', '.join(twice)}: rename files")
        for name in self.families:
            FAMILIES[name]
        at_least(self, trajectories=0, cells=0, candidates=1, seeds=1, seed=0)
        if not self.lanes():
            raise ValueError("trajectories or cells must be at least one, got 0 of both")
        for number in range(len(labels)):
            low, high = self.rates(number)
            if not 0 < low < high < math.inf:
                raise ValueError(f"rates must be 0 < min_lr < max_lr, got {low} and {high}")

    def specs(self) -> tuple[names.Spec, ...]:
        """Every task of the data set, by number: names × optimizers × varied hyperparameters."""
        return self._specs

    @cached_property
    def _specs(self) -> tuple[names.Spec, ...]:
        # Asked for by number, task after task: made anew each time it would be quadratic.
        hypers, varied = [self.hyper], [parse_values(text) for text in self.vary]
        if self.optimizers:
            varied.append(("optimizer", list(self.optimizers)))
        for name, values in varied:
            hypers = [replace(hyper, **{name: value}) for hyper in hypers for value in values]
        return tuple(names.Spec(task, hyper) for task in self.tasks for hyper in hypers)

    def label(self, number: int) -> str:
        """What task `number` is asked for as: its name, and what differs from `hyper`."""
        return self.specs()[number].label(self.hyper)

    def data_files(self) -> tuple[Path, ...]:
        """The user's own files among the tasks, each once."""
        found = (names.file_and_target(name) for name in self.tasks if name not in names.TASKS)
        return tuple(dict.fromkeys(each[0] for each in found if each))

    def rates(self, number: int = 0) -> tuple[float, float]:
        """The lowest and the highest rate of task `number`."""
        low, high = bounds(self.specs()[number].hyper.optimizer)
        return (
            low if self.min_lr is None else self.min_lr,
            high if self.max_lr is None else self.max_lr,
        )

    def lanes(self) -> int:
        """Trajectories a task, the pilot's left out."""
        return self.trajectories + self.cells * self.candidates

    def runs(self) -> int:
        """Networks trained in all."""
        return len(self.specs()) * (PILOT_RUNS + self.lanes() * self.seeds)


def _draws(count: int, form: str = "") -> tuple[str, ...]:
    """The first draws of every family."""
    return tuple(f"{family}-{k}{form}" for family in names.FAMILY_NAMES for k in range(count))


REAL = tuple(name for name in names.DATASET_NAMES if name not in ("digits", "pydoc"))
SMOKE = GenerateConfig(("wine", "teacher-0"), Hyper(epochs=5), trajectories=32, seeds=4)
LAPTOP = GenerateConfig((*REAL, *_draws(2)))
FULL_TASKS = (*names.DATASET_NAMES, *_draws(16), *_draws(4, "-fixed"))
FULL = GenerateConfig(FULL_TASKS, trajectories=640, cells=40, seeds=32)
PRESETS = (("smoke", SMOKE), ("laptop", LAPTOP), ("full", FULL))
"""Sizes of a data set: seconds, minutes, hours on two cores."""


def parse_values(text: str) -> tuple[str, list[Any]]:
    """(name, values) of `width=16,64`. Raises ValueError unless Hyper has the field."""
    name, _, values = text.partition("=")
    kinds = {f.name: (*get_args(f.type), f.type)[0] for f in dataclass_fields(Hyper)}
    if name not in kinds or name == "epochs" or not values:
        allowed = ", ".join(kind for kind in kinds if kind != "epochs")
        raise ValueError(f"vary must be NAME=VALUE,VALUE with NAME one of {allowed}; got {text!r}")
    return name, [_value(name, kinds[name], each) for each in values.split(",")]


def _value(name: str, kind: Any, text: str) -> Any:
    if kind is bool:
        if text not in ("true", "false"):
            raise ValueError(f"{name} must be true or false, got {text!r}")
        return text == "true"
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"{name} must be {kind.__name__}, got {text!r}") from None


ADDED = (
    "optimizers", "vary", "families", "plugin", "initialisation",
    "force_header", "delimiter", "encoding", "ignore", "numeric", "categorical",
)  # fmt: skip
"""Fields that came later: where they are empty they are not part of a data set's identity."""


def flat(config: Any) -> dict[str, Any]:
    """A config's fields as JSON values, nested ones as `hyper.epochs`."""
    fields: dict[str, Any] = {}
    for name, value in asdict(config).items():
        if name in ADDED and not value:
            continue
        if name == "plugin":
            value = [str(path) for path in value]
        inner = value if isinstance(value, dict) else {"": value}
        for key, each in inner.items():
            if key in ADDED and not each:
                continue
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
            nested[name][inner] = tuple(value) if isinstance(value, list) else value
        elif key in known:
            plain[key] = tuple(value) if isinstance(value, list) else value
    plain["plugin"] = tuple(Path(path) for path in plain.get("plugin", ()))
    return GenerateConfig(
        **plain, hyper=Hyper(**nested["hyper"]), data=DataConfig(**nested["data"])
    )
