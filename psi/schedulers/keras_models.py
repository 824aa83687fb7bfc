"""What of a Keras model concerns a law: its optimizer's rule, P, and the size of its weights."""

from typing import Any

import keras
import numpy as np

from psi.schedulers.kin import Found, recognise


def counted(model: Any) -> dict[str, Any]:
    """P and the weights' root mean square of a model."""
    return {"parameters": parameters(model), "weight_rms": weight_rms(model)}


def parameters(model: Any) -> int:
    """P, the number of numbers that are trained."""
    return max(sum(int(np.prod(w.shape)) for w in model.trainable_weights), 1)


def weight_rms(model: Any) -> float | None:
    """Root mean square of all that is trained; None where it is zero."""
    ops: Any = keras.ops
    squares = (ops.sum(ops.square(w.value)) for w in model.trainable_weights)
    total = sum(float(ops.stop_gradient(each)) for each in squares)
    return (total / parameters(model)) ** 0.5 or None


def recognised(optimizer: Any) -> Found:
    """The optimizer by its class, inside of a LossScaleOptimizer too."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    names = ("momentum", "beta_1", "beta_2")
    settings = {name: getattr(optimizer, name) for name in names if hasattr(optimizer, name)}
    return recognise([each.__name__ for each in type(optimizer).__mro__], settings)
