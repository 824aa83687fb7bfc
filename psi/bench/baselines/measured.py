"""Rates that are measured on a run before it trains, and then held or annealed.

Three measurements: the largest curvature L of the training loss at the initial weights, at whose
2/L gradient descent stops being stable (of other optimizers it is no bound); the highest rate at
which the first epoch does not raise the training loss; and the range test that `psi.suggest_lr`
runs. Their cost counts in gradients of a minibatch; a loss evaluated without a gradient is free.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int, Key

from psi.advice.range_optax import range_steps
from psi.advice.range_test import Suggestion, suggest_lr
from psi.bench.baselines import schedules
from psi.bench.baselines.baseline import Baseline, Measured
from psi.lab.engine.run import begin, one_epoch, run_keys
from psi.lab.engine.training import evaluate
from psi.lab.networks.network import Params
from psi.lab.optimizers import HIGHEST, LOWEST
from psi.lab.tasks.task import Arrays, Functions, Splits, Task

BATCHES = 4  # minibatches whose mean loss the curvature is of
ITERATIONS = 20  # of the power method
HALVINGS = 5
GRID = np.geomspace(
    LOWEST, HIGHEST, 2**HALVINGS
)  # rates tried for stability, a factor of 1.56 apart
STEPS = 100  # minibatches of a range test's run


def largest_curvature(
    loss: Callable[[Params], Float[Array, ""]], params: Params, key: Key[Array, ""]
) -> Float[Array, ""]:
    """L = max |λ| over the eigenvalues λ of the second derivative H of the loss.

    By the power method, v ← Hv/‖Hv‖ from a random v and ‖Hv‖ in the end, which is below L until it
    has converged (LeCun et al. 1993).
    """
    flat, unravel = ravel_pytree(params)
    gradient = jax.grad(lambda p: loss(unravel(p)))

    def turned(v: Array, _: None) -> tuple[Array, Array]:
        # In reverse both times: the networks' own backward passes have no forward derivative.
        curved = jax.grad(lambda p: jnp.vdot(gradient(p), v))(flat)
        size = jnp.linalg.norm(curved)
        return curved / jnp.where(size > 0, size, 1.0), size

    start = jax.random.normal(key, flat.shape, flat.dtype)
    first = start / jnp.linalg.norm(start)
    return jax.lax.scan(turned, first, None, ITERATIONS)[1][-1]


def curvature(
    factor: float, task: Task, seeds: Int[np.ndarray, " seed"], key: Key[Array, ""]
) -> Measured:
    """factor/L of every run, L that of the first minibatches of its first epoch together."""
    found = np.asarray(_curvatures(task.functions, task.arrays, _run_keys(seeds, key)), float)
    fine = np.isfinite(found) & (found > 0)
    rate = np.where(fine, factor / np.where(fine, found, 1.0), np.nan)
    # The product of H and a vector costs two gradients.
    return Measured(rate, 2 * ITERATIONS * min(BATCHES, task.facts.steps))


def highest_stable(task: Task, seeds: Int[np.ndarray, " seed"], key: Key[Array, ""]) -> Measured:
    """The highest rate of GRID at which epoch 0 leaves the training loss no higher than it was.

    Found by halving the grid: stability is taken to end once. Where the lowest rate is already too
    high it stands all the same.
    """
    keys = _run_keys(seeds, key)
    number = np.asarray(_highest(task.functions, task.arrays, task.splits, keys))
    return Measured(GRID[number], HALVINGS * task.facts.steps)


def suggested(task: Task, seeds: Int[np.ndarray, " seed"], key: Key[Array, ""]) -> Measured:
    """The rate that a range test suggests, one for all runs; it has seeds of its own."""
    found = tested(task, key)
    rate = np.nan if found.lr is None else found.lr
    return Measured(np.full(len(seeds), rate), found.losses.size)


def tested(task: Task, key: Key[Array, ""]) -> Suggestion:
    """The range test of a task, as a user of optax runs it: with its defaults."""
    passes = jnp.arange(-(-STEPS // task.facts.steps))
    epochs = jax.vmap(lambda i: task.functions.epoch(task.arrays, key, i))(passes)
    batches = jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), epochs)
    begin = range_steps(task.loss, task.init, batches, task.functions.optimizer)
    return suggest_lr(begin, steps=STEPS)


def _run_keys(seeds: Int[np.ndarray, " seed"], key: Key[Array, ""]) -> Key[Array, " seed"]:
    return jax.vmap(partial(jax.random.fold_in, key))(seeds)


@partial(jax.jit, static_argnums=0)
def _curvatures(
    functions: Functions, arrays: Arrays, keys: Key[Array, " seed"]
) -> Float[Array, " seed"]:
    def of_run(key: Key[Array, ""]) -> Float[Array, ""]:
        initialisation, order = run_keys(key)
        epoch = functions.epoch(arrays, order, jnp.asarray(0))
        rows = jax.tree.map(lambda a: a[:BATCHES].reshape(-1, *a.shape[2:]), epoch)
        params = functions.init(arrays, initialisation)
        start = jax.random.fold_in(key, 2)  # 0 and 1 are those of `run_keys`
        return largest_curvature(lambda p: functions.loss(arrays, p, rows), params, start)

    return jax.lax.map(of_run, keys)


@partial(jax.jit, static_argnums=0)
def _highest(
    functions: Functions, arrays: Arrays, splits: Splits, keys: Key[Array, " seed"]
) -> Int[Array, " seed"]:
    rates, zero = jnp.asarray(GRID, float), jnp.asarray(0)

    def of_run(key: Key[Array, ""]) -> Int[Array, ""]:
        run, before = begin(functions, arrays, splits, key)

        def halve(_: Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
            low, high = ends
            middle = (low + high) // 2
            after = one_epoch(functions, arrays, run, rates[middle], zero)
            losses = evaluate(functions, arrays, splits, after.progress, after.order, zero + 1)
            stable = losses.full <= before.full
            return jnp.where(stable, middle, low), jnp.where(stable, high, middle)

        return jax.lax.fori_loop(0, HALVINGS, halve, (zero, jnp.asarray(len(GRID))))[0]

    return jax.lax.map(of_run, keys)


_SCHEDULES = {row.name: row for row in schedules.ROWS}
_CURVATURE = "LeCun, Simard & Pearlmutter 1993 (largest eigenvalue by the power method)"
_RANGE = "Smith 2017, arXiv 1506.01186; psi.suggest_lr"


def _row(
    name: str, measure: Callable[..., Measured], schedule: str, sees: str, rate: str, source: str
) -> Baseline:
    row = _SCHEDULES[schedule]
    formula = f"{row.formula}, α = {rate}"
    return Baseline(
        name, row.make, tuned=False, measure=measure, sees=(sees,), formula=formula, source=source
    )


_STABLE = "the highest rate at which epoch 0 does not raise the training loss"
ROWS = (
    _row("curvature_1", partial(curvature, 1.0), "constant", "curvature", "1/L", _CURVATURE),
    _row("curvature_2", partial(curvature, 2.0), "constant", "curvature", "2/L", _CURVATURE),
    _row("stable_linear", highest_stable, "linear", "loss", _STABLE, "psi"),
    _row("stable_exponential", highest_stable, "exponential", "loss", _STABLE, "psi"),
    _row("range_test", suggested, "constant", "loss", "where the loss falls fastest", _RANGE),
    _row("range_test_cosine", suggested, "cosine", "loss", "where the loss falls fastest", _RANGE),
)
