"""A rate for one's own training, from a learning-rate range test.

The rate goes up from minibatch to minibatch while the network trains (Smith 2015, arXiv
1506.01186). Where the loss falls fastest with the logarithm of the rate, steps do most; where it
rises they are too long. One such run is noisy, so there are several, and the slope is that of a
line fitted to all of them around each rate. Where noise is all there is, no rate is given.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from psi.advice.lines import Curve, lines

Step = Callable[[float], float]
"""Train on one minibatch at this rate; the minibatch's loss before the update."""
WIDTH = 0.2  # decades: standard deviation of the weights around a rate
SURE = 3.5  # standard errors
RISEN = 2.0  # times the loss at the start: a run beyond that has ended


class Suggestion(NamedTuple):
    """What a range test found."""

    lr: float | None
    """The rate at which the loss falls fastest; None where `reason` says why there is none."""
    reason: str
    rates: Curve
    """Of the test, rising; shape=(steps,)"""
    losses: Curve
    """What every run saw, NaN after it had ended; shape=(seeds, steps)"""
    smooth: Curve
    """The mean loss around each rate; shape=(steps,)"""
    slope: Curve
    """Its change with the rate, per decade; shape=(steps,)"""
    error: Curve
    """Standard error of the slope; shape=(steps,)"""


def suggest_lr(
    begin: Callable[[int], Step],
    low: float = 1e-5,
    high: float = 10.0,
    steps: int = 100,
    seeds: int = 3,
) -> Suggestion:
    """Test rates from `low` to `high`, evenly spaced in their logarithm, in `seeds` runs.

    `begin(seed)` starts a training anew and returns its step: `step(lr)` trains on one minibatch
    and returns that minibatch's loss. `psi.advice.range_torch`, `range_optax` and `range_keras`
    make one. A run that diverges ends there; steps · seeds minibatches are the most it takes. In
    the end it begins once more, which leaves a model that is trained in place as it was.

    Raises ValueError for numbers that make no sense.
    """
    if not 0 < low < high < np.inf:
        raise ValueError(f"rates must be 0 < low < high, finite, got {low} and {high}")
    if steps < 20 or seeds < 1:
        raise ValueError(f"a range test takes 20 steps and a seed or more, got {steps}, {seeds}")
    rates = np.geomspace(low, high, steps)
    losses = np.stack([_run(begin(seed), rates) for seed in range(seeds)])
    begin(0)
    return read(rates, losses)


def _run(step: Step, rates: Curve) -> Curve:
    losses = np.full(len(rates), np.nan)
    for number, rate in enumerate(rates):
        losses[number] = float(step(float(rate)))
        start = np.mean(losses[: min(number + 1, 5)])
        if not losses[number] <= start + (RISEN - 1) * 2 * abs(start):
            break
    return losses


def read(rates: Curve, losses: Curve) -> Suggestion:
    """A suggestion from losses of shape (seeds, steps), NaN or infinite where a run had ended."""
    early = losses[:, : max(len(rates) // 10, 5)]
    if not np.isfinite(early).all():
        empty = np.full(len(rates), np.nan)
        reason = f"the loss is not finite near the lowest rate {rates[0]:.3g}: begin lower"
        return Suggestion(None, reason, rates, losses, empty, empty, empty)
    start = float(early.mean())
    top = start + (RISEN - 1) * abs(start)
    held = np.minimum(np.where(np.isfinite(losses), losses, np.inf), top)
    smooth, slope, noise, _, unsure = lines(np.log10(rates), held, WIDTH)
    error = noise * unsure
    lowest = int(smooth.argmin())
    best = int(slope[: lowest + 1].argmin())
    found = Suggestion(float(rates[best]), "", rates, losses, smooth, slope, error)
    if -slope[best] < SURE * error[best]:
        reason = "the loss falls by no more than its noise at any rate: more steps or seeds"
    elif lowest >= len(rates) - 2:
        reason = f"the loss still falls at the highest rate {rates[-1]:.3g}: go higher"
    elif best <= 1:
        reason = f"the loss falls fastest at the lowest rate {rates[0]:.3g}: begin lower"
    else:
        fall = f"the loss falls by {-slope[best]:.3g} ± {error[best]:.2g} a decade there"
        return found._replace(reason=f"{fall}, and no more beyond {rates[lowest]:.3g}")
    return found._replace(lr=None, reason=reason)
