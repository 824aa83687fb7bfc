"""A task: everything about a training except its learning rate.

A `Task` is pure functions and arrays. Tasks that share functions and shapes (draws of one
synthetic family, say) share one compiled program: the functions are the program's key, the
arrays its arguments.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from jaxtyping import Array, Float, Int, Key, PyTree

Params = PyTree[Float[Array, "..."]]


class Batch(NamedTuple):
    """Inputs and labels; a leading step axis where it holds a whole epoch's minibatches."""

    x: Float[Array, "*rows inputs"]
    y: Int[Array, "*rows"]


class Splits(NamedTuple):
    """The parts of a data set; for a stream, fresh samples of its generator."""

    train: Batch
    validation: Batch
    test: Batch


class Functions(NamedTuple):
    """The pure functions of a task. Shared by tasks of one shape, hashable."""

    init: Callable[[Key[Array, ""]], Params]
    """key → parameters"""
    loss: Callable[[Params, Batch], Float[Array, ""]]
    """mean cross-entropy of a batch, in nats"""
    accuracy: Callable[[Params, Batch], Float[Array, ""]]
    """share of a batch that is classified right"""
    epoch: Callable[[Any, Key[Array, ""]], Batch]
    """(source, key) → the minibatches of one epoch, shape=(steps, batch, …)"""


@dataclass(frozen=True)
class Facts:
    """Declared features of the data set and of the hyperparameters."""

    domain: str
    """What is left out whole when it is held out: a data set or a synthetic family."""
    rows: int
    inputs: int
    classes: int
    parameters: int
    batch: int
    steps: int
    """Minibatches an epoch."""
    epochs: int
    """T, the budget."""
    optimizer: str
    chance_loss: float
    """L_chance: the validation loss of the best constant predictor, in nats."""
    floor: float
    """L*: the Bayes loss on the validation sample where the generator is known, else 0."""
    stream: bool


class Task(NamedTuple):
    """A training problem: functions, the source of its minibatches, splits, declared features."""

    name: str
    functions: Functions
    source: Any
    """What `functions.epoch` draws from: the training rows, or a generator's parameters."""
    splits: Splits
    facts: Facts
