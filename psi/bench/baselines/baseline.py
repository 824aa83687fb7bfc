"""A baseline: what chooses the rate, and what the rate multiplies."""

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Key

from psi.lab.engine.policy import Policy
from psi.lab.networks.network import Params
from psi.lab.tasks.task import Arrays, Batch, Task

DEFAULT_RATES: Mapping[str, float] = MappingProxyType({"sgd": 0.01, "momentum": 0.01, "adam": 1e-3})
"""What one gets without asking: Keras's SGD, its and torch's Adam (torch's SGD has 1e-3)."""


class Measured(NamedTuple):
    """Rates that were measured on runs before they train, and what that costs."""

    rate: Float[np.ndarray, " seed"]  # NaN where a measurement found none
    gradients: int  # of a minibatch, for each run; as many as that many steps of training


class Planned(NamedTuple):
    """Rates that searches found by whole trainings, and what that cost."""

    rates: Float[np.ndarray, "seed epoch"]
    runs: float  # whole trainings that each search took, or as much work as that many


class Baseline(NamedTuple):
    """A way to choose the rate whose one free number is its rate.

    Args:
        name: What it is called in BASELINES, in a contest and in its results.
        make: `make(rate, budget)` → policy. `rate` is a scalar array, the highest rate of a
            schedule; `budget` is T in epochs, an int. Pure JAX: many rates train in one program.
        by_step: `by_step(rate, steps)` → optax schedule, for a schedule that changes its rate
            within an epoch. A contest then trains by it instead of by `make`.
        optimizer: Returns what the rate multiplies, an optax transformation of gradients to the u
            of θ ← θ − α u; None: the optimizer of the task. One of its own ignores the task's
            weight decay.
        warms_up: Whether `optimizer` takes the number of steps of a training, to warm up within.
        evaluated: (state of that optimizer, parameters) → the parameters that count, for methods
            that average them.
        full_batch: Whether a step is over all minibatches of an epoch at once.
        default: The rate without tuning, as its authors or its library set it; None: that of the
            task's optimizer, DEFAULT_RATES.
        tuned: Whether its rate is meant to be tuned.
        measure: `measure(task, seeds, key)` → the rate of each run, for rows whose rate is measured
            before training. The runs are those that `population` trains from these seeds and key.
        plan: `plan(task, seeds, key)` → the rates of each run, for rows that search for them by
            whole trainings. `rate` of `make` is then a whole plan, shape (T,).
        sees: What it uses of a run: epoch, loss, validation, gradients, curvature.
        formula: What it computes, in a line.
        source: Where it is from: authors, year, arXiv number or library.

    A rule that halves its rate when the loss has not fallen:

    >>> import jax.numpy as jnp
    >>> from psi.bench.baselines import BASELINES, Baseline
    >>> from psi.lab.engine.policy import Policy
    >>> def halving(peak, budget):
    ...     def step(state, seen):
    ...         rate, last = state
    ...         rate = jnp.where(seen.loss < last, rate, rate / 2)
    ...         return (rate, seen.loss), rate
    ...     return Policy(lambda seen: (peak, jnp.full_like(seen.loss, jnp.inf)), step)
    >>> BASELINES.add(Baseline("halving, from the docs", halving))
    >>> "halving, from the docs" in BASELINES
    True
    """

    name: str
    make: Callable[[Float[Array, ""], int], Policy]
    by_step: Callable[[Any, int], optax.Schedule] | None = None
    optimizer: Callable[..., optax.GradientTransformation] | None = None
    warms_up: bool = False
    evaluated: Callable[[Any, Params], Params] | None = None
    full_batch: bool = False
    default: float | None = None
    tuned: bool = True
    measure: Callable[[Task, np.ndarray, Key[Array, ""]], Measured] | None = None
    plan: Callable[[Task, np.ndarray, Key[Array, ""]], Planned] | None = None
    sees: tuple[str, ...] = ("epoch",)
    formula: str = ""
    source: str = ""

    def default_rate(self, optimizer: str) -> float:
        """Its rate without tuning on tasks of an optimizer. Raises ValueError where it has none."""
        if self.default is not None:
            return self.default
        if optimizer not in DEFAULT_RATES:
            known = ", ".join(DEFAULT_RATES)
            raise ValueError(f"{self.name} has a default rate for {known}, got {optimizer!r}")
        return DEFAULT_RATES[optimizer]


def entered(task: Task, baseline: Baseline) -> Task:
    """The task as the baseline trains it: with its own optimizer and batches, if it has any.

    The same baseline and task give the same functions, so that nothing is compiled twice.
    """
    functions = task.functions
    if baseline.optimizer is not None:
        steps = (task.facts.steps * task.facts.epochs,) if baseline.warms_up else ()
        functions = functions._replace(optimizer=_made(baseline.optimizer, *steps))
    if baseline.full_batch:
        functions = functions._replace(epoch=_whole(functions.epoch))
    return task._replace(functions=functions._replace(evaluated=baseline.evaluated))


def descending(make: Callable[[], Any]) -> optax.GradientTransformation:
    """The u of θ ← θ − α u of an optax optimizer, whose own updates are added to θ."""
    return optax.chain(make(), optax.scale(-1.0))


@cache
def _made(
    optimizer: Callable[..., optax.GradientTransformation], *steps: int
) -> optax.GradientTransformation:
    return optimizer(*steps)


@cache
def _whole(epoch: Callable[..., Batch]) -> Callable[..., Batch]:
    """The same rows as one minibatch."""

    def whole(arrays: Arrays, key: Key[Array, ""], i: Int[Array, ""]) -> Batch:
        batches = epoch(arrays, key, i)
        return jax.tree.map(lambda a: a.reshape(1, -1, *a.shape[2:]), batches)

    return whole
