"""What a rate is worth: the mean first, the log after it.

With L̄ the mean loss over the runs of one candidate, L* its floor and Δ = L_chance − L*,

    score    y = log(clip(L̄ − L*, 0, 2Δ) + 0.01 Δ)
    return  −log(min(L̄ − L*, 2Δ)),   where L̄ − L* is above 3 of its standard errors

in nats. Both have the same best candidate; the score is what trainings are judged by at their end,
the return tells small excess losses apart as well. A run counts with 2 L_chance at most, also where
it diverged: a rate that diverges from one seed in many is bad, not infinitely bad. A mean that is
within 3 standard errors of the floor is below resolution, and its log is NaN.

Problems of known ideal rate have no constant predictor: L_chance is their mean initial loss, and a
single run's loss is often far above it. Their ideal rate is that of the plain mean, so there a run
counts up to a million times that.
"""

from typing import TypeAlias

import numpy as np
from jaxtyping import Float

DIVERGED = 2.0  # times the chance loss
BOUNDLESS = 1e6  # the same for problems without a network
RESOLUTION = 0.01  # of Δ: below it two losses count as one
RESOLVED = 3.0  # standard errors

Losses: TypeAlias = Float[np.ndarray, "..."]
"""One mean loss or many, in nats."""


def cap(network: str) -> float:
    """Times L_chance that a run counts with at most, by the task's network."""
    return BOUNDLESS if network == "none" else DIVERGED


def score(
    loss: Losses, floor: Losses | float, chance: Losses | float, resolution: float = RESOLUTION
) -> Losses:
    """The score y of a mean loss; `resolution` stands for its 0.01."""
    span = chance - floor
    return np.asarray(np.log(np.clip(loss - floor, 0, 2 * span) + resolution * span))


def capped(loss: Losses, chance: Losses | float, times: float = DIVERGED) -> Losses:
    """Losses of single runs, at most 2 L_chance (or so many `times`); a diverged run's is that."""
    return np.fmin(loss, times * chance)


def returned(loss: Losses, error: Losses, floor: Losses | float, chance: Losses | float) -> Losses:
    """The return of a mean loss with a standard error; NaN below resolution."""
    excess = np.minimum(loss - floor, 2 * (chance - floor))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(excess > RESOLVED * error, -np.log(excess), np.nan)
