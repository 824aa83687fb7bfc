"""Methods that scale each coordinate's gradient, at a constant rate α that is tuned.

A row is called as its optimizer and ignores the one of the task. Where libraries differ, the
default rate is that of a library with the same constants: Keras's for the sums of squares that
start at 0.1 (adagrad) and for the average of squares with 0.9 (rmsprop), PyTorch's for adadelta.
"""

import operator
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from psi.bench.baselines.baseline import Baseline, descending
from psi.bench.baselines.online_regression import online_regression
from psi.bench.baselines.schedules import planned
from psi.lab.networks.network import Params
from psi.lab.optimizers import optimizer

FTRL_BETA = 1.0

Rates = Callable[[Any, Any], Any]  # (rate from squared gradients, rate from time) → rate


class Sums(NamedTuple):
    """State of `decaying`."""

    squares: Params
    """Σ g² of each coordinate."""
    steps: Float[Array, ""]
    """t"""


def decaying(rate: Rates) -> optax.GradientTransformation:
    """The update u = rate(1/(β + √(Σ g²)), 1/(β + √t)) · g for each coordinate; β = 1.

    Sums are over the t steps so far, this one included. The first argument is the rate of
    FTRL-proximal, which without its L1 and L2 terms is gradient descent at this rate; the second is
    what it replaces, a rate of time alone (McMahan et al. 2013, Ad click prediction: a view from
    the trenches, KDD). Their sum and their product are rows as well.
    """

    def init(params: Params) -> Sums:
        return Sums(optax.tree.zeros_like(params), jnp.zeros((), float))

    def update(updates: Params, state: Any, params: Any = None) -> tuple[Params, Sums]:
        del params

        def scaled(squares: Array, g: Array) -> Array:
            return rate(1 / (FTRL_BETA + jnp.sqrt(squares)), of_time) * g

        squares = jax.tree.map(lambda s, g: s + g**2, state.squares, updates)
        steps = state.steps + 1
        of_time = 1 / (FTRL_BETA + jnp.sqrt(steps))
        return jax.tree.map(scaled, squares, updates), Sums(squares, steps)

    return optax.GradientTransformation(init, update)


FTRL: dict[str, tuple[Rates, str]] = {
    "ftrl": (lambda own, _: own, "θ ← θ − α g/(1 + √(Σ g²)), each coordinate"),
    "ftrl_time": (lambda _, of_time: of_time, "θ ← θ − α g/(1 + √t), t steps so far"),
    "ftrl_sum": (operator.add, "θ ← θ − α (1/(1 + √(Σ g²)) + 1/(1 + √t)) g, each coordinate"),
    "ftrl_product": (operator.mul, "θ ← θ − α g/((1 + √(Σ g²)) (1 + √t)), each coordinate"),
}

_MEANS = "m and v averages of g and g² without bias"
_HOUSE: tuple[tuple[str, float, str, str], ...] = (  # name, default rate, formula, source
    ("momentum", 0.01, "m ← 0.9 m + g, θ ← θ − α m", "Polyak 1964; Keras's rate"),
    ("momentum_ema", 0.01, "m ← 0.9 m + 0.1 g, θ ← θ − α m", "optax.ema; Keras's rate of SGD"),
    (
        "nesterov", 0.01, "m ← 0.9 m + g, θ ← θ − α (g + 0.9 m)",
        "Nesterov 1983; Sutskever et al. 2013, ICML; Keras's rate",
    ),
    (
        "adagrad", 1e-3, "θ ← θ − α g/√(0.1 + Σ g²), each coordinate",
        "Duchi et al. 2011, JMLR; Keras's rate",
    ),
    (
        "adadelta", 1.0, "θ ← θ − α u, u = g RMS(u)/RMS(g), each coordinate",
        "Zeiler 2012, arXiv 1212.5701; PyTorch's rate",
    ),
    (
        "rmsprop", 1e-3, "v ← 0.9 v + 0.1 g², θ ← θ − α g/√v, each coordinate",
        "Hinton 2012, lecture 6e; Keras's rate",
    ),
    (
        "adam", 1e-3, f"θ ← θ − α m/√v, {_MEANS}",
        "Kingma & Ba 2015, arXiv 1412.6980",
    ),
    (
        "adamw", 1e-3, f"θ ← θ − α (m/√v + 0.01 θ), {_MEANS}",
        "Loshchilov & Hutter 2019, arXiv 1711.05101; PyTorch's rate and decay",
    ),
)  # fmt: skip


def _nadamw() -> optax.GradientTransformation:
    return descending(partial(optax.nadamw, 1.0))


def _row(
    name: str,
    make: Callable[[], optax.GradientTransformation],
    default: float,
    formula: str,
    source: str,
) -> Baseline:
    return Baseline(
        name, partial(planned, "constant"), optimizer=make, default=default,
        sees=("gradients",), formula=formula, source=source,
    )  # fmt: skip


ROWS = (
    *(
        _row(name, partial(optimizer, name), default, formula, source)
        for name, default, formula, source in _HOUSE
    ),
    _row(
        "nadamw", _nadamw, 1e-3,
        f"θ ← θ − α ((0.9 m + 0.1 g)/√v + 10⁻⁴ θ), {_MEANS}",
        "Dozat 2016, Nesterov momentum in Adam; optax.nadamw; Keras's rate of Nadam",
    ),
    *(
        _row(
            name, partial(decaying, rate), 0.1, formula,
            "rates of McMahan et al. 2013, KDD; β = 1, α = 0.1 as in the R package ftrl",
        )
        for name, (rate, formula) in FTRL.items()
    ),
    _row(
        "ogr", online_regression, 1.0, "θ ← θ − α m σ_θ/σ_g, each coordinate",
        "Duda 2019, arXiv 1907.07063; cdOGR of SGD-OGR-Hessian-estimator",
    ),
)  # fmt: skip
