"""The table of tasks: a name gives a task."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import jax

from psi.lab.hyper import Hyper
from psi.lab.tasks.data_config import DataConfig
from psi.lab.tasks.distribution import TaskDistribution
from psi.lab.tasks.names import DATASET_NAMES, PROBLEM_NAMES, check_task, is_file
from psi.lab.tasks.task import Task


class Spec(NamedTuple):
    """A task by name and hyperparameters, but for the optimizer: a row of a list of tasks."""

    name: str
    hyper: Hyper

    def task(self, optimizer: str) -> Task:
        """The task, called by its name and what differs from the defaults."""
        task = make_task(self.name, replace(self.hyper, optimizer=optimizer))
        given = vars(self.hyper).items()
        other = [f"{k}={v}" for k, v in given if v != getattr(Hyper(), k)]
        return task._replace(name=", ".join([self.name, *other]))


def make_task(name: str, hyper: Hyper | None = None, data: DataConfig | None = None) -> Task:
    """The task of a name.

    `wine`, `digits`, `pydoc`, …; draw N of a family, `teacher-N` or `teacher-N-fixed`; draw N of a
    distribution over families and hyperparameters, `drawn-N`; a problem whose ideal rate is
    known, `noisy_quadratic`; a file, `mine.csv`, and `openml:NAME`, which `data` says how to
    read. Raises ValueError for an unknown name, data that cannot be read, or
    hyperparameters that do not fit the task.
    """
    hyper, data = hyper or Hyper(), data or DataConfig()
    check_task(name)
    # Imported when they are asked for: scikit-learn takes longer than JAX.
    if name in PROBLEM_NAMES:
        from psi.lab.tasks.problems import problem_task

        return problem_task(name, hyper)
    if name in DATASET_NAMES:
        return _carried(name, hyper)
    if name.startswith("openml:"):
        from psi.lab.tasks.openml import openml_task

        return openml_task(name.removeprefix("openml:"), data, hyper)
    if is_file(name):
        from psi.lab.tasks.files import file_task

        return file_task(Path(name), data, hyper)
    return _synthetic(name, hyper)


def _carried(name: str, hyper: Hyper) -> Task:
    if name == "pydoc":
        from psi.lab.tasks.text import pydoc_task

        return pydoc_task(hyper)
    from psi.lab.tasks.real import real_task

    return real_task(name, hyper)


def _synthetic(name: str, hyper: Hyper) -> Task:
    from psi.lab.tasks.drawn import drawn_task
    from psi.lab.tasks.families import family_task

    family, number, *form = name.split("-")
    if family == "drawn":
        key = jax.random.fold_in(jax.random.key(20261122), int(number))
        return drawn_task(name, key, TaskDistribution(hyper=hyper))
    return family_task(family, int(number), hyper, fixed=bool(form))
