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
from psi.bench.baselines.schedules import planned
from psi.lab.networks.network import Params
from psi.lab.optimizers import optimizer

FTRL_BETA = 1.0
OGR_BETA, OGR_MOMENTUM, OGR_EPSILON = 0.6, 0.5, 1e-8  # as its author's implementation has them

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
    the trenches, KDD, section 3.1).
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


class Averages(NamedTuple):
    """State of `online_regression`: exponential averages of each coordinate, 0 at first."""

    theta: Params
    g: Params
    theta_variance: Params
    g_variance: Params
    direction: Params


def online_regression() -> optax.GradientTransformation:
    """The update u = m σ_θ/σ_g of each coordinate: at α = 1 to the minimum of a parabola.

    Near a minimum p of curvature λ, g = λ (θ − p), so that σ_g = λ σ_θ: the ratio of standard
    deviations is the inverse curvature if all of g varies with θ. With β = 0.6, ε = 10⁻⁸ and all
    averages 0 at first,

        θ̄ ← β θ̄ + (1−β) θ,   σ_θ² ← β σ_θ² + (1−β) (θ − θ̄)² + ε,
        ḡ ← β ḡ + (1−β) g,   σ_g² ← β σ_g² + (1−β) (g − ḡ)²,
        m ← (m + g)/2,        u = m / (σ_g/σ_θ + ε).

    The rate: Duda 2019, arXiv 1907.07063, μ = σ_θ/σ_g. Averages and constants: cdOGR of his
    SGD-OGR-Hessian-estimator on GitHub with div = 1, without the bound that another version of it
    puts on σ_g/σ_θ.
    """

    def init(params: Params) -> Averages:
        zero = optax.tree.zeros_like(params)
        return Averages(zero, zero, zero, zero, zero)

    def update(updates: Params, state: Any, params: Any = None) -> tuple[Params, Averages]:
        def averaged(beta: float, old: Params, new: Params) -> Params:
            return jax.tree.map(lambda a, b: beta * a + (1 - beta) * b, old, new)

        def squares(values: Params, means: Params) -> Params:
            return jax.tree.map(lambda a, mean: (a - mean) ** 2, values, means)

        theta = averaged(OGR_BETA, state.theta, params)
        g = averaged(OGR_BETA, state.g, updates)
        vary = averaged(OGR_BETA, state.theta_variance, squares(params, theta))
        vary = jax.tree.map(lambda variance: variance + OGR_EPSILON, vary)
        slopes = averaged(OGR_BETA, state.g_variance, squares(updates, g))
        m = averaged(1 - OGR_MOMENTUM, state.direction, updates)
        u = jax.tree.map(lambda m, a, b: m / (jnp.sqrt(b / a) + OGR_EPSILON), m, vary, slopes)
        return u, Averages(theta, g, vary, slopes, m)

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
            "McMahan et al. 2013, KDD; β = 1, α = 0.1 as in the R package ftrl",
        )
        for name, (rate, formula) in FTRL.items()
    ),
    _row(
        "ogr", online_regression, 1.0, "θ ← θ − α m σ_θ/σ_g, each coordinate",
        "Duda 2019, arXiv 1907.07063; cdOGR of SGD-OGR-Hessian-estimator",
    ),
)  # fmt: skip
