"""A learning rate for one's own training, from a learning-rate range test.

The rate goes up from minibatch to minibatch while the network trains (Smith 2015, arXiv
1506.01186). Where the loss falls fastest with the logarithm of the rate, steps do most; where it
rises they are too long. One such run is noisy, so there are several, and the slope is that of a
line fitted to all of them around each rate. Where noise is all there is, no rate is suggested.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from psi.advice.log import Values
from psi.advice.smoothing import local_lines

Step = Callable[[float], float]
"""Trains on one minibatch at a rate and returns the minibatch's loss before the update."""
WIDTH = 0.2  # decades: standard deviation of the weights around a rate
SURE = 3.5  # standard errors
RISEN = 2.0  # times the loss at the start: losses are clipped there


class Suggestion(NamedTuple):
    """A suggested rate and the range test behind it."""

    lr: float | None
    """The rate at which the loss falls fastest; None where `reason` says why there is none."""
    reason: str
    rates: Values
    """Rates of the test, rising; shape=(steps,)"""
    losses: Values
    """Losses of each run, NaN after it had ended; shape=(seeds, steps)"""
    smooth: Values
    """The mean loss around each rate; shape=(steps,)"""
    slope: Values
    """Its change with the rate, per decade; shape=(steps,)"""
    error: Values
    """Standard error of the slope; shape=(steps,)"""


def suggest_lr(
    begin: Callable[[int], Step],
    low: float = 1e-5,
    high: float = 10.0,
    steps: int = 100,
    seeds: int = 3,
) -> Suggestion:
    """Suggest a learning rate by a range test of one's own training.

    Rates go from `low` to `high`, evenly spaced in their logarithm, one minibatch each, in several
    runs; a run that diverges ends there. At the end the training is begun once more, which leaves a
    model that is trained in place as it was.

    Args:
        begin: `begin(seed)` starts a training anew and returns its step: `step(lr)` trains on one
            minibatch and returns that minibatch's loss. `range_steps` of `psi.advice.range_torch`,
            `range_optax` and `range_keras` make one.
        low: the lowest rate.
        high: the highest rate.
        steps: rates, and so minibatches of a run; at least 20.
        seeds: runs, from the seeds 0, 1, ….

    Returns:
        A `Suggestion`: its `lr` is the rate at which the loss falls fastest, or None where
        `reason` says why there is none; it also holds rates, losses and slopes.

    Raises:
        ValueError: the rates, steps or seeds make no sense.

    Example:
        >>> import numpy as np
        >>> import psi
        >>> def begin(seed):  # gradient descent on 64 noisy quadratics x²/2
        ...     rng = np.random.default_rng(seed)
        ...     x = np.ones(64)
        ...     def step(lr):
        ...         nonlocal x
        ...         loss = 0.5 * np.mean(x**2)
        ...         x = x - lr * (x + 0.1 * rng.normal(size=64))
        ...         return loss
        ...     return step
        >>> found = psi.suggest_lr(begin)
        >>> 0.01 < found.lr < 1.0
        True
    """
    if not 0 < low < high < np.inf:
        raise ValueError(f"rates must be 0 < low < high, finite, got {low} and {high}")
    if steps < 20 or seeds < 1:
        raise ValueError(f"a range test takes 20 steps and a seed or more, got {steps}, {seeds}")
    rates = np.geomspace(low, high, steps)
    losses = np.stack([_run(begin(seed), rates) for seed in range(seeds)])
    begin(0)
    return suggestion(rates, losses)


def _run(step: Step, rates: Values) -> Values:
    losses = np.full(len(rates), np.nan)
    for number, rate in enumerate(rates):
        losses[number] = float(step(float(rate)))
        start = np.mean(losses[: min(number + 1, 5)])
        if not losses[number] <= start + (RISEN - 1) * 2 * abs(start):
            break
    return losses


def suggestion(rates: Values, losses: Values) -> Suggestion:
    """The suggestion from losses of shape (seeds, steps), NaN or infinite where a run had ended."""
    early = losses[:, : max(len(rates) // 10, 5)]
    if not np.isfinite(early).all():
        empty = np.full(len(rates), np.nan)
        reason = f"the loss is not finite near the lowest rate {rates[0]:.3g}: begin lower"
        return Suggestion(None, reason, rates, losses, empty, empty, empty)
    start = float(early.mean())
    top = start + (RISEN - 1) * abs(start)
    clipped = np.minimum(np.where(np.isfinite(losses), losses, np.inf), top)
    smooth, slope, noise, _, slope_error = local_lines(np.log10(rates), clipped, WIDTH)
    error = noise * slope_error
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
