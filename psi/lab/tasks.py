"""The table of tasks: a name gives a task."""

import re

from psi.lab.datasets import DATASETS, real_task
from psi.lab.streams import FAMILIES, stream_task
from psi.lab.task import Task

OPTIMIZERS = ("sgd", "momentum", "adam")


def make_task(name: str, epochs: int = 20, optimizer: str = "sgd") -> Task:
    """The task `wine`, `digits`, … or draw N of a synthetic family, `teacher-N`.

    Raises ValueError for an unknown name or optimizer, or a budget below one epoch.
    """
    check_task(name, epochs, optimizer)
    family, _, number = name.rpartition("-")
    if family:
        return stream_task(family, int(number), epochs, optimizer)
    return real_task(name, epochs, optimizer)


def check_task(name: str, epochs: int, optimizer: str) -> None:
    """Raise ValueError unless `make_task` knows the task. Costs nothing."""
    families = [family for family, _ in FAMILIES]
    known = [dataset for dataset, _ in DATASETS]
    if name not in known and not re.fullmatch(rf"({'|'.join(families)})-\d{{1,6}}", name):
        allowed = ", ".join(known + [f"{family}-N" for family in families])
        raise ValueError(f"unknown data set {name!r}; allowed: {allowed} (N a number)")
    if epochs < 1:
        raise ValueError(f"epochs, the length of a trajectory, must be >= 1, got {epochs}")
    if optimizer not in OPTIMIZERS:
        raise ValueError(f"unknown optimizer {optimizer!r}; allowed: {', '.join(OPTIMIZERS)}")
