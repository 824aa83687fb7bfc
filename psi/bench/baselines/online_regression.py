"""Second-order rates of single coordinates, by regression of gradients on parameters."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from psi.lab.networks.network import Params

BETA, MOMENTUM, EPSILON = 0.6, 0.5, 1e-8  # as in the author's implementation


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

        theta = averaged(BETA, state.theta, params)
        g = averaged(BETA, state.g, updates)
        vary = averaged(BETA, state.theta_variance, squares(params, theta))
        vary = jax.tree.map(lambda variance: variance + EPSILON, vary)
        slopes = averaged(BETA, state.g_variance, squares(updates, g))
        m = averaged(1 - MOMENTUM, state.direction, updates)
        u = jax.tree.map(lambda m, a, b: m / (jnp.sqrt(b / a) + EPSILON), m, vary, slopes)
        return u, Averages(theta, g, vary, slopes, m)

    return optax.GradientTransformation(init, update)
