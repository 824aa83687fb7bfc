"""Branching: runs go on from given states for some epochs under several policies.

A *cell* is a group of states at one epoch i. From each of them K lanes (policies) train for H
epochs, over R fresh batch orders that the lanes share, or over the batch order of the state's own
run. A state is that of a run between two epochs: parameters, optimizer state, losses so far. Tasks
that share functions and shapes share one compiled program for all their cells, since epochs and
horizons are its arguments, not its shapes.

A unit of work is some pairs (state, batch order) × K lanes, all vmapped; lanes of a pair share its
minibatches. Networks are evaluated at the end alone, so that a branch costs less than H epochs of
the population engine, which evaluates every epoch.
"""

import math
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Int, Key, UInt32

from psi.lab.engine.devices import one_core_options, over_devices
from psi.lab.engine.policy import trajectory
from psi.lab.engine.population import MakePolicy
from psi.lab.engine.run import Run, begin, observe, one_epoch
from psi.lab.engine.training import evaluate
from psi.lab.engine.work import layout
from psi.lab.tasks.task import Arrays, Functions, Splits, Task
from psi.progress import Report, silent

UNITS = 16  # in one call of the program
# States a unit where all seeds fit one call: compiling for every number of seeds would take longer.
START = 8
# Weights, or inputs of an epoch, that a unit may hold: small networks get more lanes than usual.
CACHED = 2**15
MOST = 2**13  # lanes a unit


class States(NamedTuple):
    """States of runs grouped in cells, as numpy arrays."""

    runs: Run  # leaves of shape=(cell, state, …); the key `order` as its raw data
    epoch: Int[np.ndarray, " cell"]  # i, how many epochs the cell's states have been trained for

    @property
    def loss(self) -> Float[np.ndarray, "cell state"]:
        """ε_i, the mean minibatch loss of epoch i−1; for i = 0 the loss of the training split."""
        return np.asarray(self.runs.seen.loss)

    @property
    def initial_loss(self) -> Float[np.ndarray, "cell state"]:
        """ε_0, the training loss before the first step."""
        return np.asarray(self.runs.initial)


class Branches(NamedTuple):
    """Losses at the end of each branch, and the runs if they were kept."""

    loss: Float[np.ndarray, "cell state order lane"]
    """Validation loss after H epochs, not finite where the run diverged."""
    runs: Run | None
    """States of the runs after H epochs, leaves of shape=(cell, state, order, lane, …)."""


def starts(task: Task, seeds: Int[np.ndarray, " state"], key: Key[Array, ""]) -> States:
    """One cell: the runs that `population` trains from these seeds, before their first epoch."""
    block = _blocks(task, len(seeds), 1, START if len(seeds) <= START * UNITS else 0)
    program = _programs(jax.default_backend())[0]
    facts = task.facts.known().values()
    run = partial(program, task.functions, _devices(), task.arrays, task.splits, facts, key)
    runs = _in_calls(run, lambda units, _: (seeds[block[units]],), len(block))
    one_cell = jax.tree.map(lambda a: a.reshape(1, -1, *a.shape[2:])[:, : len(seeds)], runs)
    return States(one_cell, np.zeros(1, int))


def repeated(states: States, cells: int) -> States:
    """The states of one cell in each of `cells` cells, as views: nothing is copied."""
    runs = jax.tree.map(lambda a: np.broadcast_to(a, (cells, *a.shape[1:])), states.runs)
    return States(runs, np.repeat(states.epoch, cells))


def one_cell_each(states: States) -> States:
    """The states of one cell, each in a cell of its own, so that each may have its own lanes."""
    runs = jax.tree.map(lambda a: a.swapaxes(0, 1), states.runs)
    return States(runs, np.repeat(states.epoch, states.loss.shape[1]))


def along(
    task: Task,
    rates: Float[np.ndarray, "cell epoch"],
    at: Int[np.ndarray, " cell"],
    seeds: Int[np.ndarray, " state"],
    key: Key[Array, ""],
) -> States:
    """Cell c: the states before epoch at[c] under trajectory c of `rates`, one from each seed."""
    begun = repeated(starts(task, seeds, key), len(rates))
    return after(task, begun, trajectory, rates[:, None].astype(np.float32), at)


def after(
    task: Task,
    states: States,
    make_policy: MakePolicy,
    lanes: Any,
    epochs: Int[np.ndarray, " cell"],
) -> States:
    """The states after epochs[c] more epochs of their own batch orders.

    `lanes` has shape=(cell, 1, …): cell c trains under the policy of its one lane.
    """
    ends = play(task, states, make_policy, lanes, epochs, keep_runs=True)
    return States(jax.tree.map(lambda a: a[:, :, 0, 0], ends.runs), states.epoch + epochs)


def play(
    task: Task,
    states: States,
    make_policy: MakePolicy,
    lanes: Any,
    horizon: Int[np.ndarray, " cell"],
    orders: int = 0,
    key: Key[Array, ""] | None = None,
    keep_runs: bool = False,
    report: Report = silent,
) -> Branches:
    """Train on from every state of a cell under every lane of it, for H = horizon[cell] epochs.

    `lanes` is a pytree of shape=(cell, lane, …), `make_policy` a module-level function of one lane
    (it is part of the compiled program's key). With `orders` = R > 0 each state goes on over R
    fresh batch orders, drawn from `key`; with 0 over that of its own run. The rate that is best
    over a run's own order is chosen with hindsight, unless many states share a cell.

    Raises ValueError for fresh orders without a key or where the task's target moves with the batch
    order, and for a horizon that ends beyond the budget.
    """
    _check(task, states, horizon, orders, key)
    cells, count = states.loss.shape
    each = max(orders, 1)
    block = _blocks(task, count * each, jax.tree.leaves(lanes)[0].shape[1])
    cell, number = (a.reshape(-1) for a in np.indices((cells, len(block))))

    def work(units: np.ndarray, real: np.ndarray) -> tuple[Any, ...]:
        own, pair = cell[units], block[number[units]]
        at = own[:, None], pair // each
        order = (own[:, None] * count * each + pair).astype(np.uint32)
        runs = jax.tree.map(lambda a: a[at], states.runs)
        chosen = jax.tree.map(lambda a: np.asarray(a)[own], lanes)
        return runs, order, chosen, states.epoch[own], np.asarray(horizon)[own] * real

    program = _programs(jax.default_backend())[1]
    static = (task.functions, make_policy, _devices(), keep_runs, orders > 0)
    root = jax.random.key(0) if key is None else key
    run = partial(program, *static, task.arrays, task.splits, root, task.facts.epochs)

    def arranged(a: np.ndarray) -> np.ndarray:
        kept = a.reshape(cells, -1, *a.shape[2:])[:, : count * each]
        return kept.reshape(cells, count, each, *a.shape[2:])

    loss, runs = _in_calls(run, work, len(cell), report)
    return Branches(arranged(loss), jax.tree.map(arranged, runs) if keep_runs else None)


def _check(
    task: Task, states: States, horizon: np.ndarray, orders: int, key: Key[Array, ""] | None
) -> None:
    if orders < 0 or (orders > 0 and key is None):
        raise ValueError(f"orders must be >= 0, with a key where > 0, got {orders} and {key}")
    if orders and task.functions.before:
        raise ValueError(f"{task.name}: its target moves with the batch order, orders must be 0")
    end = states.epoch + horizon
    if (np.asarray(horizon) < 0).any() or (end > task.facts.epochs).any():
        raise ValueError(
            f"a horizon must be >= 0 and end within the budget of {task.facts.epochs} epochs, "
            f"got {np.asarray(horizon).tolist()} from epochs {states.epoch.tolist()}"
        )


def _devices() -> int:
    return math.gcd(jax.local_device_count(), UNITS)


def _blocks(task: Task, pairs: int, lanes: int, size: int = 0) -> Int[np.ndarray, "block pair"]:
    """Pairs cut into blocks, one a unit, about as large as is quick; the last block is padded.

    Blocks hold a power of two of pairs, at most that next to `pairs` (or to `size` if given), so
    that few shapes are ever compiled.
    """
    facts = task.facts
    numbers = max(facts.parameters * lanes, facts.steps * facts.batch * facts.inputs)
    width = np.clip(CACHED // numbers * lanes, layout().width, MOST)
    most = 2 ** int(np.log2(max(1, int(width) // lanes)))
    block = min(most, 2 ** int(np.ceil(np.log2(size or pairs))))
    index = np.minimum(np.arange(-(-pairs // block) * block), pairs - 1)
    return index.reshape(-1, block)


def _in_calls(
    run: Callable[..., Any],
    work: Callable[[np.ndarray, np.ndarray], tuple[Any, ...]],
    units: int,
    report: Report = silent,
) -> Any:
    """run(*work(units, which of them are real)), UNITS at a time; leaves of shape=(units, …)."""
    calls, done = -(-units // UNITS), []
    # A device takes consecutive units: not dealt out in turn, few units would all go to the first.
    dealt = np.arange(UNITS).reshape(-1, _devices()).T.reshape(-1)
    back = np.argsort(dealt)
    for call in range(calls):
        index = dealt + call * UNITS
        inputs = work(np.minimum(index, units - 1), index < units)
        done.append(jax.tree.map(lambda a: np.asarray(a)[back], run(*inputs)))
        report(call + 1, calls, "")
    return jax.tree.map(lambda *a: np.concatenate(a)[:units], *done)


@cache
def _programs(backend: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    options = one_core_options(backend)
    return (
        jax.jit(start_units, static_argnums=(0, 1), compiler_options=options),
        jax.jit(_play_units, static_argnums=(0, 1, 2, 3, 4), compiler_options=options),
    )


def start_units(
    functions: Functions,
    devices: int,
    arrays: Arrays,
    splits: Splits,
    facts: Mapping[str, Any],
    key: Key[Array, ""],
    seeds: Int[Array, "unit state"],
) -> Run:
    """Runs before their first epoch, one from each seed, units over the devices; to be jitted."""

    def start(seed: Int[Array, ""]) -> Run:
        own = jax.random.fold_in(key, seed)
        return as_data(begin(functions, arrays, splits, own, facts)[0])

    return over_devices(jax.vmap(start), devices, seeds)


def _play_units(
    functions: Functions,
    make_policy: MakePolicy,
    devices: int,
    keep_runs: bool,
    fresh: bool,
    arrays: Arrays,
    splits: Splits,
    key: Key[Array, ""],
    epochs: Int[Array, ""] | int,
    *work: Any,
) -> tuple[Array, Run | None]:
    def unit(
        runs: Run, orders: UInt32[Array, " pair"], lanes: Any, i: Array, horizon: Array
    ) -> tuple[Array, Run | None]:
        def pair(run: Run, order: UInt32[Array, ""]) -> tuple[Array, Run | None]:
            own = jax.random.wrap_key_data(run.order)
            run = run._replace(order=jax.random.fold_in(key, order) if fresh else own)

            def lane(lane: Any) -> tuple[Array, Run | None]:
                end = _play(functions, make_policy(lane), epochs, arrays, run, i, horizon)
                last = i + horizon
                loss = evaluate(functions, arrays, splits, end.progress, end.order, last).validation
                return loss, as_data(end) if keep_runs else None

            return jax.vmap(lane)(lanes)

        return jax.vmap(pair)(runs, orders)

    return over_devices(unit, devices, *work)


def _play(
    functions: Functions,
    policy: Any,
    epochs: Int[Array, ""] | int,
    arrays: Arrays,
    run: Run,
    i: Int[Array, ""],
    horizon: Int[Array, ""],
) -> Run:
    def epoch(j: Array, carry: tuple[Run, Any]) -> tuple[Run, Any]:
        run, state = carry
        state, lr = policy.step(state, observe(run, j, epochs))
        return one_epoch(functions, arrays, run, lr, j), state

    start = run, policy.init(observe(run, i, epochs))
    return jax.lax.fori_loop(i, i + horizon, epoch, start)[0]


def as_data(run: Run) -> Run:
    """The run with its key as plain data, which leaves the devices and is written like others."""
    return run._replace(order=jax.random.key_data(run.order))
