"""Build a task from a network and rows."""

from collections.abc import Callable
from dataclasses import replace
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
from psi.lab.tasks.order import permutation
from psi.lab.tasks.task import Arrays, Batch, Functions, Splits, Task, TaskFacts


def fixed_task(
    name: str,
    network: Network,
    splits: Splits,
    hyper: Hyper,
    classes: int,
    batch: int = 32,
    *,
    domain: str = "",
) -> Task:
    """A task on fixed rows: each epoch is one pass over them in a fresh random order.

    Args:
        name: what the task is called in tables.
        network: a pair of pure functions; for a classification its outputs are logits.
        splits: the rows to train on, to validate on and to test on.
        hyper: the hyperparameters. Only the budget, optimizer, batch, weight decay, label smoothing
            and precision are used: the network is already made.
        classes: number of classes, for the cross-entropy; 0 for a regression, ½ mean (f(x) − y)².
        batch: rows a minibatch where `hyper` names none; rows that do not fill a minibatch are left
            out of an epoch.
        domain: what is held out as a whole with this task in estimates: a data set's name.

    Returns:
        The task.

    Raises:
        ValueError: the training rows do not fill one minibatch, a part has no row, a number is not
            finite, or all training rows are of one class.

    >>> import jax.numpy as jnp
    >>> import numpy as np
    >>> from psi.lab.hyper import Hyper
    >>> from psi.lab.networks.mlp import mlp
    >>> from psi.lab.tasks.build import fixed_task
    >>> from psi.lab.tasks.task import Batch, Splits
    >>> x = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
    >>> part = Batch(jnp.asarray(x), jnp.asarray(x.sum(1) > 0, int))
    >>> splits = Splits(part, part, part)
    >>> task = fixed_task("sign of the sum", mlp(3, 2), splits, Hyper(epochs=10), classes=2)
    >>> task.facts.steps
    2
    """
    rows, batch = len(splits.train.y), hyper.batch or batch
    _check_rows(name, splits, classes, batch)
    functions = functions_of(network, classes, hyper, _shuffled_epoch(rows // batch, batch))
    facts = facts_of(functions, splits.train, splits, hyper, classes)
    return Task(name, functions, splits.train, splits, replace(facts, domain=domain))


def functions_of(
    network: Network, classes: int, hyper: Hyper, epoch: Callable[..., Batch]
) -> Functions:
    """The functions of a network on rows that `epoch` draws: (arrays, key, i) → minibatches."""
    return Functions(
        *of_network(network, classes, hyper.label_smoothing, hyper.precision),
        epoch,
        optimizer(hyper.optimizer, hyper.weight_decay),
    )


@cache
def of_network(network: Network, classes: int, smoothing: float, precision: str = "float32"):
    """(init, loss, accuracy) of a network as functions of a task, whose arrays they ignore."""
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
    """The network computed in `precision`, with parameters and outputs in float32."""
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
    """The cross-entropy, or the squared error for `classes` = 0."""
    loss = dict(LOSSES)["cross_entropy" if classes else "squared_error"]
    return loss._replace(loss=partial(cross_entropy, smoothing=smoothing)) if smoothing else loss


@cache
def _shuffled_epoch(steps: int, batch: int) -> Callable[..., Batch]:
    """(rows, key, i) → minibatches in random order; the remaining rows are left out this epoch."""

    def epoch(rows: Batch, key: Key[Array, ""], i: Int[Array, ""]) -> Batch:
        count = rows.y.shape[0]
        order = permutation(jax.random.fold_in(key, i), count)[: steps * batch]
        return jax.tree.map(lambda a: a[order].reshape(steps, batch, *a.shape[1:]), rows)

    return epoch


def facts_of(
    functions: Functions, arrays: Arrays, splits: Splits, hyper: Hyper, classes: int
) -> TaskFacts:
    """The facts that functions and splits show, as of fixed rows of an unnamed domain.

    A caller that knows more (a domain, a Bayes loss, a stream) replaces those fields.
    """
    params = jax.eval_shape(functions.init, arrays, jax.random.key(0))
    batches = jax.eval_shape(functions.epoch, arrays, jax.random.key(0), jnp.asarray(0))
    steps, batch = batches.y.shape[:2]
    y = [np.asarray(part.y) for part in splits]
    return TaskFacts(
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
    """Loss on `other` of the best constant prediction for `train`, targets of both.

    That is the classes' frequencies, each class counted once more; for a regression the mean.
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
