"""A range test of a Keras model: psi.suggest_lr(range_steps(model, x, y, batch_size=32))."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from psi.advice.range_test import Step


def range_steps(model: Any, x: Any, y: Any, batch_size: int = 32) -> Callable[[int], Step]:
    """What begins a training of a compiled model with a seed, for `psi.suggest_lr`.

    Minibatches are drawn from the arrays `x` and `y` in an order by the seed. Each beginning puts
    the weights and the optimizer back to what they were when this was called.
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
