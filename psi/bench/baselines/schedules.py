"""Schedules: the rate as a function of the epoch alone, α_i = peak · shape(i, T).

The shapes of the three plain ones are in psi.lab.data.trajectories.PLAIN, those of the others are
schedules of optax, taken at epoch i of T as their authors take them at a step. Two shapes that are
no function of i/T have no form by step: in steps they fall so many times faster. A warm-up of W
epochs begins at peak/(W+1) and not at 0, with which its first epoch would be lost.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from psi.bench.baselines.baseline import Baseline
from psi.lab.data.trajectories import PLAIN
from psi.lab.engine.policy import Policy, trajectory

SCHEDULES = tuple(name for name, _ in PLAIN)  # the plain schedules: constant, linear, cosine


def plain_rates(name: str, budget: int, assumed: float = 1.0) -> Float[np.ndarray, " epoch"]:
    """α_i / peak of a plain schedule over T = `budget` epochs; past its end it stays there.

    `assumed`: the budget for which the schedule is made, in units of T.
    """
    t = np.minimum(np.arange(budget) / (assumed * budget), 1.0)
    return dict(PLAIN)[name](t)


def planned(name: str, peak: Float[Array, ""], budget: int) -> Policy:
    """The policy α_i = peak · shape(i/T) of a plain schedule over T = `budget` epochs."""
    return trajectory(peak * jnp.asarray(plain_rates(name, budget), dtype=float))


_BY_STEP: dict[str, Callable[[Any, int], optax.Schedule]] = {
    "constant": lambda peak, _: optax.constant_schedule(peak),
    "linear": lambda peak, steps: optax.linear_schedule(peak, 0.0, steps),
    "cosine": lambda peak, steps: optax.cosine_decay_schedule(peak, steps),
}

FORMULAS = {
    "constant": "α_i = α",
    "linear": "α_i = α (1 − i/T)",
    "cosine": "α_i = α (1 + cos(π i/T))/2",
}
SOURCES = {
    "constant": "what torch.optim and keras.optimizers do unless told otherwise",
    "linear": "Defazio et al. 2023, arXiv 2310.07831",
    "cosine": "Loshchilov & Hutter 2017, arXiv 1608.03983",
}
_PLAIN_ROWS = tuple(
    Baseline(
        name, partial(planned, name), _BY_STEP[name], formula=FORMULAS[name], source=SOURCES[name]
    )
    for name in SCHEDULES
)


def _warmed(length: int, then: Callable[[int], optax.Schedule]) -> optax.Schedule:
    """Linear to 1 over the first tenth of the steps, none of fewer than five; `then` the rest."""
    warmup = max(1, round(length / 10)) if length >= 5 else 0
    rise = optax.linear_schedule(1 / (warmup + 1), 1.0, max(1, warmup))
    return optax.join_schedules([rise, then(length - warmup)], [warmup])


def _warmed_and_cooled(length: int) -> optax.Schedule:
    """Warm-up, then 1, then 1 − √(k/D), k = 0 … D − 1, in the last fifth, two steps or more."""
    decay = min(length, max(2, round(length / 5)))

    def stable(rest: int) -> optax.Schedule:
        stages = [optax.constant_schedule(1.0), lambda k: 1 - jnp.sqrt(k / decay)]
        return optax.join_schedules(stages, [rest - decay])

    return _warmed(length, stable)


def _restarted(length: int) -> optax.Schedule:
    """Three cosines, each twice as long as the one before: 1/7, 2/7 and 4/7 of the steps."""
    ends = np.unique([0, round(length / 7), round(3 * length / 7), length])
    cycles = [
        {"init_value": 1.0, "peak_value": 1.0, "warmup_steps": 0, "decay_steps": int(steps)}
        for steps in np.diff(ends)
    ]
    return optax.sgdr_schedule(cycles)


def _shaped(
    name: str,
    shape: Callable[[int], optax.Schedule],
    formula: str,
    source: str,
    by_step: bool = True,
) -> Baseline:
    """A row of a schedule whose peak is 1, made for so many epochs or steps."""

    def make(peak: Float[Array, ""], budget: int) -> Policy:
        schedule = shape(budget)
        return Policy(lambda _: (), lambda state, seen: (state, peak * schedule(seen.epoch)))

    def stepwise(peak: Any, steps: int) -> optax.Schedule:
        schedule = shape(steps)
        return lambda step: peak * schedule(step)

    return Baseline(name, make, stepwise if by_step else None, formula=formula, source=source)


ROWS = (
    *_PLAIN_ROWS,
    _shaped(
        "exponential",
        lambda n: optax.exponential_decay(1.0, n, 0.01),
        "α_i = α 0.01^(i/T)",
        "Li, Zhuang & Orabona 2021, arXiv 2002.05273; to 1 % as Goodfellow et al. 2016, 8.3.1",
    ),
    _shaped(
        "step",
        lambda n: optax.piecewise_constant_schedule(1.0, {-(-n // 2): 0.1, -(-3 * n // 4): 0.1}),
        "α_i = α, α/10 from T/2 on, α/100 from 3T/4 on",
        "He et al. 2016, arXiv 1512.03385, on CIFAR-10",
    ),
    _shaped(
        "inverse_sqrt",
        lambda _: lambda i: 1 / jnp.sqrt(i + 1.0),
        "α_i = α/√(i + 1)",
        "Zinkevich 2003, ICML; transformers.get_inverse_sqrt_schedule without warm-up",
        by_step=False,
    ),
    _shaped(
        "inverse_time",
        lambda _: lambda i: 1 / (i + 1.0),
        "α_i = α/(1 + i)",
        "Robbins & Monro 1951; keras InverseTimeDecay with a decay rate of 1 an epoch",
        by_step=False,
    ),
    _shaped(
        "polynomial_0.9",
        lambda n: optax.polynomial_schedule(1.0, 0.0, 0.9, n),
        "α_i = α (1 − i/T)^0.9",
        "Chen et al. 2018, DeepLab, arXiv 1606.00915; optax.polynomial_schedule",
    ),
    _shaped(
        "polynomial_2",
        lambda n: optax.polynomial_schedule(1.0, 0.0, 2, n),
        "α_i = α (1 − i/T)²",
        "You et al. 2017, LARS, arXiv 1708.03888; optax.polynomial_schedule",
    ),
    _shaped(
        "warmup_cosine",
        lambda n: _warmed(n, lambda rest: optax.cosine_decay_schedule(1.0, rest)),
        "α_i = α (i + 1)/(W + 1) for i < W = T/10, then α (1 + cos(π (i − W)/(T − W)))/2",
        "Goyal et al. 2017, arXiv 1706.02677; optax.warmup_cosine_decay_schedule",
    ),
    _shaped(
        "warmup_stable_decay",
        _warmed_and_cooled,
        "α_i = α (i + 1)/(W + 1) for i < W = T/10, α, then α (1 − √(k/D)) in the last D = T/5",
        "Hu et al. 2024, arXiv 2404.06395; decay: Hägele et al. 2024, arXiv 2405.18392",
    ),
    _shaped(
        "one_cycle",
        lambda n: optax.cosine_onecycle_schedule(n, 1.0),
        "α_i = from α/25 to α by a cosine until 0.3 T, then to α/250000; momentum stays as it is",
        "Smith & Topin 2018, arXiv 1708.07120; optax.cosine_onecycle_schedule",
    ),
    _shaped(
        "warm_restarts",
        _restarted,
        "α_i = α (1 + cos(π j/T_k))/2, j epochs into cycle k of T_k = T/7, 2T/7, 4T/7",
        "Loshchilov & Hutter 2017, arXiv 1608.03983; optax.sgdr_schedule",
    ),
)
