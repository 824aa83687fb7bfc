"""What multiplies a policy's rate: optax transformations without a learning rate of their own."""

from collections.abc import Callable
from functools import cache, partial

import optax

OPTIMIZERS: tuple[tuple[str, Callable[[], optax.GradientTransformation]], ...] = (
    ("sgd", optax.identity),
    ("momentum", partial(optax.trace, decay=0.9)),  # heavy ball, m = 0.9 m + g
    ("momentum_ema", partial(optax.ema, decay=0.9, debias=False)),  # m = 0.9 m + 0.1 g
    ("nesterov", partial(optax.trace, decay=0.9, nesterov=True)),
    ("adagrad", optax.scale_by_rss),
    ("adadelta", optax.scale_by_adadelta),
    ("rmsprop", optax.scale_by_rms),
    ("adam", optax.scale_by_adam),
    ("adamw", optax.scale_by_adam),
    ("sign", optax.scale_by_sign),
)
"""Each with optax's own defaults; momentum is 0.9. adamw is adam with a weight decay of 0.01
unless another is given (the default of torch; that of optax is 1e-4)."""


@cache
def optimizer(name: str, weight_decay: float = 0.0) -> optax.GradientTransformation:
    """The transformation u of θ ← θ − α (u + weight_decay · θ).

    Weight decay is decoupled for every optimizer (Loshchilov & Hutter 2019, arXiv 1711.05101).
    Cached, so that a name is always the same object and never a reason to compile again.
    Raises ValueError for another name.
    """
    rows = dict(OPTIMIZERS)
    if name not in rows:
        raise ValueError(f"unknown optimizer {name!r}; allowed: {', '.join(rows)}")
    weight_decay = weight_decay or (0.01 if name == "adamw" else 0.0)
    if not weight_decay:
        return rows[name]()
    return optax.chain(rows[name](), optax.add_decayed_weights(weight_decay))
