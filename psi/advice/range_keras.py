"""A learning-rate range test of a Keras model, on any backend."""

import random
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import keras
import numpy as np
from keras.src.backend.common import global_state  # what a range test must leave has no public name
from keras.src.trainers import data_adapters  # as have what `fit` reads its data with

from psi.advice.randomness import Source, global_sources, own_randomness
from psi.advice.range_test import Step

GLOBAL_SEED = "global_seed_generator"
Batches = Callable[[], Iterator[Any]]
"""One pass over the data, in an order by the global random states"""


def range_steps(
    model: Any,
    x: Any,
    y: Any = None,
    batch_size: int = 32,
    *,
    sample_weight: Any = None,
    class_weight: dict[int, float] | None = None,
    minibatches: int = 100,
) -> Callable[[int], Step]:
    """Make the trainings of a compiled Keras model that `psi.suggest_lr` runs.

    Each one first puts the weights and all other variables of the model, its metrics and its
    optimizer back to what they were at this call, which builds model and optimizer where they are
    not built. A step leaves the random states of Python, numpy, torch and Keras as they were.

    Args:
        model: a compiled model, whose rate is no schedule.
        x: inputs as `fit` takes them: arrays, tensors, DataFrames, a list or dictionary of them; or
            what yields minibatches, a `tf.data.Dataset`, `PyDataset`, DataLoader or generator. Of
            that the first minibatches are kept in memory; a generator is used up by as many.
        y: targets of as many rows; None where x yields them.
        batch_size: rows of a minibatch of arrays; minibatches are drawn in an order that depends on
            the seed.
        sample_weight: weights of the rows, as in `fit`.
        class_weight: weights of classes, as in `fit`.
        minibatches: how many are kept of what yields them.

    Returns:
        `begin`, of which `begin(seed)` starts a training and returns its step: `step(lr)` trains on
        one minibatch and returns its loss.

    Raises:
        ValueError: batch_size is below 1 or above the rows of x, there is no minibatch, the model
            is not compiled, or its optimizer's rate cannot be set because it is a schedule.

    Example:
        >>> import keras, numpy as np, psi
        >>> from psi.advice.range_keras import range_steps
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> model.compile(optimizer=keras.optimizers.SGD(), loss="mse")
        >>> x = np.random.default_rng(0).normal(size=(64, 2))
        >>> found = psi.suggest_lr(range_steps(model, x, x.sum(1, keepdims=True)), steps=40)
        >>> found.losses.shape
        (3, 40)
    """
    sources = [*global_sources(), _keras_source()]
    weights = {"sample_weight": sample_weight, "class_weight": class_weight}
    with own_randomness(0, sources)():
        if data_adapters.array_data_adapter.can_convert_arrays((x, y, sample_weight)):
            batches = _of_arrays(x, y, batch_size, weights)
        else:
            batches = _kept(data_adapters.get_data_adapter(x, y, **weights), minibatches)
        first = next(batches())
    _build(model, first)
    restore = _restorer(model)

    def begin(seed: int) -> Step:
        restore(seed)
        own = own_randomness(seed, sources)
        every = (batch for _ in iter(int, 1) for batch in batches())

        def step(lr: float) -> float:
            model.optimizer.learning_rate = lr
            with own():
                batch = keras.utils.unpack_x_y_sample_weight(next(every))
                return float(model.train_on_batch(*batch, return_dict=True)["loss"])

        return step

    return begin


def _of_arrays(x: Any, y: Any, batch_size: int, weights: dict[str, Any]) -> Batches:
    rows = len(keras.tree.flatten(x)[0])
    if not 1 <= batch_size <= rows:
        raise ValueError(f"batch_size must be 1 to {rows}, the rows of x, got {batch_size}")
    adapter = data_adapters.get_data_adapter(x, y, batch_size=batch_size, shuffle=True, **weights)
    return lambda: islice(adapter.get_numpy_iterator(), rows // batch_size)


def _kept(adapter: Any, most: int) -> Batches:
    """The first minibatches of what yields them, without a last one that is smaller."""
    copied = (keras.tree.map_structure(_own, each) for each in adapter.get_numpy_iterator())
    kept = list(islice(copied, most))
    if enqueuer := getattr(adapter, "enqueuer", None):  # the workers of a PyDataset
        enqueuer.stop()
    if not kept:
        raise ValueError("x must yield at least one minibatch, got none")
    rows = [len(keras.tree.flatten(each)[0]) for each in kept]
    kept = [each for each, size in zip(kept, rows, strict=True) if size >= rows[0]]
    return lambda: iter(random.sample(kept, len(kept)))


def _own(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else value  # some fill one buffer again


def _build(model: Any, batch: Any) -> None:
    if not getattr(model, "compiled", False):
        raise ValueError("a range test needs a compiled model: call model.compile(…) first")
    try:
        model.optimizer.learning_rate = float(model.optimizer.learning_rate)
    except (TypeError, AttributeError):
        raise ValueError(
            "a range test sets the rate of one optimizer, which must be a number and no schedule: "
            f"compile with a float learning_rate, got {model.optimizer.name}"
        ) from None
    if not model.built:
        model(keras.utils.unpack_x_y_sample_weight(batch)[0])
    model.optimizer.build(model.trainable_variables)


def _restorer(model: Any) -> Callable[[int], None]:
    """What puts all variables back, and begins dropout's masks by a seed; 0 is as it was."""
    variables = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    kept = [keras.ops.copy(each.value) for each in variables]
    torch = keras.backend.backend() == "torch"
    weights = [each.value for each in model.variables] if torch else []
    gradients = [each.grad for each in weights]

    def restore(seed: int) -> None:
        model.reset_metrics()  # those that the first step makes
        for variable, value in zip(variables, kept, strict=True):
            masks = variable.name == "seed_generator_state"
            # A copy, as JAX donates what is assigned here to the next step.
            variable.assign(_seeded(value, seed) if masks else keras.ops.copy(value))
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.grad = gradient

    return restore


def _seeded(state: Any, seed: int) -> Any:
    return keras.ops.add(state, keras.ops.convert_to_tensor([seed, 0], state.dtype))


def _keras_source() -> Source:
    """Keras's own global generator, which is made when it is first used."""

    def read() -> tuple[Any, Any]:
        generator = global_state.get_global_attribute(GLOBAL_SEED)
        return generator, None if generator is None else keras.ops.copy(generator.state.value)

    def write(kept: tuple[Any, Any]) -> None:
        generator, state = kept
        global_state.set_global_attribute(GLOBAL_SEED, generator)
        if generator is not None:
            generator.state.assign(state)

    def begin(seed: int) -> None:
        global_state.set_global_attribute(GLOBAL_SEED, keras.random.SeedGenerator(seed))

    return Source(read, write, begin)
