"""The table of tasks: a name gives a task."""

from psi.lab.config import Hyper, check_task
from psi.lab.task import Task
from psi.lab.tasks.families import family_task
from psi.lab.tasks.real import real_task


def make_task(name: str, hyper: Hyper | None = None) -> Task:
    """The task `wine`, `digits`, …, or draw N of a family: `teacher-N`, `teacher-N-fixed`.

    Raises ValueError for an unknown name, or hyperparameters that do not fit the task.
    """
    hyper = hyper or Hyper()
    check_task(name)
    family, *draw = name.split("-")
    if draw:
        return family_task(family, int(draw[0]), hyper, fixed=len(draw) > 1)
    return real_task(name, hyper)
