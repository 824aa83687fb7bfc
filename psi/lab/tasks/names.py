"""The names that a task may have, checked without importing JAX, and a user's own tasks."""

import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from psi.lab.hyper import Hyper
from psi.lab.registry import Table
from psi.law.checks import unknown

if TYPE_CHECKING:
    from psi.lab.tasks.task import Task

DATASET_NAMES = ("breast_cancer", "diabetes", "digits", "iris", "pydoc", "wine")
FAMILY_NAMES = ("gaussian_mixture", "ill_conditioned", "moons", "teacher")
PROBLEM_NAMES = (
    "noisy_quadratic", "least_squares", "noisy_quadratic_3d", "drift", "power_law-1",
    "power_law-1.5", "power_law-2", "power_law-3", "power_law-4", "sign_descent",
    "exponential_tail", "spectrum", "lipschitz", "saddle",
)  # fmt: skip
FILE_SUFFIXES = (".csv", ".parquet", ".npz")


class TaskSource(NamedTuple):
    """A user's task: its name, and the function that makes it from the hyperparameters."""

    name: str
    make: "Callable[[Hyper], Task]"


TASKS: Table[TaskSource] = Table("task")
"""What a user adds (psi.use); the house's own names are above."""


class Spec(NamedTuple):
    """A task by name and hyperparameters: a row of a list of tasks."""

    name: str
    hyper: Hyper

    def label(self, common: Hyper) -> str:
        """Its name and what differs from `common`, as `wine, width=64`."""
        values = ((f.name, getattr(self.hyper, f.name)) for f in fields(Hyper))
        other = [f"{name}={value}" for name, value in values if value != getattr(common, name)]
        return ", ".join([self.name, *other])


def file_and_target(name: str) -> tuple[Path, str | None] | None:
    """(path, target column) of a task that is a file, `mine.csv` or `mine.csv:price`; else None.

    The target is None where the name holds none.
    """
    suffixes = "|".join(re.escape(suffix) for suffix in FILE_SUFFIXES)
    found = re.fullmatch(rf"(.+?(?:{suffixes}))(?::(.+))?", name, re.IGNORECASE)
    return (Path(found[1]), found[2]) if found else None


def called(name: str) -> str:
    """What a task is called in tables: a file by its stem and the target that its name holds."""
    path, target = file_and_target(name) or (None, None)
    if path is None:
        return name
    return path.stem if target is None else f"{path.stem}:{target}"


def check_task(name: str) -> None:
    """Raise ValueError unless `make_task` knows the name. Costs nothing, opens no file."""
    families = "|".join(FAMILY_NAMES)
    drawn = re.fullmatch(rf"({families})-\d{{1,6}}(-fixed)?|drawn-\d{{1,6}}", name)
    own = name in TASKS or file_and_target(name) or re.fullmatch(r"openml:.+", name)
    if not (name in (*DATASET_NAMES, *PROBLEM_NAMES) or drawn or own):
        numbered = [f"{family}-0" for family in (*FAMILY_NAMES, "drawn")]
        known = (*DATASET_NAMES, *numbered, *PROBLEM_NAMES, *TASKS.names)
        raise ValueError(
            f"{unknown('data set', name, known)}; or a file ({', '.join(FILE_SUFFIXES)}; "
            "FILE:COLUMN names its target), or openml:NAME"
        )
