"""A learning-rate range test of a Keras model."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from psi.advice.range_test import Step


def range_steps(model: Any, x: Any, y: Any, batch_size: int = 32) -> Callable[[int], Step]:
    """Make the trainings of a compiled Keras model that `psi.suggest_lr` runs.

    Each one first puts the weights and the optimizer back to what they were at this call.

    Args:
        model: a compiled model, whose rate is no schedule.
        x: inputs, an array with rows first.
        y: targets, an array of as many rows.
        batch_size: rows of a minibatch; minibatches are drawn in an order that depends on the seed.

    Returns:
        `begin`, of which `begin(seed)` starts a training and returns its step: `step(lr)` trains on
        one minibatch and returns its loss.

    Raises:
        ValueError: batch_size is below 1 or above the rows of x.

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
    if not 1 <= batch_size <= len(x):
        raise ValueError(f"batch_size must be 1 to {len(x)}, the rows of x, got {batch_size}")
    model.optimizer.build(model.trainable_variables)
    variables = [*model.variables, *model.optimizer.variables]
    kept = [keras.ops.copy(variable.value) for variable in variables]

    def begin(seed: int) -> Step:
        for variable, value in zip(variables, kept, strict=True):
            variable.assign(value)
        rng = np.random.default_rng(seed)
        order: list[int] = []

        def step(lr: float) -> float:
            nonlocal order
            if len(order) < batch_size:
                order = rng.permutation(len(x)).tolist()
            rows, order = order[:batch_size], order[batch_size:]
            model.optimizer.learning_rate = lr
            model.reset_metrics()
            logs = model.train_on_batch(x[rows], y[rows], return_dict=True)
            return float(logs["loss"])

        return step

    return begin
