"""The table of tasks: a name gives a task."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import jax

from psi.lab.hyper import Hyper
from psi.lab.tasks.carried import Carried, carried
from psi.lab.tasks.data_config import DataConfig
from psi.lab.tasks.distribution import TaskDistribution
from psi.lab.tasks.names import PROBLEM_NAMES, TASKS, Spec, called, check_task, file_and_target
from psi.lab.tasks.task import Task

if TYPE_CHECKING:
    from psi.lab.tasks.columns import Rows


def spec_task(spec: Spec, optimizer: str, data: DataConfig | None = None) -> Task:
    """The task of a spec under an optimizer, called by its name and what differs from defaults."""
    task = make_task(spec.name, replace(spec.hyper, optimizer=optimizer), data)
    own = spec.label(Hyper()).removeprefix(spec.name)
    return task._replace(name=called(spec.name) + own)


def make_task(name: str, hyper: Hyper | None = None, data: DataConfig | None = None) -> Task:
    """The task of a name.

    Args:
        name: a data set that the lab carries (`wine`, `pydoc`, `keel/letter`, …; `wine@1` draws its
            parts anew); draw N of a synthetic family, `teacher-N` or with fixed rows
            `teacher-N-fixed`; draw N of a distribution over families and hyperparameters,
            `drawn-N`; a problem whose ideal rate is known, `noisy_quadratic`; a file or a folder of
            parts, `mine.csv` or with its target `mine.csv:price`; `openml:NAME`; or a task that the
            user has added (`psi.use`).
        hyper: every hyperparameter but the learning rate; None: the defaults.
        data: how files and OpenML data sets are read; None: the last column is the target.

    Returns:
        The task: pure functions, rows, declared facts.

    Raises:
        ValueError: for an unknown name, data that cannot be read, or hyperparameters that do not
            fit the task.

    Example:
        >>> import psi
        >>> task = psi.make_task("wine", psi.Hyper(epochs=10, width=8))
        >>> task.facts.classes, task.facts.rows, task.facts.steps
        (3, 96, 6)
    """
    hyper, data = hyper or Hyper(), data or DataConfig()
    check_task(name)
    if name in TASKS:
        return _users(name, hyper)
    # Imported when they are asked for: scikit-learn takes longer than JAX.
    if name in PROBLEM_NAMES:
        from psi.lab.tasks.problems import problem_task

        return problem_task(name, hyper)
    if found := carried(name):
        return _carried(*found, hyper)._replace(name=name)
    if name.startswith("openml:"):
        from psi.lab.tasks.openml import openml_task

        return openml_task(name.removeprefix("openml:"), data, hyper)
    if (file := file_and_target(name)) is not None:
        return _of_file(*file, data, hyper)
    return _synthetic(name, hyper)


def describe(name: str, data: DataConfig) -> "Rows | None":
    """What each column of a file or an OpenML data set is; None for any other task.

    Raises ValueError as `make_task` does.
    """
    if name in TASKS:
        return None
    if name.startswith("openml:"):
        from psi.lab.tasks import openml

        return openml.describe(name.removeprefix("openml:"), data)
    if (file := file_and_target(name)) is None:
        return None
    from psi.lab.tasks import files

    path, target = file
    return files.describe(path, data if target is None else replace(data, target=target))


def _users(name: str, hyper: Hyper) -> Task:
    """A task that a user has added, under its name; its domain is that name unless it has one."""
    task = TASKS[name].make(hyper)
    if not isinstance(task, Task):
        raise ValueError(f"task {name!r} must be made as a psi Task, got {type(task).__name__}")
    if task.facts.epochs != hyper.epochs or task.facts.optimizer != hyper.optimizer:
        raise ValueError(
            f"task {name!r} must have the budget and optimizer it is asked for, {hyper.epochs} and "
            f"{hyper.optimizer}, got {task.facts.epochs} and {task.facts.optimizer}"
        )
    return task._replace(name=name, facts=replace(task.facts, domain=task.facts.domain or name))


def _of_file(path: Path, target: str | None, data: DataConfig, hyper: Hyper) -> Task:
    from psi.lab.tasks.files import file_task

    if target is None:
        return file_task(path, data, hyper)
    task = file_task(path, replace(data, target=target), hyper)
    return task._replace(name=f"{task.name}:{target}")


def _carried(row: Carried, split: int, hyper: Hyper) -> Task:
    if row.kind == "text":
        from psi.lab.tasks.text import text_task

        return text_task(row.name, hyper)
    if row.package == "scikit-learn":
        from psi.lab.tasks.real import real_task

        return real_task(row.name, hyper, split)
    from psi.lab.tasks.packaged import packaged_task

    return packaged_task(row, split, hyper)


def _synthetic(name: str, hyper: Hyper) -> Task:
    from psi.lab.tasks.drawn import drawn_task
    from psi.lab.tasks.families import family_task

    family, number, *form = name.split("-")
    if family == "drawn":
        key = jax.random.fold_in(jax.random.key(20261122), int(number))
        return drawn_task(name, key, TaskDistribution(hyper=hyper))
    return family_task(family, int(number), hyper, fixed=bool(form))
