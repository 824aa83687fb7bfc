"""The table of tasks: a name gives a task."""

from psi.lab.config import check_task
from psi.lab.datasets import real_task
from psi.lab.streams import stream_task
from psi.lab.task import Task


def make_task(name: str, epochs: int = 20, optimizer: str = "sgd") -> Task:
    """The task `wine`, `digits`, … or draw N of a synthetic family, `teacher-N`.

    Raises ValueError for an unknown name or optimizer, or a budget below one epoch.
    """
    check_task(name, epochs, optimizer)
    family, _, number = name.rpartition("-")
    if family:
        return stream_task(family, int(number), epochs, optimizer)
    return real_task(name, epochs, optimizer)
