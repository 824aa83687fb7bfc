"""Problems whose ideal learning rate is known, as tasks that the engine trains.

An epoch is one step. The loss evaluated before and after it is the *exact* excess of the expected
loss over its minimum, so that the floor is 0; the accuracy is the share of the initial excess that
is gone. The minibatch loss of a noisy problem contains the noise as well. Where the target drifts,
`Functions.before` moves the target of the splits too.

The numbers of a problem (curvatures, variances, …) are the arrays of its task, so that problems
that differ in numbers alone share a compiled program.
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
from psi.law.checks import unknown


class ProblemFunctions(NamedTuple):
    """The functions of problems that differ in numbers alone; `Any` stands for these numbers."""

    init: Callable[[Any, Key[Array, ""]], Params]
    loss: Callable[[Any, Params, Batch], Float[Array, ""]]
    initial: Callable[[Any], noisy.Scalar]
    """Mean excess over initial points; for the saddle, that on its ridge."""
    sample: Callable[[int, Any, Key[Array, ""], Int[Array, ""]], Batch] = noiseless.no_rows
    """(rows, numbers, key of the batch order, i) → the minibatch of epoch i"""
    probe: Callable[[Any], Batch] = noiseless.no_row
    """The batch on which the loss is the excess."""
    before: Callable[[Splits, Key[Array, ""], Int[Array, ""]], Splits] | None = None
    noise: Callable[[Any], noisy.Scalar] | None = None
    """Standard deviation of the target's noise; None: nothing is drawn."""


class Problem(NamedTuple):
    """A problem: its functions, and the numbers that they are given."""

    functions: ProblemFunctions
    numbers: Callable[[int], Any]
    """T → a NamedTuple of float64 numbers; only the spectrum's depend on T"""
    batch: int = 1
    """Rows a minibatch where the hyperparameters name none."""


def deterministic(loss: Callable[[Any, Params, Batch], Float[Array, ""]]) -> ProblemFunctions:
    """The functions of a problem without noise whose numbers hold its start, as `initial`."""

    def initial(problem: Any) -> noisy.Scalar:
        return loss(problem, noiseless.initial_point(problem), noiseless.no_row(problem))

    return ProblemFunctions(noiseless.initial_point, loss, initial)


NOISY_QUADRATIC = ProblemFunctions(
    noisy.quadratic_init, noisy.quadratic_loss, noisy.quadratic_initial,
    noisy.quadratic_sample, noisy.quadratic_probe, None, noisy.quadratic_noise,
)  # fmt: skip
LEAST_SQUARES = ProblemFunctions(
    noisy.squares_init, noisy.squares_loss, noisy.squares_initial,
    noisy.squares_sample, noisy.squares_probe, None, lambda problem: problem.noise,
)  # fmt: skip
DRIFT = ProblemFunctions(
    noisy.drift_init, noisy.drift_loss, noisy.drift_initial, noisy.drift_sample,
    noisy.drift_probe, noisy.drift_before, lambda problem: jnp.sqrt(problem.variance),
)  # fmt: skip
POWER_LAW = deterministic(noiseless.power_loss)
TAIL = deterministic(noiseless.tail_loss)
SPECTRUM = deterministic(noiseless.spectrum_loss)
LIPSCHITZ = ProblemFunctions(
    noiseless.lipschitz_init, noiseless.lipschitz_loss, noiseless.lipschitz_initial
)
SADDLE = ProblemFunctions(noiseless.saddle_init, noiseless.saddle_loss, noiseless.saddle_initial)


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
    *((f"power_law-{p:g}", _power_law(p)) for p in (1.0, 1.5, 2.0, 3.0, 4.0)),
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
    """The task of a problem by its name, trained with the optimizer of `hyper`.

    `hyper.batch` counts for problems with noise; the others have no data, and none has a network.
    Raises ValueError for an unknown name, a network, or another precision than float32.
    """
    known = dict(PROBLEMS)
    if name not in known:
        raise ValueError(unknown("problem", name, known))
    if hyper.network:
        raise ValueError(f"{name} has no network: network must be None, got {hyper.network!r}")
    if hyper.precision != "float32":
        raise ValueError(f"{name} is computed in float32 alone, precision is {hyper.precision!r}")
    return task_of(name, known[name], hyper)


def task_of(name: str, problem: Problem, hyper: Hyper) -> Task:
    """The task of a problem with any numbers; problems with the same functions share a program."""
    own, numbers, batch = problem
    arrays = jax.tree.map(lambda a: jnp.asarray(a, float), numbers(hyper.epochs))
    batch = (hyper.batch or batch) if own.noise else 1
    functions = _functions(own, batch, hyper.optimizer, hyper.weight_decay)
    splits = Splits(*[own.probe(arrays)] * 3)
    facts = facts_of(functions, arrays, splits, hyper, classes=0)
    facts = replace(
        facts,
        domain=name.split("-")[0],
        rows=batch * hyper.epochs if own.noise else 1,
        label_smoothing=0.0,
        network="none",
        loss="own",
        chance_loss=float(own.initial(arrays)),
        noise=float(own.noise(arrays)) if own.noise else 0.0,
        stream=own.noise is not None,
    )
    return Task(name, functions, arrays, splits, facts)


@cache
def _functions(own: ProblemFunctions, batch: int, transform: str, weight_decay: float) -> Functions:
    def accuracy(arrays: Any, params: Params, probe: Batch) -> Float[Array, ""]:
        return 1 - own.loss(arrays, params, probe) / own.initial(arrays)

    def epoch(arrays: Any, key: Key[Array, ""], i: Int[Array, ""]) -> Batch:
        return jax.tree.map(lambda a: a[None], own.sample(batch, arrays, key, i))

    transformation = optimizer(transform, weight_decay)
    return Functions(own.init, own.loss, accuracy, epoch, transformation, own.before)
