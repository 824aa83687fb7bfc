"""Lanes a program by measurement: what trains most networks a second here, remembered.

By default the number is a constant of the kind of device, so that two folders of one config
agree bit for bit. Where it is asked for (`--lanes auto`), it is measured on the data set's first
task: on a CPU the caches decide, on an accelerator its memory.
"""

import contextlib
import json
import os
from dataclasses import asdict
from pathlib import Path

import jax
import numpy as np

from psi.lab.cache import cache_folder
from psi.lab.data import store
from psi.lab.data.config import GenerateConfig
from psi.lab.data.sweep import task_of
from psi.lab.engine.policy import trajectory
from psi.lab.engine.population import train
from psi.lab.engine.timing import seconds
from psi.lab.engine.work import Layout, cut, layout
from psi.lab.tasks.task import Task
from psi.progress import Report, silent

WIDTHS: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("cpu", (8, 16, 32, 64, 128)),
    ("gpu", (256, 512, 1024, 2048, 4096, 8192)),
    ("tpu", (256, 512, 1024, 2048, 4096, 8192)),
)


def measured_layout(config: GenerateConfig, folder: Path, report: Report = silent) -> Layout:
    """The layout of `folder` if it holds one, else the remembered one, else the quickest here.

    Raises ValueError where not even the narrowest program fits into memory.
    """
    width = store.config_of(folder).get("width")
    if width is not None:
        return layout(width)
    task = task_of(config, 0)
    file, name = cache_folder() / "lanes.json", fingerprint(task)
    known = _read(file)
    if name not in known:
        known[name] = quickest(task, report)
        _write(file, known)
    report(1, 1, f"{known[name]} lanes")
    return layout(known[name])


def quickest(task: Task, report: Report = silent) -> int:
    """The width that trains most networks a second, among those that fit into memory."""
    widths = dict(WIDTHS)[jax.default_backend()]
    rates = {}
    for number, width in enumerate(widths):
        report(number, len(widths), f"{width} lanes")
        with contextlib.suppress(jax.errors.JaxRuntimeError):  # out of memory
            rates[width] = runs_per_second(task, layout(width))
    if not rates:
        raise ValueError(f"{task.name}: not even {widths[0]} lanes fit into memory")
    return max(rates, key=lambda width: rates[width])


def runs_per_second(task: Task, shape: Layout) -> float:
    """Networks trained a second by one call of the program, all columns computed."""
    rates = np.geomspace(1e-3, 0.1, shape.width, dtype=np.float32)
    lanes = np.repeat(rates[:, None], task.facts.epochs, axis=1)
    work, key = cut(lanes, np.arange(shape.units), shape), jax.random.key(0)
    _, spent = seconds(lambda: list(train(task, trajectory, work, key, [0])), repeats=2)
    return shape.width * shape.units / spent


def fingerprint(task: Task) -> str:
    """What the quickest width depends on: the devices, JAX, and the sizes of a task."""
    facts = asdict(task.facts)
    sizes = [facts[name] for name in ("network", "parameters", "inputs", "batch", "optimizer")]
    device = [jax.devices()[0].device_kind, jax.local_device_count(), jax.__version__]
    return store.digest([*device, *sizes])


def _read(file: Path) -> dict[str, int]:
    try:
        known = json.loads(file.read_text())
        return {name: width for name, width in known.items() if isinstance(width, int)}
    except (OSError, ValueError, AttributeError):
        return {}


def _write(file: Path, known: dict[str, int]) -> None:
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    with contextlib.suppress(OSError):  # a cache that cannot be written is measured again
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(known))
        temporary.replace(file)
