"""Methods that need no tuning of the rate: at their authors' settings, never tuned.

α multiplies the step that a method has chosen; 1 is the method itself. Its estimates are then made
as if α stayed 1: where authors advise a schedule, it scales the steps outside the method. Mechanic
cannot have one so, because it reads its own scale back from θ_0 − θ, and schedule-free methods and
COCOB say where θ is to be. Schedule-free methods have a warm-up of their own, for which their
authors ask without saying how long: the first 5 % of the steps.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float
from optax import contrib

from psi.bench.baselines.baseline import Baseline, descending
from psi.bench.baselines.schedules import planned
from psi.lab.networks.network import Params

GAMMA = 8.0  # of the average of DoG's authors
WARM_UP = 0.05  # of a training's steps


class Averaged(NamedTuple):
    """State of `averaging`."""

    steps: Float[Array, ""]
    """t"""
    average: Params
    """θ̄_{t−1}, of the parameters before the latest step."""


def averaging() -> optax.GradientTransformation:
    """Leaves updates as they are and averages parameters by polynomial decay.

    θ̄_t = θ̄_{t−1} + (1 + γ)/(t + γ) (θ_t − θ̄_{t−1}), γ = 8, θ_t after t steps (Shamir & Zhang 2013,
    arXiv 1212.1824). The initial parameters have no weight: (1 + γ)/(1 + γ) = 1.
    """

    def init(params: Params) -> Averaged:
        return Averaged(jnp.zeros((), float), params)

    def update(updates: Params, state: Any, params: Any = None) -> tuple[Params, Averaged]:
        return updates, Averaged(state.steps + 1, with_average((state,), params))

    return optax.GradientTransformation(init, update)


def with_average(state: tuple[Any, ...], params: Params) -> Params:
    """θ̄_t at the parameters θ_t, from a chain's state of which the last is that of `averaging`."""
    steps, average = state[-1]
    weight = jnp.minimum((1 + GAMMA) / (steps + GAMMA), 1.0)
    return jax.tree.map(lambda mean, now: mean + weight * (now - mean), average, params)


def averaged_dog() -> optax.GradientTransformation:
    """DoG and the average of its iterates: steps of max ‖θ_k − θ_0‖/√(Σ ‖g‖²).

    The first one has 10⁻⁶ (1 + ‖θ_0‖) in place of the distance. With the average "for best
    performance" (the authors' README).
    """
    return optax.chain(contrib.dog(), averaging())


def _schedule_free(state: tuple[Any, ...], params: Params) -> Params:
    """The average x of a schedule-free method; the parameters in training are y."""
    return contrib.schedule_free_eval_params(state[0], params)


def warmed(
    make: Callable[..., optax.GradientTransformation], rate: float, steps: int
) -> optax.GradientTransformation:
    """A schedule-free method at that rate after W steps, and at rate · (k + 1)/W at step k before.

    optax's own warm-up begins at 0, with which the first of a few steps would be lost. In the
    average it weighs a step by the squared rate of the next one.
    """
    first = max(round(WARM_UP * steps), 1)
    return descending(partial(make, lambda k: rate * jnp.minimum((k + 1.0) / first, 1.0)))


def _schedule_free_row(
    name: str, make: Callable[..., optax.GradientTransformation], rate: float, step: str
) -> Baseline:
    return Baseline(
        name, partial(planned, "constant"), optimizer=partial(warmed, make, rate), warms_up=True,
        evaluated=_schedule_free, default=1.0, tuned=False, sees=("gradients",),
        formula=f"z ← z − {step}, x the average of z, g at 0.9 x + 0.1 z; x counts; 5 % warm-up",
        source="Defazio et al. 2024, arXiv 2405.15682; optax",
    )  # fmt: skip


def _row(
    name: str,
    make: Callable[[], optax.GradientTransformation],
    formula: str,
    source: str,
    shape: str = "constant",
    evaluated: Callable[[Any, Params], Params] | None = None,
    sees: tuple[str, ...] = ("gradients",),
) -> Baseline:
    return Baseline(
        name, partial(planned, shape), optimizer=partial(descending, make), evaluated=evaluated,
        default=1.0, tuned=False, sees=sees, formula=formula, source=source,
    )  # fmt: skip


ROWS = (
    # Cosine annealing without restarts or none: README of konstmish/prodigy.
    _row(
        "prodigy", contrib.prodigy,
        "θ ← θ − α_i d m/√v, α_i = α (1 + cos(π i/T))/2, "
        "d = max(d, Σ w d² gᵀ(θ_0 − θ)/‖Σ w d² g‖₁), w growing",
        "Mishchenko & Defazio 2024, arXiv 2306.06101; optax", "cosine",
        sees=("epoch", "gradients"),
    ),
    # The schedule of optax's documentation; the README says the one that one would have used.
    _row(
        "d_adaptation", contrib.dadapt_adamw,
        "θ ← θ − α_i d m/√v, α_i = α (1 − i/T), d = max(d, Σ w d gᵀs/√v / ‖s‖₁), s = Σ w d g",
        "Defazio & Mishchenko 2023, arXiv 2301.07733; optax", "linear",
        sees=("epoch", "gradients"),
    ),
    _row(
        "cocob", contrib.cocob,
        "θ ← θ_0 − (Σ g) (L + R)/(L max(Σ|g| + L, 100 L)), L = max|g|, "
        "R = Σ gᵀ(θ_0 − θ) ≥ 0, each coordinate",
        "Orabona & Tommasi 2017, arXiv 1705.07795; optax",
    ),
    _row(
        "mechanic_sgd", lambda: contrib.mechanize(optax.sgd(1.0)),
        "θ ← θ_0 − s Σ g, s by coin betting on gᵀ(Σ g)",
        "Cutkosky et al. 2023, arXiv 2306.00144; optax",
    ),
    _row(
        "mechanic_adamw", lambda: contrib.mechanize(optax.adamw(1.0)),
        "θ ← θ_0 − s Σ u, u that of AdamW at rate 1, s by coin betting on gᵀ(Σ u)",
        "Cutkosky et al. 2023, arXiv 2306.00144; optax",
    ),
    # A constant rate "should work fine", 1 and 0.01: README of fabian-sp/MoMo.
    _row(
        "momo", contrib.momo,
        "θ ← θ − α min(1, (ε̄ + mᵀθ − avg(gᵀθ))₊/‖m‖²) m, m the average of g, ε̄ that of ε",
        "Schaipp et al. 2023, arXiv 2305.07583; optax", sees=("loss", "gradients"),
    ),
    _row(
        "momo_adam", contrib.momo_adam,
        "θ ← θ − α min(0.01, (ε̄ + mᵀθ − avg(gᵀθ))₊/‖m‖²) m/√v, ‖m‖² = Σ m²/√v",
        "Schaipp et al. 2023, arXiv 2305.07583; optax", sees=("loss", "gradients"),
    ),
    _row(
        "dog", averaged_dog, "θ ← θ − α g max ‖θ_k − θ_0‖/√(Σ ‖g‖²); θ averaged",
        "Ivgi et al. 2023, arXiv 2302.12022; optax", evaluated=lambda s, p: with_average(s[0], p),
    ),
    _row(
        "dowg", contrib.dowg,
        "θ ← θ − α g r²/√(Σ r² ‖g‖²), r = max ‖θ_k − θ_0‖",
        "Khaled et al. 2023, arXiv 2305.16284; optax",
    ),
    _schedule_free_row("schedule_free_sgd", contrib.schedule_free_sgd, 1.0, "g"),
    _schedule_free_row("schedule_free_adamw", contrib.schedule_free_adamw, 0.0025, "0.0025 g/√v"),
)  # fmt: skip
