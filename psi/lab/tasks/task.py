"""A task: everything about a training except its learning rate.

A `Task` is pure functions and arrays. Tasks that share functions and shapes (draws of one
synthetic family, say) are one bucket and share one compiled program: the functions are the
program's key, the arrays its arguments.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import optax
from jaxtyping import Array, Bool, Float, Int, Key, Shaped

from psi.lab.networks.network import Params

Arrays = Any
"""A pytree of arrays: training rows, or a generator's parameters, and what else functions use."""


class Batch(NamedTuple):
    """Inputs and targets, rows first; a leading step axis where it is a whole epoch's."""

    x: Shaped[Array, "*rows"]
    y: Shaped[Array, "*rows"]
    real: Bool[Array, "*rows"] | None = None
    """Which rows are not padding; None: all are."""


class Splits(NamedTuple):
    """The parts of a data set; for a stream, fresh samples of its generator."""

    train: Batch
    validation: Batch
    test: Batch
    """Of the three only the training part may be padded."""


class Functions(NamedTuple):
    """The pure functions of a task. Shared by tasks of one shape, hashable."""

    init: Callable[[Arrays, Key[Array, ""]], Params]
    """(arrays, key) → parameters"""
    loss: Callable[[Arrays, Params, Batch], Float[Array, ""]]
    """mean over a batch's rows of their loss, in nats where it is a cross-entropy"""
    accuracy: Callable[[Arrays, Params, Batch], Float[Array, ""]]
    """share of a batch that is classified right; R² of a regression"""
    epoch: Callable[[Arrays, Key[Array, ""], Int[Array, ""]], Batch]
    """(arrays, key of the run, i) → the minibatches of epoch i, shape=(steps, batch, …)"""
    optimizer: optax.GradientTransformation
    """What the learning rate multiplies."""
    before: Callable[[Splits, Key[Array, ""], Int[Array, ""]], Splits] | None = None
    """(splits, key of the run, i) → what is evaluated before epoch i; None: the splits. For
    targets that move."""


@dataclass(frozen=True)
class Facts:
    """Declared features of the data set and of the hyperparameters."""

    domain: str
    """What is left out whole when it is held out: a data set or a synthetic family."""
    rows: int
    """Training rows; for a stream, those drawn over the budget."""
    inputs: int
    """Numbers a row."""
    classes: int
    """0 for a regression."""
    parameters: int
    batch: int
    steps: int
    """Minibatches an epoch."""
    epochs: int
    """T, the budget."""
    optimizer: str
    weight_decay: float
    label_smoothing: float
    network: str
    init_scale: float
    """Of the initial weights, times those of He initialisation."""
    loss: str
    chance_loss: float
    """L_chance: the validation loss of the best constant predictor."""
    floor: float
    """L*: the Bayes loss on the validation sample where the generator is known, else 0."""
    noise: float | None
    """Share of labels that are random, or the standard deviation of a target's noise; None where
    it is not known."""
    stream: bool


class Task(NamedTuple):
    """A training problem: functions, the arrays they draw on, splits, declared features."""

    name: str
    functions: Functions
    arrays: Arrays
    splits: Splits
    facts: Facts

    def init(self, key: Key[Array, ""]) -> Params:
        """Parameters before training."""
        return self.functions.init(self.arrays, key)

    def loss(self, params: Params, batch: Batch) -> Float[Array, ""]:
        """Mean loss of a batch."""
        return self.functions.loss(self.arrays, params, batch)
