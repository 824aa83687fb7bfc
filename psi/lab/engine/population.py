"""The population engine: one compiled program trains policies × seeds on a task.

A unit of work is one seed and a block of `width` lanes (policies). Inside a unit everything is
vmapped over lanes. Initialisation and minibatches depend on the seed alone, so lanes share them:
they are compared on the same random numbers, and rows are gathered once for all. A call of the
program runs a fixed number of units, sharded over the local devices and one after the other on
each, because a block of lanes then stays in cache. A lane that diverges carries NaN to its end and
changes no other.

Width and units a call are fixed, and the last ones padded, so that the bits of a run depend neither
on the other lanes nor on the number of units or devices.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from psi.lab.engine.devices import one_core_options, over_devices
from psi.lab.engine.policy import Policy
from psi.lab.engine.run import Run, begin, observe, one_epoch
from psi.lab.engine.training import Losses, evaluate
from psi.lab.engine.work import Layout, Work, cut, layout
from psi.lab.tasks.task import Arrays, Functions, Splits, Task

MakePolicy = Callable[[Any], Policy]  # lane → policy; a lane is any pytree of arrays


class Epochs(NamedTuple):
    """What is recorded of runs, epoch by epoch; losses in nats where they are cross-entropies."""

    lr: Float[Array, "*run epoch"]
    """α_i, the learning rate."""
    loss_running: Float[Array, "*run epoch"]
    """ε_i: mean minibatch loss of epoch i−1; for i = 0 the training loss before the first step"""
    loss_full: Float[Array, "*run epoch"]
    """Training loss before epoch i."""
    loss_next: Float[Array, "*run epoch"]
    """Training loss after epoch i."""
    val_loss: Float[Array, "*run epoch"]
    """Validation loss after epoch i."""
    test_accuracy: Float[Array, "*run epoch"]
    """Share right, or R² of a regression, on the test split after epoch i."""
    grad_norm: Float[Array, "*run epoch"]
    """Root mean square of ‖g‖ over the minibatches of epoch i."""
    update_ratio: Float[Array, "*run epoch"]
    """Root mean square of ‖Δθ‖ over the steps of epoch i, over ‖θ‖ before the epoch."""
    test_loss: Float[Array, "*run epoch"]
    """Loss on the test split after epoch i, which no policy sees."""


RECORDED = tuple(name for name in Epochs._fields if name != "test_loss")
"""What a data set has."""


def population(
    task: Task,
    make_policy: MakePolicy,
    lanes: Any,
    seeds: np.ndarray,
    key: Key[Array, ""],
    shape: Layout | None = None,
    by_seed: bool = False,
    keep: tuple[str, ...] = RECORDED,
) -> Epochs:
    """Train a task under many policies, each from many seeds.

    Args:
        task: what is trained, for facts.epochs epochs (T).
        make_policy: a module-level function from one lane to its policy; it is part of the compiled
            program's key, so pass the same function each time.
        lanes: a pytree of arrays with a leading axis of lanes; for `trajectory` the rates, shape
            (lanes, T).
        seeds: integers, shape (seeds,). A seed fixes initial weights and batch order.
        key: the root key; the run (lane, seed) has the key fold_in(key, seed) whatever else is
            trained beside it.
        shape: lanes a unit and units a call; by default those that are quick on this device.
        by_seed: lanes differ from seed to seed: their leading axes are (seeds, lanes).
        keep: columns of what is returned; the others are None, and what only they need is neither
            compiled nor computed.

    Returns:
        Rates, losses and norms of every run, numpy arrays of shape (lanes, seeds, T). A run that
        diverges holds NaN or infinity from there on.

    >>> import jax
    >>> import numpy as np
    >>> from psi.lab.engine.policy import trajectory
    >>> from psi.lab.engine.population import population
    >>> from psi.lab.hyper import Hyper
    >>> from psi.lab.tasks.table import make_task
    >>> task = make_task("noisy_quadratic", Hyper(epochs=3))
    >>> rates = np.array([[0.1, 0.1, 0.1], [0.3, 0.2, 0.1]], np.float32)
    >>> runs = population(task, trajectory, rates, np.arange(4), jax.random.key(0))
    >>> runs.val_loss.shape
    (2, 4, 3)
    """
    work = cut(lanes, seeds, shape or layout(), by_seed)
    parts = train(task, make_policy, work, key, range(work.calls), keep)
    runs = jax.tree.map(lambda *a: np.concatenate(a), *parts)
    blocks = work.units // len(seeds)
    order = jax.tree.map(lambda a: a.reshape(len(seeds), blocks * work.shape.width, -1), runs)
    return jax.tree.map(lambda a: a[:, : work.lane_count].swapaxes(0, 1), order)


def train(
    task: Task,
    make_policy: MakePolicy,
    work: Work,
    key: Key[Array, ""],
    calls: Iterable[int],
    keep: tuple[str, ...] = RECORDED,
) -> Iterator[Epochs]:
    """The runs of the given calls, one call at a time, shape=(units, width, T), lanes with padding.

    Columns that are not in `keep` are None, and what only they need is not computed. The device
    already works on the next call while the caller handles the results of one.
    """
    running = None
    for call in calls:
        units = work.of_call(call)
        started = len(units), _call(task, make_policy, work, key, units, keep)
        if running is not None:
            yield _fetch(*running)
        running = started
    if running is not None:
        yield _fetch(*running)


def _fetch(units: int, runs: Epochs) -> Epochs:
    return jax.tree.map(lambda a: np.asarray(a)[:units], runs)


def _call(
    task: Task,
    make_policy: MakePolicy,
    work: Work,
    key: Key[Array, ""],
    units: range,
    keep: tuple[str, ...],
) -> Epochs:
    index = np.minimum(np.arange(work.shape.units) + units[0], units[-1])
    seed = index // (work.units // len(work.seeds))
    keys = jax.vmap(partial(jax.random.fold_in, key))(work.seeds[seed])
    lanes = work.lanes_of(index)
    devices = math.gcd(jax.local_device_count(), work.shape.units)
    run = partial(_program(jax.default_backend()), task.functions, make_policy, keep)
    facts = task.facts.known().values()
    return run(task.facts.epochs, devices, task.arrays, task.splits, facts, lanes, keys)


@cache
def _program(backend: str) -> Callable[..., Epochs]:
    options = one_core_options(backend)
    return jax.jit(_train_units, static_argnums=(0, 1, 2, 3, 4), compiler_options=options)


def _train_units(
    functions: Functions,
    make_policy: MakePolicy,
    keep: tuple[str, ...],
    epochs: int,
    devices: int,
    arrays: Arrays,
    splits: Splits,
    facts: Mapping[str, Any],
    lanes: Any,
    keys: Key[Array, " unit"],
) -> Epochs:
    def unit(lanes: Any, key: Key[Array, ""]) -> Epochs:
        def run(lane: Any) -> Epochs:
            rows = _run(functions, make_policy(lane), epochs, arrays, splits, facts, key)
            kept: Any = (getattr(rows, n) if n in keep else None for n in Epochs._fields)
            return Epochs(*kept)

        return jax.vmap(run)(lanes)

    return over_devices(unit, devices, lanes, keys)


def _run(
    functions: Functions,
    policy: Policy,
    epochs: int,
    arrays: Arrays,
    splits: Splits,
    facts: Mapping[str, Any],
    key: Key[Array, ""],
) -> Epochs:
    """One network, trained from its initial weights to the last epoch."""
    run, losses = begin(functions, arrays, splits, key, facts)
    start = run, policy.init(observe(run, jnp.asarray(0), epochs, losses.validation)), losses

    def epoch(carry: tuple[Run, Any, Losses], i: Array) -> tuple[tuple[Run, Any, Losses], Epochs]:
        run, state, before = carry
        observation = observe(run, i, epochs, before.validation)
        state, lr = policy.step(state, observation)
        run = one_epoch(functions, arrays, run, lr, i)
        losses = evaluate(functions, arrays, splits, run.progress, run.order, i + 1)
        row = Epochs(
            lr=lr,
            loss_running=observation.loss,
            loss_full=before.full,
            loss_next=losses.full,
            val_loss=losses.validation,
            test_accuracy=losses.accuracy,
            grad_norm=run.seen.grad_norm,
            update_ratio=run.seen.update_norm / observation.weight_norm,
            test_loss=losses.test,
        )
        return (run, state, losses), row

    return jax.lax.scan(epoch, start, jnp.arange(epochs))[1]
