"""The names that a task may have, checked without importing JAX, and a user's own tasks."""

import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from psi.lab.hyper import Hyper
from psi.lab.registry import Table
from psi.lab.tasks.carried import CARRIED, carried
from psi.law.checks import unknown

if TYPE_CHECKING:
    from psi.lab.tasks.task import Task

# Of the data sets in CARRIED those that presets take, and that need no further package.
DATASET_NAMES = ("breast_cancer", "diabetes", "digits", "iris", "pydoc", "wine")
FAMILY_NAMES = ("gaussian_mixture", "ill_conditioned", "moons", "teacher")
SEALED_FAMILY_NAMES = ("fourier", "spirals")  # in no preset and no distribution: for judging alone
PROBLEM_NAMES = (
    "noisy_quadratic", "least_squares", "noisy_quadratic_3d", "drift", "power_law-1",
    "power_law-1.5", "power_law-2", "power_law-3", "power_law-4", "sign_descent",
    "exponential_tail", "spectrum", "lipschitz", "saddle",
)  # fmt: skip
FILE_SUFFIXES = (
    ".csv", ".npz", ".parquet", ".tsv", ".txt", ".data",
    ".csv.gz", ".tsv.gz", ".txt.gz", ".csv.bz2", ".csv.xz",
)  # fmt: skip


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

    A folder of parts is one too: one that is there, or a name that ends in a slash. The target is
    None where the name holds none.
    """
    suffixes = "|".join(re.escape(suffix) for suffix in FILE_SUFFIXES)
    found = re.fullmatch(rf"(.+?(?:{suffixes}|/))(?::(.+))?", name, re.IGNORECASE)
    if found:
        return Path(found[1]), found[2]
    folder, _, target = name.rpartition(":")
    if _is_house(name) or not name:
        return None
    if Path(name).is_dir():
        return Path(name), None
    return (Path(folder), target) if folder and target and Path(folder).is_dir() else None


def _is_house(name: str) -> bool:
    """Whether a name is one that the lab gives."""
    families = "|".join((*FAMILY_NAMES, *SEALED_FAMILY_NAMES))
    drawn = re.fullmatch(rf"({families})-\d{{1,6}}(-fixed)?|drawn-\d{{1,6}}|openml:.+", name)
    return name in (*PROBLEM_NAMES, *TASKS.names) or bool(drawn or carried(name))


def suffix(path: Path) -> str:
    """The suffix that says what a file is, .csv.gz for instance; of another file its last one."""
    known = (each for each in FILE_SUFFIXES if path.name.lower().endswith(each))
    return max(known, key=len, default=path.suffix.lower())


def stem(path: Path) -> str:
    """A file's name without that suffix; a folder's name."""
    return path.name[: -len(suffix(path))] if suffix(path) else path.name


def parts_of(path: Path) -> list[Path]:
    """The files of a folder of parts, in the order of their names; of a file itself.

    Files and folders whose names begin with a dot or an underscore are not parts.
    """
    if not path.is_dir():
        return [path]
    inside = (file for file in sorted(path.rglob("*")) if suffix(file) in FILE_SUFFIXES)
    return [
        file
        for file in inside
        if file.is_file() and not any(part[0] in "._" for part in file.relative_to(path).parts)
    ]


def called(name: str) -> str:
    """What a task is called in tables: a file by its stem and the target that its name holds."""
    path, target = file_and_target(name) or (None, None)
    if path is None:
        return name
    return stem(path) if target is None else f"{stem(path)}:{target}"


def check_task(name: str) -> None:
    """Raise ValueError unless `make_task` knows the name. Opens no file."""
    if not (_is_house(name) or file_and_target(name)):
        numbered = [f"{family}-0" for family in (*FAMILY_NAMES, *SEALED_FAMILY_NAMES, "drawn")]
        known = (
            *(each for each in CARRIED if carried(each)),
            *numbered,
            *PROBLEM_NAMES,
            *TASKS.names,
        )
        raise ValueError(
            f"{unknown('data set', name, known)}; or a file ({', '.join(FILE_SUFFIXES)}; "
            "FILE:COLUMN names its target) or a folder of such parts, or openml:NAME"
        )
