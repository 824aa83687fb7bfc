"""The names that a task may have, checked without importing JAX, and a user's own tasks."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from psi.lab.hyper import Hyper
from psi.lab.registry import Table

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
