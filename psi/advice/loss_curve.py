"""Findings in the smoothed loss of a log: rises, falls at a rate cut, and its shape as a whole.

A rise or a fall counts if it is many standard errors and a share of what the loss fell in all. That
each rate has a noise floor, which a lower rate goes below: Robbins and Monro 1951.
"""

import numpy as np
from numpy.typing import NDArray

from psi.advice.findings import Finding, at_rates, position
from psi.advice.log import Log
from psi.advice.smoothing import SURE, Trend, usable
from psi.advice.table import Values

SURE_OF_ONE = 3.5  # standard errors, where one position is looked at and not the worst of many
SHARE = 0.1  # of the whole fall: what counts as a rise
STILL = 0.03  # of the whole fall and of what is left: a smaller fall is none
NOTHING_LEFT, LITTLE = 0.02, 0.9  # of the first loss
EARLY = 0.25  # of the log: with nine tenths of the fall in it, any plateau is a finding
# The last third's share of the fall over the last two: a half where the fall is even.
STILL_FALLING, SLOW = 0.3, 0.375


def rising(log: Log, curve: Trend) -> Finding | None:
    """The largest rise of the loss to a later point, where it is sure and large enough."""
    s = curve.smooth
    first, last = _largest_rise(s)
    rise = s[last] - s[first]
    sure = rise > curve.sure(first, last) or _ordered(-curve.loss, 3.2)
    if not sure or rise < SHARE * curve.fall:
        return None
    begin, end = float(curve.at[first]), float(curve.at[last])
    low, high = curve.logged[[first, last]]
    share = first == 0 and s.min() >= 0 and s.max() <= 1
    text = (
        f"The loss rises from {low:.3g} at {position(log, begin)} to {high:.3g} at "
        f"{position(log, end)}{at_rates(curve.rate[first : last + 1])}: too high a rate there"
        f"{', unless this is an accuracy and no loss' if share else ''}."
    )
    return Finding("rate too high", text, (begin, end))


def rate_cuts(log: Log, curve: Trend) -> list[Finding]:
    """Falls of the loss right after the rate was cut from a constant to less than half."""
    rate, reach = curve.rate, max(4, len(curve.at) // 12)
    found = []
    for k in range(reach, len(curve.at) - reach):
        if not rate[k] < rate[k - 1] / 2:
            continue
        other = np.flatnonzero(~np.isclose(rate[:k], rate[k - 1], rtol=0.2))
        since = max(k - 3 * reach, other[-1] + 1 if len(other) else 0)
        if k - since < 2 * reach:
            continue
        fell, error = _fell(curve.loss, since, k, reach)
        if fell > max(SURE_OF_ONE * error, SHARE * min(curve.fall, abs(curve.smooth[k]))):
            text = (
                f"When the rate was cut from {rate[k - 1]:.2g} to {rate[k]:.2g} at "
                f"{position(log, curve.at[k])}, the loss fell at once by {fell:.2g} more than it "
                f"would have: it was at the noise floor of rate {rate[k - 1]:.2g}, and an earlier "
                "cut would have saved time."
            )
            span = float(curve.at[since]), float(curve.at[k])
            found.append(Finding("noise floor", text, span))
    return found


def _fell(loss: Values, since: int, k: int, reach: int) -> tuple[float, float]:
    """How far losses after k are below the line through those from `since` to k; its error."""
    x = np.arange(since - k, 0.0)
    line = np.polyfit(x, loss[since:k], 1)
    after = np.arange(reach // 2, reach)  # by then the fall is over
    away = after.mean() - x.mean()
    left = loss[since:k] - np.polyval(line, x)
    noise = np.sqrt(np.sum(left**2) / (len(x) - 2))
    error = noise * np.sqrt(1 / len(after) + 1 / len(x) + away**2 / np.sum((x - x.mean()) ** 2))
    return float(np.polyval(line, after.mean()) - loss[k + after].mean()), float(error)


def overall(
    log: Log, curve: Trend, risen: Finding | None, validation_falls: bool | None = None
) -> Finding | None:
    """The shape of the loss as a whole: slow, plateau, noise floor, still falling or healthy.

    `validation_falls`: whether the validation loss falls at the end; None where that is not known.
    """
    s = curve.smooth
    loss = log.loss[usable(log)]
    fell = f"from {loss[0]:.3g} to {loss[-1]:.3g}"
    if _flat(curve):
        text = (
            f"The loss hardly moves, {fell} from beginning to end{at_rates(curve.rate)}. "
            "The rate is too low, or so high that the first updates ended the training; "
            "psi.suggest_lr can tell."
        )
        return None if risen and risen.name == "rate too high" else Finding("rate too low", text)
    share, goes_on = curve.late_share, curve.late_fall > 3 * curve.error_of_thirds
    left = (s - s[-1]) / curve.fall  # thirds alone take a rate cut for an even fall
    if goes_on and share > SLOW and left[2 * len(s) // 3] > 0.25 * left[0] and s[-1] > 0.5 * s[0]:
        text = (
            f"The loss falls slowly and as fast at the end as at the beginning, {fell}"
            f"{at_rates(curve.rate)}: a higher rate would be faster."
        )
        return Finding("rate too low", text)
    if (first := _plateau(curve)) is not None:
        if risen and risen.span and curve.at[first] < risen.span[1]:
            return None
        if found := _at_plateau(log, curve, first):
            return found
    if goes_on and share > STILL_FALLING and left[5 * len(s) // 6] > 0.05 * left[0]:
        text = (
            f"The loss still falls at the end, by {curve.late_fall:.2g} from the middle third of "
        )
        text += "the log to the last"
        if validation_falls is False:
            text += ", but the validation loss does not: longer training may not help."
            return Finding("validation stands", text)
        return Finding("still falling", text + ": train for longer.")
    if risen:
        return None
    if s[-1] > LITTLE * s[0] > 0:
        text = f"The loss falls by little, {fell}: if more is to be had, the rate is too low."
        return Finding("rate too low", text)
    return Finding("healthy", f"The loss falls {fell} and slows down: nothing wrong shows.")


def _flat(curve: Trend) -> bool:
    s = curve.smooth
    first, last = _largest_rise(-s)
    fall = s[first] - s[last]
    unsure = fall < curve.sure(first, last) and not _ordered(curve.loss, 2.5)
    at_once = _outliers(curve.loss)[0]  # smoothing takes such a fall for noise
    return fall <= STILL * abs(s[0]) or (unsure and not at_once)


def _largest_rise(s: Values) -> tuple[int, int]:
    """Where the largest rise begins and ends; the same point twice where nothing rises."""
    last = int(np.argmax(s - np.minimum.accumulate(s)))
    return int(np.argmin(s[: last + 1])), last


def _outliers(loss: Values) -> NDArray[np.bool_]:
    middle = np.median(loss)
    return loss - middle > 8 * np.median(np.abs(loss - middle))


def _ordered(loss: Values, deviates: float) -> bool:
    """Whether later losses are lower, by a test of ranks alone (Spearman 1904)."""
    rank = sum(np.searchsorted(np.sort(loss), loss, side) for side in ("left", "right"))
    if np.ptp(rank) == 0:
        return False
    return np.corrcoef(rank, np.arange(len(loss)))[0, 1] * np.sqrt(len(loss) - 1) <= -deviates


def _plateau(curve: Trend) -> int | None:
    """The bin from which the loss falls no more, if that is a quarter of the log or more."""
    s, bins = curve.smooth, len(curve.at)
    lowest = np.array([k + np.argmin(s[k:]) for k in range(bins)])
    unsure = 0.5 * SURE * np.hypot(curve.error, curve.error[lowest])
    some = np.maximum(unsure, STILL * np.minimum(curve.fall, np.abs(s)))
    falls = np.flatnonzero(s - s[lowest] > some)
    first = int(falls[-1]) + 1 if len(falls) else 0
    first += int(np.argmin(_outliers(curve.loss[first:])))  # smoothing lags a steep beginning
    if bins - first < max(bins / 4, 5) or 0 <= s[-1] < NOTHING_LEFT * s[0]:
        return None
    begins, ends = curve.loss[[first, -1]]
    goes_on = begins - ends > STILL * min(curve.fall, abs(begins))
    # Ranks show a fall of which the smoothed loss is not sure.
    return None if goes_on and _ordered(curve.loss[first:], 1.99) else first


def _at_plateau(log: Log, curve: Trend, first: int) -> Finding | None:
    """What to say of a plateau: the rate was cut before, too low a rate, or a noise floor.

    None where nothing explains it and it is no early one, or where the rate ends with it: a
    training may end so.
    """
    s, rates = curve.smooth, curve.rate[first:]
    span = float(curve.at[first]), float(curve.at[-1])
    noise = float(np.median(curve.noise[first:]))
    text = (
        f"From {position(log, span[0])} on the loss falls by no more than its noise: "
        f"{s[first:].mean():.3g} ± {noise:.1g}{at_rates(rates)}."
    )
    if np.isfinite(rates).all() and rates.max() < 0.1 * (most := np.nanmax(curve.rate)):
        done = f"By then the rate had fallen from {most:.2g}: it is done, or that was too early."
        return Finding("plateau", f"{text} {done}", span)
    if s[-1] > LITTLE * s[0] > 0:
        little = "It has fallen by little before: too low a rate would look the same."
        return Finding("plateau", f"{text} {little}", span)
    if rates.max() < 1.5 * rates.min() and noise > 0.2 * STILL * curve.fall:
        text += " At a constant rate that is how its noise floor looks: cut the rate, and it will "
        return Finding("noise floor", text + "go on if that is what it is.", span)
    falls = np.flatnonzero(s - s[-1] > SHARE * curve.fall)
    planned = first > len(s) / 2 and rates[-1] < 0.1 * np.nanmax(curve.rate)
    early = bool(falls[-1:] < EARLY * len(s))
    return Finding("plateau", text, span) if early and not planned else None
