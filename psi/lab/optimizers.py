"""What multiplies a policy's rate: optax transformations without a learning rate of their own."""

from functools import cache

import optax


@cache
def optimizer(name: str) -> optax.GradientTransformation:
    """`sgd`, `momentum` (heavy ball 0.9) or `adam` (b1 = 0.9, b2 = 0.999, ε = 1e-8).

    Cached, so that a name is always the same object and never a reason to compile again.
    Raises ValueError for another name.
    """
    match name:
        case "sgd":
            return optax.identity()
        case "momentum":
            return optax.trace(decay=0.9)
        case "adam":
            return optax.scale_by_adam()
    raise ValueError(f"unknown optimizer {name!r}; allowed: sgd, momentum, adam")
