"""A learning rate for one's own training, from a learning-rate range test.

The rate goes up from minibatch to minibatch while the network trains (Smith 2015, arXiv
1506.01186). Where the loss falls fastest with the logarithm of the rate, steps do most; where it
rises they are too long. One such run is noisy, so there are several, and a line is fitted to all of
them around each rate. Its height is the smooth curve of the picture, and that curve decides: a rate
is suggested where it falls below its level at the lowest rates by more than its noise. What the
suggestion is worth is measured in psi/advice/range_test.md.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from psi.advice.log import Values
from psi.advice.smoothing import local_lines

Step = Callable[[float], float]
"""Trains on one minibatch at a rate and returns the minibatch's loss before the update."""
WIDTHS = (
    0.2,
    0.4,
)  # decades: standard deviation of the weights around a rate; the second is for noise
SURE = 3.2  # standard errors of a fall: of noise alone, a rate in fewer than 2 of 100 tests
SAME = 1e-6  # of a loss: what float32 rounds
STEEP = 4.5  # standard errors of a slope
LAST = 5  # high losses on end that end a run
DATA = "look for NaN or infinity in the data"


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
    """The mean loss around each rate, from which the suggestion is read; where it has risen above
    its beginning for good it stays there; shape=(steps,)"""
    slope: Values
    """Its change with the rate, per decade; shape=(steps,)"""
    error: Values
    """Standard error of the slope; shape=(steps,)"""
    smooth_error: Values
    """Standard error of the smooth loss; shape=(steps,)"""


def suggest_lr(
    begin: Callable[[int], Step],
    low: float = 1e-5,
    high: float = 10.0,
    steps: int = 100,
    seeds: int = 3,
) -> Suggestion:
    """Suggest a learning rate by a range test of one's own training.

    Rates go from `low` to `high`, evenly spaced in their logarithm, one minibatch each, in several
    runs. A run ends where a loss is not finite, or where five on end are far above the first ones.
    Where the loss before a loss that is not finite was as usual, the same minibatches are gone
    through again at rate 0: what is not finite there comes from the data. At the end, or where
    something raises, the training is begun once more, which leaves a model that is trained in place
    as it was.

    Args:
        begin: `begin(seed)` starts a training anew and returns its step: `step(lr)` trains on one
            minibatch and returns that minibatch's loss. One seed, one order of minibatches.
            `range_steps` of `psi.advice.range_torch`, `range_optax` and `range_keras` make one.
        low: the lowest rate.
        high: the highest rate.
        steps: rates, and so minibatches of a run; at least 20.
        seeds: runs, from the seeds 0, 1, ….

    Returns:
        A `Suggestion`: its `lr` is the rate at which the loss falls fastest, or None where
        `reason` says why there is none; it also holds rates, losses and slopes. Of noise alone it
        suggests a rate in fewer than 3 of 100 tests.

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
    losses = np.full((seeds, steps), np.nan)
    try:
        for seed in range(seeds):
            taken = _run(begin(seed), rates, losses[seed])
            if _data_not_finite(lambda seed=seed: begin(seed), losses[seed, :taken]):
                at = f"minibatch {taken} of run {seed + 1}"
                reason = f"the loss of {at} is not finite at rate 0 either: {DATA}"
                return _none(rates, losses, reason)
    finally:
        begin(0)
    return suggestion(rates, losses)


def _run(step: Step, rates: Values, losses: Values) -> int:
    """Fill in the losses of one run and return how many steps it had."""
    for number, rate in enumerate(rates):
        losses[number] = float(step(float(rate)))
        last = losses[max(number + 1 - LAST, 0) : number + 1]
        diverged = number >= 3 * LAST and (last > _usual(losses)).all()
        if diverged or not np.isfinite(losses[number]):
            return number + 1
    return len(rates)


def _data_not_finite(again: Callable[[], Step], losses: Values) -> bool:
    """Whether the last loss of a run is not finite at rate 0 either, where it may be the data."""
    if np.isfinite(losses[-1]) or (len(losses) > 1 and losses[-2] > _usual(losses[:-1])):
        return False
    step = again()
    return not np.isfinite([float(step(0.0)) for _ in losses]).all()


def _usual(losses: Values) -> float:
    """The loss that a run does not exceed without diverging, from its first losses."""
    start, scale = _level(losses[: 2 * LAST])
    return start + 2 * max(abs(start), scale)


def _level(losses: Values) -> tuple[float, float]:
    """Where losses begin, and how far above it noise takes one of them."""
    low, middle, high = np.quantile(losses, (0.25, 0.5, 0.75))
    return float(middle), float(3 * (high - low))  # four standard deviations of normal noise


def _none(rates: Values, losses: Values, reason: str) -> Suggestion:
    empty = np.full(len(rates), np.nan)
    return Suggestion(None, reason, rates, losses, *[empty] * 4)


def suggestion(rates: Values, losses: Values) -> Suggestion:
    """The suggestion from losses of shape (seeds, steps), NaN or infinite where a run had ended."""
    if not np.isfinite(losses[:, : max(len(rates) // 10, LAST)]).all():
        reason = f"the loss is not finite near the lowest rate {rates[0]:.3g}: begin lower"
        return _none(rates, losses, reason)
    known = losses[np.isfinite(losses)]
    if np.ptp(known) <= SAME * np.abs(known).max():
        reason = f"the loss is {known[0]:.3g} at every rate: does the step train what it computes?"
        return _none(rates, losses, reason)
    first = slice(max(len(rates) // 6, LAST))  # a sixth: a decade of the default six
    x = np.log10(rates)
    usual = _without_rise(x, _clipped(losses, first), first)
    narrow, wide = (_curve(x, usual, first, width) for width in WIDTHS)
    curve = wide if wide.falls and not (narrow.falls and narrow.steep) else narrow
    smooth, smooth_error, slope, error, lowest, best, falls, _steep = curve
    found = Suggestion(float(rates[best]), "", rates, losses, smooth, slope, error, smooth_error)
    if not falls:
        reason = "the loss falls by no more than its noise at any rate: more steps or seeds"
        if (slope > SURE * error)[first].any():
            reason = f"the loss rises from the lowest rate {rates[0]:.3g} on: begin lower"
    elif lowest >= len(rates) - 2:
        reason = f"the loss still falls at the highest rate {rates[-1]:.3g}: go higher"
    elif best <= 1:
        reason = f"the loss falls fastest at the lowest rate {rates[0]:.3g}: begin lower"
    else:
        text = f"the loss falls by {-slope[best]:.3g} ± {error[best]:.2g} a decade there"
        return found._replace(reason=f"{text}, and no more beyond {rates[lowest]:.3g}")
    return found._replace(lr=None, reason=reason)


class _Curve(NamedTuple):
    """The smooth curve of a width and what is read from it."""

    smooth: Values
    smooth_error: Values
    slope: Values
    error: Values  # standard error of the slope
    lowest: int
    best: int  # where it falls fastest, before it is lowest
    falls: bool  # below where it begins, by more than noise does
    steep: bool  # at its best, by more than noise makes a slope


def _curve(x: Values, losses: Values, first: slice, width: float) -> _Curve:
    smooth, slope, noise, height_error, slope_error = local_lines(x, losses, width)
    noise = noise * _error_factor(np.where(losses < losses.max(), losses - smooth, 0.0))
    begins, smooth_error, error = losses[:, first], noise * height_error, noise * slope_error
    fall_error = np.hypot(smooth_error, begins.std() / np.sqrt(begins.size))
    falls = bool((begins.mean() - smooth > SURE * fall_error)[first.stop :].any())
    lowest = int(smooth.argmin())
    best = int((slope + 2 * error)[: lowest + 1].argmin())  # at an end, lines tilt by noise
    steep = bool(-slope[best] > STEEP * error[best])
    return _Curve(smooth, smooth_error, slope, error, lowest, best, falls, steep)


def _without_rise(x: Values, losses: Values, first: slice) -> Values:
    """Losses with those at which training began, again and again, where the curve rises above them.

    There it has diverged. A line fitted near that rise would not see the fall before it.
    """
    curve = _curve(x, losses, first, WIDTHS[0])
    above = curve.smooth > losses[:, first].mean() + SURE * curve.smooth_error
    above[: max(curve.lowest, first.stop)] = False
    risen = int(above.argmax()) if above.any() else len(x)
    again = np.resize(losses[:, first].T, (len(x) - risen, len(losses))).T
    return np.concatenate([losses[:, :risen], again], axis=1)


def _error_factor(residuals: Values) -> float:
    """√((1 + ρ)/(1 − ρ)), ρ the correlation of neighbours in a run: errors of means grow by it."""
    total = float(np.sum(residuals**2))
    near = float(np.sum(residuals[:, 1:] * residuals[:, :-1])) / total if total > 0 else 0.0
    near = min(max(near, 0.0), 0.9)
    return float(np.sqrt((1 + near) / (1 - near)))


def _clipped(losses: Values, first: slice) -> Values:
    """Losses with every run moved to the mean level of all, and none far above that.

    Runs of other initial weights begin at other losses, which is no noise of the curve. Far is what
    noise does not reach, nor the fall of the loss below where it begins.
    """
    levels = np.nanmedian(losses[:, first], axis=1)
    moved = losses - (levels - levels.mean())[:, None]
    start, scale = _level(moved[:, first])
    lowest = float(np.quantile(moved[np.isfinite(moved)], 0.05))
    top = start + max(scale, start - lowest)
    return np.minimum(np.where(np.isfinite(moved), moved, np.inf), top)
