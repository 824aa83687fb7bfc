"""From a network and rows to a task, in one call: yours, or one that the lab carries.

>>> splits = Splits(Batch(x, y), Batch(x_val, y_val), Batch(x_test, y_test))
>>> task = fixed_task("mine", mlp(inputs=30, outputs=2), splits, Hyper(epochs=10), classes=2)
"""

from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Key

from psi.lab.hyper import Hyper
from psi.lab.networks.network import Network, Params
from psi.lab.optimizers import optimizer
from psi.lab.tasks.losses import LOSSES, Loss, cross_entropy
from psi.lab.tasks.task import Arrays, Batch, Facts, Functions, Splits, Task


def fixed_task(
    name: str, network: Network, splits: Splits, hyper: Hyper, classes: int, batch: int = 32
) -> Task:
    """A network on fixed rows: each epoch is one pass over them in a fresh random order.

    `classes` = 0 makes it a regression (½ mean square), else it is the cross-entropy over that
    many. `batch` serves where `hyper` names none. Raises ValueError where the rows do not fill
    one batch, hold a number that is not finite, or are of one class only.
    """
    rows, batch = len(splits.train.y), hyper.batch or batch
    _check_rows(name, splits, classes, batch)
    steps = rows // batch
    epoch = _shuffled_epoch(steps, batch)
    three = of_network(network, classes, hyper.label_smoothing, hyper.precision)
    functions = Functions(*three, epoch, optimizer(hyper.optimizer, hyper.weight_decay))
    facts = facts_of(functions, splits.train, splits, hyper, classes)
    return Task(name, functions, splits.train, splits, facts)


@cache
def of_network(network: Network, classes: int, smoothing: float, precision: str = "float32"):
    """(init, loss, accuracy) of a task whose functions need no arrays."""
    loss, network = loss_of(classes, smoothing), in_precision(network, precision)

    def init(arrays: Arrays, key: Key[Array, ""]) -> Params:
        del arrays
        return network.init(key)

    def mean_loss(arrays: Arrays, params: Params, batch: Batch) -> Array:
        del arrays
        return loss.loss(network.apply(params, batch.x), batch.y, batch.real)

    def accuracy(arrays: Arrays, params: Params, batch: Batch) -> Array:
        del arrays
        return loss.accuracy(network.apply(params, batch.x), batch.y)

    return init, mean_loss, accuracy


def in_precision(network: Network, precision: str) -> Network:
    """The network computed in `precision`; parameters and outputs stay float32."""
    if precision == "float32":
        return network

    def cast(tree: Any) -> Any:
        def one(a: Array) -> Array:
            return a.astype(precision) if jnp.issubdtype(a.dtype, jnp.floating) else a

        return jax.tree.map(one, tree)

    def apply(params: Params, x: Array) -> Array:
        return network.apply(cast(params), cast(x)).astype(jnp.float32)

    return network._replace(apply=apply)


def loss_of(classes: int, smoothing: float = 0.0) -> Loss:
    """Cross-entropy, or for `classes` = 0 the squared error."""
    loss = dict(LOSSES)["cross_entropy" if classes else "squared_error"]
    return loss._replace(loss=partial(cross_entropy, smoothing=smoothing)) if smoothing else loss


@cache
def _shuffled_epoch(steps: int, batch: int):
    return partial(shuffled_epoch, steps, batch)


def shuffled_epoch(
    steps: int, batch: int, rows: Batch, key: Key[Array, ""], i: Int[Array, ""]
) -> Batch:
    """The steps × batch distinct rows in random order; what is left over sits this epoch out."""
    count = rows.y.shape[0]
    order = jax.random.permutation(jax.random.fold_in(key, i), count)[: steps * batch]
    return jax.tree.map(lambda a: a[order].reshape(steps, batch, *a.shape[1:]), rows)


def facts_of(
    functions: Functions, arrays: Arrays, splits: Splits, hyper: Hyper, classes: int
) -> Facts:
    """What can be read off the functions and splits; a caller replaces what it knows better."""
    params = jax.eval_shape(functions.init, arrays, jax.random.key(0))
    batches = jax.eval_shape(functions.epoch, arrays, jax.random.key(0), jnp.asarray(0))
    steps, batch = batches.y.shape[:2]
    y = [np.asarray(part.y) for part in splits]
    return Facts(
        domain="",
        rows=len(y[0]),
        inputs=int(np.prod(splits.train.x.shape[1:])),
        classes=classes,
        parameters=sum(leaf.size for leaf in jax.tree.leaves(params)),
        batch=batch,
        steps=steps,
        epochs=hyper.epochs,
        optimizer=hyper.optimizer,
        weight_decay=hyper.weight_decay,
        label_smoothing=hyper.label_smoothing,
        network=hyper.network or "own",
        init_scale=hyper.init_scale,
        loss="cross_entropy" if classes else "squared_error",
        chance_loss=chance_loss(y[0], y[1], classes),
        floor=0.0,
        noise=None,
        stream=False,
    )


def chance_loss(train: np.ndarray, other: np.ndarray, classes: int) -> float:
    """Loss on `other` of the best constant predictor on `train`.

    Of class frequencies, each class counted once more; for a regression, of the mean.
    """
    if not classes:
        return float(np.square(other - train.mean()).mean() / 2)
    counts = np.bincount(train.ravel(), minlength=classes) + 1
    return float(-np.log(counts / counts.sum())[other.ravel()].mean())


def _check_rows(name: str, splits: Splits, classes: int, batch: int) -> None:
    count = len(splits.train.y)
    if batch > count:
        raise ValueError(f"{name}: batch must be <= the {count} training rows, got {batch}")
    for part, rows in zip(Splits._fields, splits, strict=True):
        for values in (rows.x, rows.y):
            if not np.isfinite(np.asarray(values)).all():
                raise ValueError(f"{name}: the {part} rows hold a number that is not finite")
        if not len(rows.y):
            raise ValueError(f"{name}: there is no {part} row")
    if classes and len(np.unique(np.asarray(splits.train.y))) < 2:
        raise ValueError(f"{name}: the training rows are of one class only")
