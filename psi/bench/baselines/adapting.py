"""Optimizers that choose their step size at every step, by the loss and the gradient.

They take the place of the task's optimizer: each has its own direction, which it is named after
where that is not the gradient itself. Their u contains the step size that they choose, and the
engine's θ ← θ − α u multiplies it by α, which is constant; so u is (step size)/α times a direction
where α is a bound of the step size or its first value.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from psi.bench.baselines.baseline import Baseline
from psi.bench.baselines.schedules import planned
from psi.lab.networks.network import Params

Transformation = optax.GradientTransformationExtraArgs


class L4State(NamedTuple):
    """The lowest loss that is thought to be reached, and the states of the two estimates."""

    lowest: Float[Array, ""]  # nats; ∞ before the first step
    direction: Any
    gradient: Any


def l4(direction: optax.GradientTransformation) -> Transformation:
    """U = (ε − 0.9 L)/(mᵀv + 1e-12) · v, ε the loss of the minibatch, m an average of gradients.

    v is the direction; L the lowest ε, which is forgotten by a thousandth a step and begins at
    0.75 ε. A step of α u lowers the linearised loss by the fraction α of the way to 0.9 L. The
    constants are those of the authors' code (Rolínek & Martius 2018, arXiv 1802.05074).
    """
    gradient = optax.ema(0.9)

    def init(params: Params) -> L4State:
        return L4State(jnp.asarray(jnp.inf), direction.init(params), gradient.init(params))

    def update(
        updates: Params, state: Any, params: Params | None = None, **extra: Any
    ) -> tuple[Params, L4State]:
        value = jnp.asarray(extra["value"])
        first = jnp.isinf(state.lowest)
        lowest = jnp.where(first, 0.75 * value, jnp.minimum(state.lowest, value))
        v, direction_state = direction.update(updates, state.direction, params)
        m, gradient_state = gradient.update(updates, state.gradient)
        size = (value - 0.9 * lowest) / (optax.tree.vdot(m, v) + 1e-12)
        state = L4State(lowest * (1 + 1e-3), direction_state, gradient_state)
        return optax.tree.scale(size, v), state

    return Transformation(init, update)


def l4_momentum() -> Transformation:
    """L4 along an average of gradients with decay 0.9."""
    return l4(optax.ema(0.9))


def l4_adam() -> Transformation:
    """L4 along Adam's direction, with the authors' 1e-4 added to its denominator."""
    return l4(optax.scale_by_adam(eps=1e-4))


def bounded_polyak() -> Transformation:
    """α u = min(ε/‖g‖², α) g, ε the loss of the minibatch: optax.scale_by_polyak, bound α."""

    def update(
        updates: Params, state: Any, params: Params | None = None, **extra: Any
    ) -> tuple[Params, Any]:
        bounded = optax.scale_by_polyak(max_learning_rate=extra["rate"], variant="sps+")
        step, state = bounded.update(updates, state, params, value=extra["value"])
        return optax.tree.scale(1 / extra["rate"], step), state

    return Transformation(lambda params: optax.scale_by_polyak().init(params), update)


class AdaLoState(NamedTuple):
    """The average of the loss over κ, which is the step size, and that of gradients."""

    size: Float[Array, ""]
    mean: Any


def adalo() -> Transformation:
    """U = a_k m_k, a_k = 0.999 a_{k−1} + 0.001 ε/κ from a_0 = 0, ε the minibatch's loss, κ = 3.

    m is the 0.9/0.1 average of gradients. "Big loss, big step" (Jeong & Koo 2025, Information
    Sciences 690, 121607, as github.com/cpuimage/AdaLo states its formula; without the decay of
    weights that is beside it there).
    """
    mean = optax.ema(0.9, debias=False)

    def init(params: Params) -> AdaLoState:
        return AdaLoState(jnp.asarray(0.0), mean.init(params))

    def update(
        updates: Params, state: Any, params: Params | None = None, **extra: Any
    ) -> tuple[Params, AdaLoState]:
        del params
        size = 0.999 * state.size + 0.001 * jnp.asarray(extra["value"]) / 3
        m, mean_state = mean.update(updates, state.mean)
        return optax.tree.scale(size, m), AdaLoState(size, mean_state)

    return Transformation(init, update)


class HypergradientState(NamedTuple):
    """The step size over its first value, the last direction and the state of what makes it."""

    relative: Float[Array, ""]
    last: Params
    direction: Any


def hypergradient(
    direction: optax.GradientTransformation, beta: float, normalised: bool = False
) -> Transformation:
    """U = (α_k/α) v_k with α_k = α_{k−1} + β g_kᵀ v_{k−1}, v the direction, from α_0 = α on.

    Where `normalised`, α_k = α_{k−1} (1 + β g_kᵀ v_{k−1} / (‖g_k‖ ‖v_{k−1}‖)). A step size may pass
    zero, as in the authors' code (Baydin et al. 2018, arXiv 1703.04782).
    """

    def init(params: Params) -> HypergradientState:
        zeros = optax.tree.zeros_like(params)
        return HypergradientState(jnp.asarray(1.0), zeros, direction.init(params))

    def update(
        updates: Params, state: Any, params: Params | None = None, **extra: Any
    ) -> tuple[Params, HypergradientState]:
        along = optax.tree.vdot(updates, state.last)
        if normalised:
            norms = optax.tree.norm(updates) * optax.tree.norm(state.last)
            cosine = jnp.where(norms > 0, along / jnp.where(norms > 0, norms, 1.0), 0.0)
            relative = state.relative * (1 + beta * cosine)
        else:
            relative = state.relative + beta * along / extra["rate"]
        v, direction_state = direction.update(updates, state.direction, params)
        return optax.tree.scale(relative, v), HypergradientState(relative, v, direction_state)

    return Transformation(init, update)


_HYPER = "Baydin et al. 2018, arXiv 1703.04782, "
_L4 = "Rolínek & Martius 2018, arXiv 1802.05074, authors' constants"


def _row(
    name: str, make: Callable[[], Transformation], default: float, formula: str, source: str
) -> Baseline:
    sees = ("gradients",) if name.startswith("hyper") else ("loss", "gradients")
    return Baseline(
        name,
        partial(planned, "constant"),
        optimizer=make,
        default=default,
        tuned=not name.startswith(("l4", "adalo")),
        sees=sees,
        formula=formula,
        source=source,
    )


ROWS = (
    _row("l4_momentum", l4_momentum, 0.15, "θ ← θ − α (ε − 0.9 L)/‖m‖² m, L ≈ min ε", _L4),
    _row("l4_adam", l4_adam, 0.15, "θ ← θ − α (ε − 0.9 L)/(mᵀv) v, v of Adam, L ≈ min ε", _L4),
    _row(
        "polyak",
        bounded_polyak,
        1.0,
        "θ ← θ − min(ε/‖g‖², α) g",
        "Loizou et al. 2021, arXiv 2002.10542 (SPS_max, c = 1); optax.polyak_sgd",
    ),
    _row(
        "adalo",
        adalo,
        1.0,
        "θ ← θ − a m, a = 0.999 a + 0.001 ε/3, m the average of gradients",
        "Jeong & Koo 2025, Inf. Sci. 690, 121607, as cpuimage/AdaLo states it",
    ),
    _row(
        "hypergradient",
        partial(hypergradient, optax.identity(), 1e-3),
        0.001,
        "θ ← θ − α_k g_k, α_k = α_{k−1} + 0.001 g_kᵀ g_{k−1}, α_0 = α",
        _HYPER + "SGD-HD",
    ),
    _row(
        "hypergradient_adam",
        partial(hypergradient, optax.scale_by_adam(), 1e-7),
        0.001,
        "θ ← θ − α_k v_k, v of Adam, α_k = α_{k−1} + 1e-7 g_kᵀ v_{k−1}, α_0 = α",
        _HYPER + "Adam-HD",
    ),
    _row(
        "hypergradient_normalised",
        partial(hypergradient, optax.identity(), 0.02, normalised=True),
        0.001,
        "θ ← θ − α_k g_k, α_k = α_{k−1} (1 + 0.02 cos(g_k, g_{k−1})), α_0 = α",
        _HYPER + "the multiplicative rule",
    ),
)
