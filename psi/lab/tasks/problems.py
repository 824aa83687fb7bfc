"""Problems whose ideal learning rate is known, as tasks that the engine trains.

One step an epoch. The loss evaluated before and after it is the *exact* excess of the expected
loss, with floor 0; what is called accuracy is the share of the initial excess that is gone. The
minibatch loss of a noisy problem holds the noise as well (noisy_problems.py), and where the target
drifts it is only with `Functions.before` that the splits show the excess. What is known about each
problem is in closed_forms.py.

The numbers of a problem are arrays of its task, so that other numbers need no other program.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

import psi.lab.tasks.noiseless_problems as noiseless
import psi.lab.tasks.noisy_problems as noisy
from psi.lab.hyper import Hyper
from psi.lab.networks.network import Params
from psi.lab.optimizers import optimizer
from psi.lab.tasks.build import facts_of
from psi.lab.tasks.task import Batch, Functions, Splits, Task


class Kind(NamedTuple):
    """What problems that differ in numbers alone have in common. `Any` is their numbers."""

    init: Callable[[Any, Key[Array, ""]], Params]
    loss: Callable[[Any, Params, Batch], Float[Array, ""]]
    initial: Callable[[Any], noisy.Scalar]
    """The excess at the typical initial point."""
    sample: Callable[[int, Any, Key[Array, ""], Int[Array, ""]], Batch] = noiseless.no_rows
    """(rows, numbers, key of the run, i) → the minibatch of epoch i"""
    probe: Callable[[Any], Batch] = noiseless.no_row
    """The batch on which the loss is the excess."""
    before: Callable[[Splits, Key[Array, ""], Int[Array, ""]], Splits] | None = None
    noise: Callable[[Any], noisy.Scalar] | None = None
    """Standard deviation of the target's noise; None: nothing is drawn."""


class Problem(NamedTuple):
    """A kind of problem and its numbers."""

    kind: Kind
    numbers: Callable[[int], Any]
    """T → a NamedTuple of float64 numbers; most look at T no more than a data set does"""
    batch: int = 1
    """Rows of the minibatch where none is asked for."""


NOISY_QUADRATIC = Kind(
    noisy.quadratic_init, noisy.quadratic_loss, noisy.quadratic_initial,
    noisy.quadratic_sample, noisy.quadratic_probe, None, noisy.quadratic_noise,
)  # fmt: skip
LEAST_SQUARES = Kind(
    noisy.squares_init, noisy.squares_loss, noisy.squares_initial,
    noisy.squares_sample, noisy.squares_probe, None, lambda problem: problem.noise,
)  # fmt: skip
DRIFT = Kind(
    noisy.drift_init, noisy.drift_loss, noisy.drift_initial, noisy.drift_sample,
    noisy.drift_probe, noisy.drift_before, lambda problem: jnp.sqrt(problem.variance),
)  # fmt: skip
POWER_LAW = Kind(noiseless.power_init, noiseless.power_loss, noiseless.power_initial)
TAIL = Kind(noiseless.tail_init, noiseless.tail_loss, noiseless.tail_initial)
SPECTRUM = Kind(noiseless.spectrum_init, noiseless.spectrum_loss, noiseless.spectrum_initial)
LIPSCHITZ = Kind(noiseless.lipschitz_init, noiseless.lipschitz_loss, noiseless.lipschitz_initial)
SADDLE = Kind(noiseless.saddle_init, noiseless.saddle_loss, noiseless.saddle_initial)


def _power_law(exponent: float) -> Problem:
    return Problem(POWER_LAW, lambda _: noiseless.PowerLaw(0.5, exponent, 2.0))


def _quadratic(curvature: list[float], variance: list[float], initial: list[float]) -> Problem:
    numbers = noisy.NoisyQuadratic(np.array(curvature), np.array(variance), np.array(initial))
    return Problem(NOISY_QUADRATIC, lambda _: numbers)


PROBLEMS: tuple[tuple[str, Problem], ...] = (
    ("noisy_quadratic", _quadratic([2.0], [1.0], [4.0])),
    (
        "least_squares",
        Problem(LEAST_SQUARES, lambda _: noisy.LeastSquares(0.5, 0.5, np.ones(8)), batch=8),
    ),
    ("noisy_quadratic_3d", _quadratic([10.0, 1.0, 0.1], [0.5, 0.2, 0.1], [1.0, 2.0, 3.0])),
    ("drift", Problem(DRIFT, lambda _: noisy.Drift(1.0, 0.1, 4.0))),
    ("power_law-1", _power_law(1.0)),
    ("power_law-1.5", _power_law(1.5)),
    ("power_law-2", _power_law(2.0)),
    ("power_law-3", _power_law(3.0)),
    ("power_law-4", _power_law(4.0)),
    ("sign_descent", Problem(POWER_LAW, lambda _: noiseless.PowerLaw(1.0, 2.0, 3.0))),
    ("exponential_tail", Problem(TAIL, lambda _: noiseless.ExponentialTail(0.0))),
    ("spectrum", Problem(SPECTRUM, partial(noiseless.chebyshev_spectrum, 0.5, 5.0))),
    (
        "lipschitz",
        Problem(LIPSCHITZ, lambda _: noiseless.Lipschitz(2.0, np.full(8, 3.0 / np.sqrt(8)))),
    ),
    ("saddle", Problem(SADDLE, lambda _: noiseless.Saddle(1.0, 1.0, 1.0, 0.01))),
)


def problem_task(name: str, hyper: Hyper) -> Task:
    """The task of one problem, trained with the optimizer that `hyper` names.

    `hyper.batch` is for the problems with noise; the others have no rows, and none has a network
    or labels. Raises ValueError for an unknown name, or where a network is asked for.
    """
    rows = dict(PROBLEMS)
    if name not in rows:
        raise ValueError(f"unknown problem {name!r}; allowed: {', '.join(rows)}")
    if hyper.network:
        raise ValueError(f"{name} has no network: network must be None, got {hyper.network!r}")
    if hyper.precision != "float32":
        raise ValueError(f"{name} is computed in float32 alone, precision is {hyper.precision!r}")
    return task_of(name, rows[name], hyper)


def task_of(name: str, problem: Problem, hyper: Hyper) -> Task:
    """The task of a problem with numbers of one's own; those of one kind share a program."""
    kind, numbers, batch = problem
    arrays = jax.tree.map(lambda a: jnp.asarray(a, float), numbers(hyper.epochs))
    batch = (hyper.batch or batch) if kind.noise else 1
    functions = _functions(kind, batch, hyper.optimizer, hyper.weight_decay)
    splits = Splits(*[kind.probe(arrays)] * 3)
    facts = facts_of(functions, arrays, splits, hyper, classes=0)
    facts = replace(
        facts,
        domain=name.split("-")[0],
        rows=batch * hyper.epochs if kind.noise else 1,
        label_smoothing=0.0,
        network="none",
        loss="own",
        chance_loss=float(kind.initial(arrays)),
        noise=float(kind.noise(arrays)) if kind.noise else 0.0,
        stream=kind.noise is not None,
    )
    return Task(name, functions, arrays, splits, facts)


@cache
def _functions(kind: Kind, batch: int, transform: str, weight_decay: float) -> Functions:
    def accuracy(arrays: Any, params: Params, probe: Batch) -> Float[Array, ""]:
        return 1 - kind.loss(arrays, params, probe) / kind.initial(arrays)

    def epoch(arrays: Any, key: Key[Array, ""], i: Int[Array, ""]) -> Batch:
        return jax.tree.map(lambda a: a[None], kind.sample(batch, arrays, key, i))

    transformation = optimizer(transform, weight_decay)
    return Functions(kind.init, kind.loss, accuracy, epoch, transformation, kind.before)
