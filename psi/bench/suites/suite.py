"""A suite: a committed list of tasks, read from JSON and known by the hash of its file."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from psi.lab.hyper import Hyper
from psi.lab.tasks.data_config import DataConfig
from psi.lab.tasks.names import Spec, check_task
from psi.law.checks import unknown

NAMES = ("smoke", "train", "validation", "sealed")


class Suite(NamedTuple):
    """A list of tasks by name and hyperparameters; each is run under every optimizer asked for."""

    name: str
    specs: tuple[Spec, ...]
    digest: str
    """SHA-256 of its file, by which results and the ledger name it."""
    data: DataConfig = DataConfig()
    """How its tasks that are a user's own files are read."""


def suite(name: str) -> Suite:
    """A suite of the house.

    Args:
        name: smoke, train, validation or sealed.

    Returns:
        Its tasks, in the order of the file: their number is part of their runs' keys.

    Raises:
        ValueError: another name.

    Example:
        >>> from psi.bench.suites import suite
        >>> [spec.name for spec in suite("smoke").specs]
        ['wine', 'teacher-0', 'breast_cancer']
    """
    if name not in NAMES:
        raise ValueError(unknown("suite", name, NAMES))
    return read_suite(Path(__file__).with_name(f"{name}.json"))


def sealed(specs: Iterable[Spec]) -> bool:
    """Whether any of the tasks is one of the sealed suite, by whatever list it comes."""
    return not set(suite("sealed").specs).isdisjoint(specs)


def read_suite(path: Path) -> Suite:
    """The suite of a file: {"tasks": [{"name": "wine", "epochs": 10, …}, …]}.

    What a task does not name has the default of psi.lab.hyper.Hyper. Raises ValueError, with the
    number of the task, for an unknown name or field, or where two tasks are one.
    """
    content = path.read_bytes()
    specs: list[Spec] = []
    for number, task in enumerate(json.loads(content)["tasks"]):
        try:
            spec = _spec(dict(task))
            if spec in specs:
                raise ValueError(f"it is task {specs.index(spec)} again")
        except ValueError as error:
            raise ValueError(f"{path.name}: task {number}: {error}") from None
        specs.append(spec)
    return Suite(path.stem, tuple(specs), hashlib.sha256(content).hexdigest())


def written(specs: tuple[Spec, ...]) -> str:
    """The file of a suite: a line for each task."""
    lines = (json.dumps({"name": spec.name} | _changed(spec.hyper)) for spec in specs)
    return '{"tasks": [\n' + ",\n".join(lines) + "\n]}\n"


def _spec(task: dict[str, Any]) -> Spec:
    name = task.pop("name", "")
    check_task(name)
    known = {f.name for f in fields(Hyper)} - {"optimizer"}
    for field in task:
        if field not in known:
            raise ValueError(unknown("field", field, sorted(known)))
    return Spec(name, Hyper(**task))


def _changed(hyper: Hyper) -> dict[str, Any]:
    default = Hyper()
    every = ((f.name, getattr(hyper, f.name)) for f in fields(Hyper))
    return {name: value for name, value in every if value != getattr(default, name)}
