"""A task: everything about a training except its learning rate.

A `Task` is pure functions and arrays. Tasks that share functions and shapes (draws of one synthetic
family, say) share one compiled program: functions select the program, arrays are its arguments.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import optax
from jaxtyping import Array, Bool, Float, Int, Key, Shaped

from psi.lab.networks.network import Params
from psi.law.facts import Facts

Arrays = Any
"""A pytree of arrays that a task's functions read: training rows, or a generator's parameters."""


class Batch(NamedTuple):
    """Inputs and targets, rows first; for a whole epoch with a leading axis of minibatches.

    Args:
        x: inputs, shape (rows, …).
        y: targets, shape (rows, …): class numbers from 0 as integers, or floats.
        real: which rows are not padding, shape (rows,); None means all.

    >>> import jax.numpy as jnp
    >>> from psi.lab.tasks.task import Batch
    >>> batch = Batch(x=jnp.ones((4, 3)), y=jnp.array([0, 1, 1, 0]))
    """

    x: Shaped[Array, "*rows"]
    y: Shaped[Array, "*rows"]
    real: Bool[Array, "*rows"] | None = None


class Splits(NamedTuple):
    """The three parts of a data set; for a stream, samples of its generator to evaluate on.

    Args:
        train: rows that are trained on, and on which the full training loss is evaluated. Only
            this part may hold padding.
        validation: rows for the validation loss.
        test: rows for the accuracy.

    >>> import jax.numpy as jnp
    >>> from psi.lab.tasks.task import Batch, Splits
    >>> rows = Batch(jnp.ones((8, 3)), jnp.arange(8) % 2)
    >>> splits = Splits(train=rows, validation=rows, test=rows)
    """

    train: Batch
    validation: Batch
    test: Batch


class Functions(NamedTuple):
    """The pure functions of a task; hashable, and the same objects for tasks of one shape."""

    init: Callable[[Arrays, Key[Array, ""]], Params]
    """(arrays, key) → initial parameters"""
    loss: Callable[[Arrays, Params, Batch], Float[Array, ""]]
    """(arrays, parameters, batch) → mean loss of its rows, in nats where it is a cross-entropy"""
    accuracy: Callable[[Arrays, Params, Batch], Float[Array, ""]]
    """(arrays, parameters, batch) → share of it that is classified right, or R² of a regression"""
    epoch: Callable[[Arrays, Key[Array, ""], Int[Array, ""]], Batch]
    """(arrays, key of the batch order, i) → the minibatches of epoch i, shape (steps, batch, …)"""
    optimizer: optax.GradientTransformation
    """What the learning rate multiplies. One that takes extra arguments is given the minibatch's
    loss as `value`, its gradient as `grad`, its loss as a function, `value_fn`, and the learning
    rate as `rate`."""
    before: Callable[[Splits, Key[Array, ""], Int[Array, ""]], Splits] | None = None
    """For targets that move: (splits, key of the batch order, i) → the splits to evaluate on before
    epoch i. None: always the same splits."""
    evaluated: Callable[[Any, Params], Params] | None = None
    """(optimizer state, parameters) → the parameters at which losses are evaluated, for methods
    that average them. None: the parameters themselves."""


@dataclass(frozen=True)
class TaskFacts:
    """What is known of a task before training: of its data, its network and its hyperparameters."""

    domain: str
    """The data set or synthetic family, which is held out as a whole."""
    rows: int
    """Training rows; for a stream, all rows drawn over the budget."""
    inputs: int
    """Numbers in a row of x."""
    classes: int
    """0 for a regression."""
    parameters: int
    """P, the network's weights and biases, without padding."""
    batch: int
    """Rows a minibatch, without padding."""
    steps: int
    """Minibatches an epoch."""
    epochs: int
    """T, the budget in epochs."""
    optimizer: str
    weight_decay: float
    label_smoothing: float
    network: str
    init_scale: float
    """Factor on the weights of He initialisation."""
    loss: str
    chance_loss: float
    """L_chance: the validation loss of the best constant predictor."""
    floor: float
    """L*: on a stream the Bayes loss on the validation split, else 0."""
    noise: float | None
    """Share of labels drawn at random, or standard deviation of a target's noise; None where
    unknown."""
    stream: bool
    """Whether every minibatch is a fresh sample, so that no row is seen twice."""

    def known(self) -> Facts:
        """What a law may see of them; the initial weights are measured in each run."""
        return Facts(
            rows=None if self.stream else self.rows,
            batch=self.batch,
            steps_per_epoch=self.steps,
            classes=self.classes,
            chance_loss=self.chance_loss if 0 < self.chance_loss < math.inf else None,
            stream=self.stream,
            parameters=self.parameters,
        )


class Task(NamedTuple):
    """A training problem: everything about a training except its learning rate.

    Args:
        name: what it is called in tables.
        functions: its pure functions; tasks that share them share compiled programs.
        arrays: what the functions read, their first argument.
        splits: the rows on which losses and accuracy are evaluated.
        facts: what is known of it before training.

    >>> import jax
    >>> from psi.lab.tasks.table import make_task
    >>> task = make_task("noisy_quadratic")
    >>> params = task.init(jax.random.key(0))
    >>> task.loss(params, task.splits.validation).shape
    ()
    """

    name: str
    functions: Functions
    arrays: Arrays
    splits: Splits
    facts: TaskFacts

    def init(self, key: Key[Array, ""]) -> Params:
        """Initial parameters."""
        return self.functions.init(self.arrays, key)

    def loss(self, params: Params, batch: Batch) -> Float[Array, ""]:
        """Mean loss of a batch, a scalar."""
        return self.functions.loss(self.arrays, params, batch)
