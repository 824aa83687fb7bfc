"""The population engine: one compiled program trains policies × seeds on a task.

A unit of work is one seed and a block of `width` lanes (policies). Inside a unit everything is
vmapped over lanes; initialisation and minibatches depend on the seed alone, so lanes share them
(common random numbers, and one gather serves all). A call of the program maps over a fixed number
of units one after the other, because a block of lanes then stays in cache, and is sharded over
the local devices. A lane that diverges carries NaN to its end and touches nothing else.

Width and units a call are fixed and the last ones padded: bits depend on the number of lanes in a
program, not on what they do, nor on how many units or devices there are.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Key

from psi.lab.policy import Policy
from psi.lab.task import Arrays, Functions, Splits, Task
from psi.lab.training import EpochMeans, Losses, Progress, evaluate, norm, train_epoch
from psi.lab.work import Layout, Work, cut, layout
from psi.law.features import Observation

MakePolicy = Callable[[Any], Policy]
"""lane → policy; a lane is any pytree of arrays"""


class Epochs(NamedTuple):
    """A run, epoch by epoch. Each shape=(…, T); losses in nats."""

    lr: Float[Array, "*run epoch"]
    """α_i"""
    loss_running: Float[Array, "*run epoch"]
    """ε_i: mean minibatch loss of epoch i−1; for i = 0 the training loss before the first step"""
    loss_full: Float[Array, "*run epoch"]
    """Training loss before epoch i."""
    loss_next: Float[Array, "*run epoch"]
    """Training loss after epoch i."""
    val_loss: Float[Array, "*run epoch"]
    """Validation loss after epoch i."""
    test_accuracy: Float[Array, "*run epoch"]
    """After epoch i."""
    grad_norm: Float[Array, "*run epoch"]
    """‖g‖ in epoch i, root mean square over minibatches."""
    update_ratio: Float[Array, "*run epoch"]
    """‖Δθ‖ of one step of epoch i, root mean square, over ‖θ‖ before the epoch."""


class _Carry(NamedTuple):
    progress: Progress
    policy: Any
    losses: Losses
    seen: EpochMeans
    """Of the epoch before."""
    initial: Float[Array, ""]
    best: Float[Array, ""]


def population(
    task: Task,
    make_policy: MakePolicy,
    lanes: Any,
    seeds: np.ndarray,
    key: Key[Array, ""],
    shape: Layout | None = None,
) -> Epochs:
    """Train every lane from every seed. numpy arrays of shape=(lanes, seeds, T).

    `lanes` is a pytree with a leading axis of lanes, `make_policy` a module-level function of one
    lane (it is part of the program's key). The run (lane, seed) starts from
    fold_in(key, seed) whatever else is trained beside it.
    """
    work = cut(lanes, seeds, shape or layout())
    parts = train(task, make_policy, work, key, range(work.calls))
    runs = jax.tree.map(lambda *a: np.concatenate(a), *parts)
    blocks = work.units // len(seeds)
    order = [a.reshape(len(seeds), blocks * work.shape.width, -1) for a in runs]
    return Epochs(*(a[:, : work.lane_count].swapaxes(0, 1) for a in order))


def train(
    task: Task,
    make_policy: MakePolicy,
    work: Work,
    key: Key[Array, ""],
    calls: Iterable[int],
    keep: tuple[str, ...] = Epochs._fields,
) -> Iterator[Epochs]:
    """The given calls' runs, shape=(units, width, T), padding still among the lanes.

    Columns that are not in `keep` are None, and what only they need is not computed. The next
    call is already under way while the caller has the last one's results in hand.
    """
    ahead = None
    for call in calls:
        units = work.of_call(call)
        after = len(units), _call(task, make_policy, work, key, units, keep)
        if ahead is not None:
            yield _fetch(*ahead)
        ahead = after
    if ahead is not None:
        yield _fetch(*ahead)


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
    seed, block = np.divmod(index, work.units // len(work.seeds))
    keys = jax.vmap(partial(jax.random.fold_in, key))(work.seeds[seed])
    lanes = jax.tree.map(lambda a: a[block], work.lanes)
    devices = math.gcd(jax.local_device_count(), work.shape.units)
    run = partial(_program(jax.default_backend()), task.functions, make_policy, keep)
    return run(task.facts.epochs, devices, task.arrays, task.splits, lanes, keys)


@cache
def _program(backend: str) -> Callable[..., Epochs]:
    # Every core has a program of its own: products that also spread over all cores get in each
    # other's way (measured 390 against 280 runs a second).
    options = {"xla_cpu_multi_thread_eigen": False} if backend == "cpu" else None
    return jax.jit(_train_units, static_argnums=(0, 1, 2, 3, 4), compiler_options=options)


def _train_units(
    functions: Functions,
    make_policy: MakePolicy,
    keep: tuple[str, ...],
    epochs: int,
    devices: int,
    arrays: Arrays,
    splits: Splits,
    lanes: Any,
    keys: Key[Array, " unit"],
) -> Epochs:
    def share(arrays: Arrays, splits: Splits, lanes: Any, keys: Key[Array, " unit"]) -> Epochs:
        def unit(work: tuple[Any, Key[Array, ""]]) -> Epochs:
            def run(lane: Any) -> Epochs:
                rows = _run(functions, make_policy(lane), epochs, arrays, splits, work[1])
                kept: Any = (getattr(rows, n) if n in keep else None for n in Epochs._fields)
                return Epochs(*kept)

            return jax.vmap(run)(work[0])

        return jax.lax.map(unit, (lanes, keys))

    mesh = jax.make_mesh(
        (devices,), ("unit",), (jax.sharding.AxisType.Auto,), devices=jax.local_devices()[:devices]
    )
    each, same = jax.sharding.PartitionSpec("unit"), jax.sharding.PartitionSpec()
    sharded = jax.shard_map(
        share, mesh=mesh, in_specs=(same, same, each, each), out_specs=each, check_vma=False
    )
    return sharded(arrays, splits, lanes, keys)


def _run(
    functions: Functions,
    policy: Policy,
    epochs: int,
    arrays: Arrays,
    splits: Splits,
    key: Key[Array, ""],
) -> Epochs:
    """One network, from its initialisation to its last epoch."""
    params = functions.init(arrays, jax.random.fold_in(key, 0))
    order = jax.random.fold_in(key, 1)

    losses = evaluate(functions, arrays, splits, params, order, jnp.asarray(0))
    zero = jnp.zeros_like(losses.full)
    seen = EpochMeans(losses.full, zero, zero)
    progress = Progress(params, functions.optimizer.init(params))
    carry = _Carry(progress, (), losses, seen, losses.full, losses.full)
    carry = carry._replace(policy=policy.init(_observation(carry, jnp.asarray(0), epochs)))

    def epoch(carry: _Carry, i: Array) -> tuple[_Carry, Epochs]:
        observation = _observation(carry, i, epochs)
        policy_state, lr = policy.step(carry.policy, observation)
        update = partial(_scaled, functions.optimizer, lr)
        batches = functions.epoch(arrays, order, i)
        progress, seen = train_epoch(functions, arrays, update, carry.progress, batches)
        losses = evaluate(functions, arrays, splits, progress.params, order, i + 1)
        row = Epochs(
            lr=lr,
            loss_running=observation.loss,
            loss_full=carry.losses.full,
            loss_next=losses.full,
            val_loss=losses.validation,
            test_accuracy=losses.accuracy,
            grad_norm=seen.grad_norm,
            update_ratio=seen.update_norm / observation.weight_norm,
        )
        best = jnp.fmin(carry.best, seen.loss)
        return _Carry(progress, policy_state, losses, seen, carry.initial, best), row

    return jax.lax.scan(epoch, carry, jnp.arange(epochs))[1]


def _scaled(
    transform: optax.GradientTransformation,
    lr: Float[Array, ""],
    grads: optax.Updates,
    state: Any,
    params: optax.Params,
    loss: Float[Array, ""],
) -> tuple[optax.Updates, Any]:
    del loss
    updates, state = transform.update(grads, state, params)
    return jax.tree.map(lambda u: -lr * u, updates), state


def _observation(carry: _Carry, i: Array, epochs: int) -> Observation:
    return Observation(
        epoch=i,
        horizon=jnp.asarray(epochs),
        loss=carry.seen.loss,
        initial_loss=carry.initial,
        best_loss=carry.best,
        grad_norm=carry.seen.grad_norm,
        update_norm=carry.seen.update_norm,
        weight_norm=norm(carry.progress.params),
    )
