"""Tasks drawn from a distribution: a synthetic family, one of its generators, hyperparameters.

Sizes are padded to one of a few, so that many tasks share a compiled program. The weights of a
padding unit are 0; since act(0) = 0, no gradient reaches them and they stay 0 under every
optimizer. Padding rows are masked (`Batch.real`). An epoch is 16 minibatches; fixed rows are as
many as one pass needs, 16 · batch.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from psi.lab.hyper import Hyper
from psi.lab.networks.mlp import mlp
from psi.lab.networks.network import Params
from psi.lab.tasks.build import facts_of, functions_of
from psi.lab.tasks.distribution import TaskDistribution
from psi.lab.tasks.families import (
    FAMILIES,
    SPLIT_ROWS,
    STEPS,
    Family,
    draw,
    fresh_epoch,
    with_generator,
)
from psi.lab.tasks.order import order_of
from psi.lab.tasks.task import Batch, Functions, Splits, Task, TaskFacts


class Drawn(NamedTuple):
    """The arrays that the functions of a drawn task read."""

    source: Any  # the generator of a stream, or fixed rows with their padding
    batch: Int[Array, ""]  # rows of a minibatch without padding
    units: Float[Array, " width"]  # 1 for a unit of the network, 0 for padding
    scale: Float[Array, ""]  # factor on the weights of He initialisation


class Choices(NamedTuple):
    """The random choices that make a task."""

    family: str
    number: int  # number of the family's generator
    fixed: bool
    batch: int
    width: int
    init_scale: float


def sample_tasks(
    key: Key[Array, ""], n: int, distribution: TaskDistribution | None = None
) -> list[Task]:
    """Draw tasks at random.

    Args:
        key: the root key; task k is drawn from fold_in(key, k), whatever n is.
        n: how many.
        distribution: what they are drawn from; by default all synthetic families.

    Returns:
        The tasks, called drawn-0, drawn-1, …

    >>> import jax
    >>> from psi.lab.tasks.drawn import sample_tasks
    >>> [task.name for task in sample_tasks(jax.random.key(0), 2)]
    ['drawn-0', 'drawn-1']
    """
    distribution = distribution or TaskDistribution()
    return [drawn_task(f"drawn-{k}", jax.random.fold_in(key, k), distribution) for k in range(n)]


def drawn_task(name: str, key: Key[Array, ""], distribution: TaskDistribution) -> Task:
    """One task drawn from a distribution."""
    choices = _choose(key, distribution)
    hyper = replace(distribution.hyper, network="mlp", init_scale=choices.init_scale)
    family = dict(FAMILIES)[choices.family]
    most = padded(choices.batch, distribution.batch, distribution.padding)
    width = padded(choices.width, distribution.width, distribution.padding)
    sizes = (max(STEPS * distribution.batch[1], SPLIT_ROWS[0]), *SPLIT_ROWS[1:])
    source, splits, bayes = draw(family, sizes, hyper.label_smoothing, choices.number)
    splits = splits._replace(train=_train_rows(splits.train, choices, most))
    arrays = Drawn(
        splits.train if choices.fixed else source,
        jnp.asarray(choices.batch),
        (jnp.arange(width) < choices.width).astype(float),
        jnp.asarray(choices.init_scale, float),
    )
    sample = None if choices.fixed else family.sample
    shared = replace(hyper, epochs=1, init_scale=1.0)  # tasks that differ in these share one
    functions = _functions(family.inputs, family.classes, sample, most, width, shared)
    facts = _facts(functions, arrays, splits, hyper, family, choices)
    facts = with_generator(facts, choices.family, source, bayes, stream=not choices.fixed)
    return Task(name, functions, arrays, splits, facts)


def padded(size: int, within: tuple[int, int], ratio: int) -> int:
    """The smallest of high, ⌈high/ratio⌉, ⌈high/ratio²⌉ … that is >= `size`."""
    most = within[1]
    while -(-most // ratio) >= size and most > 1:
        most = -(-most // ratio)
    return most


def _choose(key: Key[Array, ""], distribution: TaskDistribution) -> Choices:
    which, number = jax.random.split(key)
    share = [float(u) for u in jax.random.uniform(which, (5,))]

    def between(low: float, high: float, u: float) -> float:
        return low * (high / low) ** u

    def whole(within: tuple[int, int], u: float) -> int:
        low, high = within
        return min(int(between(float(low), high + 1.0, u)), high)

    return Choices(
        distribution.families[int(share[0] * len(distribution.families))],
        int(jax.random.randint(number, (), 0, 2**31 - 1)),
        bool(share[1] < distribution.fixed),
        whole(distribution.batch, share[2]),
        whole(distribution.width, share[3]),
        between(*distribution.init_scale, share[4]),
    )


@cache
def _functions(
    inputs: int, classes: int, sample: Callable | None, most: int, width: int, hyper: Hyper
) -> Functions:
    """The functions of all tasks of these padded sizes; `sample` is None for fixed rows."""
    model = mlp(inputs, classes or 1, width, hyper.depth or 1, hyper.activation)
    epoch = partial(_one_pass, most) if sample is None else partial(_stream, sample, most)

    def init(arrays: Drawn, key: Key[Array, ""]) -> Params:
        return masked(model.init(key), arrays.units, arrays.scale)

    return functions_of(model, classes, hyper, epoch)._replace(init=init)


def _stream(
    sample: Callable, most: int, arrays: Drawn, key: Key[Array, ""], i: Int[Array, ""]
) -> Batch:
    rows = fresh_epoch(sample, most, arrays.source, key, i)
    return rows._replace(real=_real_rows(most, arrays.batch))


def _one_pass(most: int, arrays: Drawn, key: Key[Array, ""], i: Int[Array, ""]) -> Batch:
    rows = arrays.source
    # Padding sorts last, so that the order begins with a permutation of the real rows.
    draws = jax.random.uniform(jax.random.fold_in(key, i), rows.y.shape)
    order = order_of(jnp.where(rows.real, draws, 2.0))
    step, row = jnp.arange(STEPS)[:, None], jnp.arange(most)[None]
    chosen = order[jnp.minimum(step * arrays.batch + row, STEPS * most - 1)]
    return Batch(rows.x[chosen], rows.y[chosen], _real_rows(most, arrays.batch))


def _real_rows(most: int, batch: Int[Array, ""]) -> Array:
    return jnp.broadcast_to(jnp.arange(most)[None] < batch, (STEPS, most))


def masked(
    layers: Sequence[tuple[Array, Array]], units: Float[Array, " width"], scale: Float[Array, ""]
) -> Params:
    """The layers of a perceptron with the weights of padding units set to 0.

    The other weights are scaled to He initialisation for the width without padding.
    """
    wider = jnp.sqrt(len(units) / units.sum())
    first, *rest = [(scale * weights, bias) for weights, bias in layers]
    rest = [(wider * weights * units[None], bias) for weights, bias in rest]
    *hidden, last = [first, *rest]
    return [(weights * units[:, None], bias) for weights, bias in hidden] + [last]


def _train_rows(rows: Batch, choices: Choices, most: int) -> Batch:
    """The training rows with padding; of a stream the rows that are evaluated on."""
    count = STEPS * most if choices.fixed else SPLIT_ROWS[0]
    real = jnp.arange(count) < STEPS * choices.batch if choices.fixed else None
    return Batch(rows.x[:count], rows.y[:count], real)


def _facts(
    functions: Functions,
    arrays: Drawn,
    splits: Splits,
    hyper: Hyper,
    family: Family,
    choices: Choices,
) -> TaskFacts:
    """The facts of the task without its padding."""
    rows = STEPS * choices.batch
    train = jax.tree.map(lambda a: a[:rows], splits.train) if choices.fixed else splits.train
    facts = facts_of(functions, arrays, splits._replace(train=train), hyper, family.classes)
    model = mlp(family.inputs, family.classes or 1, choices.width, hyper.depth or 1)
    params = jax.eval_shape(model.init, jax.random.key(0))
    return replace(
        facts,
        rows=rows if choices.fixed else rows * hyper.epochs,
        batch=choices.batch,
        parameters=sum(leaf.size for leaf in jax.tree.leaves(params)),
    )
