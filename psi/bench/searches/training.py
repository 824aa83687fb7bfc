"""Networks of many searches trained side by side: a unit is one trial of every search.

Inside a unit each network has its own seed and its own rates. Two programs of fixed shape serve all
searches on a task: one begins runs, the other trains them on from one epoch to another. A call
trains a unit a device; what pads the last one trains for no epoch.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Int, Key

from psi.lab.engine.branch import as_data, start_units
from psi.lab.engine.devices import one_core_options, over_devices
from psi.lab.engine.run import Run, one_epoch
from psi.lab.engine.training import evaluate
from psi.lab.tasks.task import Arrays, Functions, Splits, Task


def devices() -> int:
    """How many units a call has."""
    return jax.local_device_count()


def in_calls(
    run: Callable[[np.ndarray, np.ndarray], tuple[Array, Run]], units: int, keep: bool
) -> tuple[np.ndarray, Run | None]:
    """run(numbers of units, which of them are real), a unit a device at a time."""
    size = devices()
    done = []
    for first in range(0, units, size):
        index = first + np.arange(size)
        loss, runs = run(np.minimum(index, units - 1), index < units)
        done.append((loss, runs if keep else None))
    return jax.tree.map(lambda *a: np.concatenate(a)[:units], *done)


def begun(task: Task, key: Key[Array, ""], seeds: Int[np.ndarray, "unit search"]) -> Run:
    """The runs that `population` trains from these seeds, before their first epoch."""
    program = _programs(jax.default_backend())[0]
    facts = task.facts.known().values()
    runs = program(task.functions, devices(), task.arrays, task.splits, facts, key, seeds)
    # Left on its devices, a run would have the other program compiled again.
    return jax.tree.map(np.asarray, runs)


def trained(
    task: Task,
    runs: Run,
    rates: Float[np.ndarray, "unit search epoch"],
    first: int,
    end: Int[np.ndarray, " unit"],
) -> tuple[Array, Run]:
    """(validation losses, runs) after epochs first … end − 1 of each unit."""
    program = partial(_programs(jax.default_backend())[1], task.functions, devices())
    return program(task.arrays, task.splits, first, runs, rates.astype(np.float32), end)


@cache
def _programs(backend: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    options = one_core_options(backend)
    return (
        jax.jit(start_units, static_argnums=(0, 1), compiler_options=options),
        jax.jit(_train_units, static_argnums=(0, 1), compiler_options=options),
    )


def _train_units(
    functions: Functions,
    devices: int,
    arrays: Arrays,
    splits: Splits,
    first: Int[Array, ""] | int,
    runs: Run,
    rates: Float[Array, "unit search epoch"],
    end: Int[Array, " unit"],
) -> tuple[Float[Array, "unit search"], Run]:
    def train(run: Run, rates: Float[Array, " epoch"], end: Int[Array, ""]) -> tuple[Array, Run]:
        run = run._replace(order=jax.random.wrap_key_data(run.order))
        epoch = lambda i, run: one_epoch(functions, arrays, run, rates[i], i)  # noqa: E731
        run = jax.lax.fori_loop(first, end, epoch, run)
        losses = evaluate(functions, arrays, splits, run.progress, run.order, end)
        return losses.validation, as_data(run)

    return over_devices(jax.vmap(train, in_axes=(0, 0, None)), devices, runs, rates, end)
