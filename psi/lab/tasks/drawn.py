"""Tasks drawn from a distribution: a family, one of its generators, and hyperparameters.

So that one program serves many of them, sizes are padded up to one of a few. A hidden unit that
is padding has no weights; since act(0) = 0, no gradient reaches it and it stays so under every
optimizer. Rows that are padding are masked (`Batch.real`). An epoch is `STEPS` minibatches, which
on fixed rows is one pass over them: there are `STEPS` · batch.
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
from psi.lab.optimizers import optimizer
from psi.lab.tasks.build import facts_of, of_network
from psi.lab.tasks.distribution import TaskDistribution
from psi.lab.tasks.families import FAMILIES, SPLIT_ROWS, STEPS, Family, draw
from psi.lab.tasks.task import Batch, Facts, Functions, Splits, Task


class Drawn(NamedTuple):
    """The arrays of a drawn task."""

    source: Any
    """The generator of a stream, or fixed rows with their padding."""
    batch: Int[Array, ""]
    """Real rows of a minibatch."""
    units: Float[Array, " width"]
    """1 for a hidden unit that is there, 0 for padding."""
    scale: Float[Array, ""]
    """Of the initial weights, times He's."""


class Draw(NamedTuple):
    """What is drawn of a task."""

    family: str
    number: int
    """Of the family's generator."""
    fixed: bool
    batch: int
    width: int
    init_scale: float


def sample_tasks(
    key: Key[Array, ""], n: int, distribution: TaskDistribution | None = None
) -> list[Task]:
    """Draw n tasks; the k-th is drawn from fold_in(key, k) and called `drawn-k`."""
    distribution = distribution or TaskDistribution()
    keys = (jax.random.fold_in(key, k) for k in range(n))
    return [drawn_task(f"drawn-{k}", now, distribution) for k, now in enumerate(keys)]


def drawn_task(name: str, key: Key[Array, ""], distribution: TaskDistribution) -> Task:
    """One task of a distribution."""
    now = _draw_of(key, distribution)
    hyper = replace(distribution.hyper, network="mlp", init_scale=now.init_scale)
    family = dict(FAMILIES)[now.family]
    most = padded(now.batch, distribution.batch, distribution.padding)
    width = padded(now.width, distribution.width, distribution.padding)
    sizes = (max(STEPS * distribution.batch[1], SPLIT_ROWS[0]), *SPLIT_ROWS[1:])
    source, splits, bayes = draw(family, sizes, hyper.label_smoothing, now.number)
    splits = splits._replace(train=_train_rows(splits.train, now, most))
    arrays = Drawn(
        splits.train if now.fixed else source,
        jnp.asarray(now.batch),
        (jnp.arange(width) < now.width).astype(float),
        jnp.asarray(now.init_scale, float),
    )
    sample = None if now.fixed else family.sample
    functions = _functions(family.inputs, family.classes, sample, most, width, _shared(hyper))
    noise = None if jnp.isnan(source.noise) else float(source.noise)
    facts = _facts(functions, arrays, splits, hyper, family, now)
    floor = 0.0 if now.fixed else float(bayes)
    return Task(name, functions, arrays, splits, replace(facts, floor=floor, noise=noise))


def padded(size: int, within: tuple[int, int], ratio: int) -> int:
    """The least of high, ⌈high/ratio⌉, ⌈high/ratio²⌉ … that holds `size`."""
    most = within[1]
    while -(-most // ratio) >= size and most > 1:
        most = -(-most // ratio)
    return most


def _draw_of(key: Key[Array, ""], distribution: TaskDistribution) -> Draw:
    which, number = jax.random.split(key)
    share = [float(u) for u in jax.random.uniform(which, (5,))]

    def between(low: float, high: float, u: float) -> float:
        return low * (high / low) ** u

    def whole(within: tuple[int, int], u: float) -> int:
        low, high = within
        return min(int(between(float(low), high + 1.0, u)), high)

    return Draw(
        distribution.families[int(share[0] * len(distribution.families))],
        int(jax.random.randint(number, (), 0, 2**31 - 1)),
        bool(share[1] < distribution.fixed),
        whole(distribution.batch, share[2]),
        whole(distribution.width, share[3]),
        between(*distribution.init_scale, share[4]),
    )


def _shared(hyper: Hyper) -> Hyper:
    """Without what differs between tasks of one program."""
    return replace(hyper, epochs=1, init_scale=1.0)


@cache
def _functions(
    inputs: int, classes: int, sample: Callable | None, most: int, width: int, hyper: Hyper
) -> Functions:
    """Of all tasks with these sizes; `sample` is the family's, None for fixed rows."""
    model = mlp(inputs, classes or 1, width, hyper.depth or 1, hyper.activation)
    _, loss, accuracy = of_network(model, classes, hyper.label_smoothing, hyper.precision)
    epoch = partial(_one_pass, most) if sample is None else partial(_stream, sample, most)

    def init(arrays: Drawn, key: Key[Array, ""]) -> Params:
        return masked(model.init(key), arrays.units, arrays.scale)

    transform = optimizer(hyper.optimizer, hyper.weight_decay)
    return Functions(init, loss, accuracy, epoch, transform)


def _stream(
    sample: Callable, most: int, arrays: Drawn, key: Key[Array, ""], i: Int[Array, ""]
) -> Batch:
    rows = sample(STEPS * most, arrays.source, jax.random.fold_in(key, i))
    rows = jax.tree.map(lambda a: a.reshape(STEPS, most, *a.shape[1:]), rows)
    return rows._replace(real=_real_rows(most, arrays.batch))


def _one_pass(most: int, arrays: Drawn, key: Key[Array, ""], i: Int[Array, ""]) -> Batch:
    rows = arrays.source
    # Padding sorts last, so what comes first is a permutation of the real rows.
    chance = jax.random.uniform(jax.random.fold_in(key, i), rows.y.shape)
    order = jnp.argsort(jnp.where(rows.real, chance, 2.0))
    step, row = jnp.arange(STEPS)[:, None], jnp.arange(most)[None]
    which = order[jnp.minimum(step * arrays.batch + row, STEPS * most - 1)]
    return Batch(rows.x[which], rows.y[which], _real_rows(most, arrays.batch))


def _real_rows(most: int, batch: Int[Array, ""]) -> Array:
    return jnp.broadcast_to(jnp.arange(most)[None] < batch, (STEPS, most))


def masked(
    layers: Sequence[tuple[Array, Array]], units: Float[Array, " width"], scale: Float[Array, ""]
) -> Params:
    """He layers of a perceptron without the units that are padding, as wide as it then is."""
    wider = jnp.sqrt(len(units) / units.sum())
    first, *rest = [(scale * weights, bias) for weights, bias in layers]
    rest = [(wider * weights * units[None], bias) for weights, bias in rest]
    *hidden, last = [first, *rest]
    return [(weights * units[:, None], bias) for weights, bias in hidden] + [last]


def _train_rows(rows: Batch, now: Draw, most: int) -> Batch:
    """As many as are padded to; of a stream those that are evaluated on."""
    count = STEPS * most if now.fixed else SPLIT_ROWS[0]
    real = jnp.arange(count) < STEPS * now.batch if now.fixed else None
    return Batch(rows.x[:count], rows.y[:count], real)


def _facts(
    functions: Functions, arrays: Drawn, splits: Splits, hyper: Hyper, family: Family, now: Draw
) -> Facts:
    """Of the task without its padding."""
    rows = STEPS * now.batch
    train = jax.tree.map(lambda a: a[:rows], splits.train) if now.fixed else splits.train
    facts = facts_of(functions, arrays, splits._replace(train=train), hyper, family.classes)
    model = mlp(family.inputs, family.classes or 1, now.width, hyper.depth or 1)
    params = jax.eval_shape(model.init, jax.random.key(0))
    return replace(
        facts,
        domain=now.family,
        rows=rows if now.fixed else rows * hyper.epochs,
        batch=now.batch,
        parameters=sum(leaf.size for leaf in jax.tree.leaves(params)),
        stream=not now.fixed,
    )
