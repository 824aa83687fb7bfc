"""The table of optimizers: what multiplies a policy's rate, and which rates a sweep tries.

A row is an optax transformation without a learning rate of its own, with optax's own defaults
(momentum is 0.9), and default bounds of the rate. The lower bound learns too little in 20 epochs,
the upper one is near or past the edge of stability on most tasks: a sweep needs both sides of what
is best. From constant rates over [1e-5, 10] on small tasks of the lab: SGD is best at 0.5 to 2.
The others by how large their update u is:

* heavy ball and Nesterov with 0.9 add up ten gradients, hence a tenth; an average of gradients
  (`momentum_ema`) is as large as a gradient (Sutskever et al. 2013, ICML);
* adam, adamw, rmsprop and sign move each coordinate by about α a step;
* adagrad divides by the root of a sum that grows, hence ten times adam's and more;
* adadelta has its own scale and is meant for α = 1 (Zeiler 2012, arXiv 1212.5701); it starts so
  slowly that few epochs want more.

Names and bounds are read without optax, which is imported when a transformation is made.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from psi.lab.registry import Table

if TYPE_CHECKING:
    import optax

LOWEST, HIGHEST = 1e-5, 10.0  # what the bounds of the house's own rows lie within


class Optimizer(NamedTuple):
    """A row: u of θ ← θ − α u, and the rates α that a sweep tries by default."""

    name: str
    make: "Callable[[], optax.GradientTransformation]"
    """Returns the transformation; called once in a process."""
    low: float
    high: float
    weight_decay: float = 0.0
    """Decoupled, unless the hyperparameters give another."""


def own_optimizer(
    name: str, make: "Callable[[], optax.GradientTransformation]", low: float, high: float
) -> Optimizer:
    """An optimizer of one's own, for `psi.use`.

    Args:
        name: what it is asked for by; a law fitted to its runs carries it.
        make: returns the transformation without a learning rate; called once in a process.
        low: the lowest rate that a sweep tries, where it learns too little.
        high: the highest, near or past the edge of stability.

    Returns:
        A row for the table of optimizers.

    Raises:
        ValueError: unless 0 < low < high < ∞.

    Example:
        >>> import optax
        >>> import psi
        >>> lion = psi.own_optimizer("doctest-lion", optax.scale_by_lion, 1e-4, 0.1)
        >>> psi.use(psi.Plugin(optimizers=(lion,)))
        >>> psi.Hyper(optimizer="doctest-lion").optimizer
        'doctest-lion'
    """
    if not 0 < low < high < math.inf:
        raise ValueError(f"rates of {name} must be 0 < low < high < inf, got {low} and {high}")
    return Optimizer(name, make, low, high)


def _row(name: str, low: float, high: float, function: str, **settings: Any) -> Optimizer:
    def make() -> "optax.GradientTransformation":
        import optax

        return getattr(optax, function)(**settings)

    return Optimizer(name, make, low, high)


OPTIMIZERS: Table[Optimizer] = Table(
    "optimizer",
    (
        _row("sgd", 0.01, 6.0, "identity"),
        _row("momentum", 0.001, 0.6, "trace", decay=0.9),  # heavy ball, m = 0.9 m + g
        _row("momentum_ema", 0.01, 6.0, "ema", decay=0.9, debias=False),  # m = 0.9 m + 0.1 g
        _row("nesterov", 0.001, 0.6, "trace", decay=0.9, nesterov=True),
        _row("adagrad", 0.003, 3.0, "scale_by_rss"),
        _row("adadelta", 0.1, 10.0, "scale_by_adadelta"),
        _row("rmsprop", 1e-4, 0.3, "scale_by_rms"),
        _row("adam", 1e-4, 0.3, "scale_by_adam"),
        # 0.01 is the default of torch; that of optax is 1e-4.
        _row("adamw", 1e-4, 0.3, "scale_by_adam")._replace(weight_decay=0.01),
        _row("sign", 1e-4, 0.1, "scale_by_sign"),
    ),
)


def bounds(name: str) -> tuple[float, float]:
    """The lowest and the highest rate that a sweep of the optimizer tries by default."""
    row = OPTIMIZERS[name]
    return row.low, row.high


@cache
def optimizer(name: str, weight_decay: float = 0.0) -> "optax.GradientTransformation":
    """The transformation u of θ ← θ − α (u + weight_decay · θ).

    Weight decay is decoupled for every optimizer (Loshchilov & Hutter 2019, arXiv 1711.05101).
    Cached, so that a name is always the same object and never a reason to compile again.
    Raises ValueError for another name.
    """
    import optax

    row = OPTIMIZERS[name]
    weight_decay = weight_decay or row.weight_decay
    if not weight_decay:
        return row.make()
    return optax.chain(row.make(), optax.add_decayed_weights(weight_decay))
