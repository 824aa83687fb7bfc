"""Findings in a training log: what one is, and those that single lines show.

The rule of thumb that updates are 10⁻³ of the weights: Karpathy, CS231n, 2015.
"""

from typing import NamedTuple

import numpy as np

from psi.advice.log import Log
from psi.advice.smoothing import usable
from psi.advice.table import Values, count

ABOVE = 1.3  # times ε_0: single minibatches may well be somewhat above it
MEDIANS = 20_000  # in a log at most
NEAR = 31  # lines: where a jump is compared with the usual changes
RULE_OF_THUMB = 1e-3  # an update over the weights


class Finding(NamedTuple):
    """One thing that a training log shows."""

    name: str
    """A few words, e.g. "rate too high"."""
    text: str
    """What was seen, where and at which rates, and what to do about it."""
    span: tuple[float, float] | None = None
    """From where to where, in the log's unit; None: all of it."""


def position(log: Log, at: float | np.floating) -> str:
    """A position in the log in words, e.g. "epoch 12" or "step 1200 (epoch 12)"."""
    text = f"{log.unit.lower()} {at:.8g}"
    if log.epoch is None or "epoch" in log.unit.lower():
        return text
    line = max(int(np.searchsorted(log.at, at, "right")) - 1, 0)
    return f"{text} (epoch {log.epoch[line]:.4g})"


def at_rates(rates: Values) -> str:
    """Rates in words, e.g. " at rate 0.1"; empty where none is known."""
    rates = rates[np.isfinite(rates)]
    if len(rates) == 0:
        return ""
    low, high = f"{rates.min():.2g}", f"{rates.max():.2g}"
    return f" at rate {low}" if low == high else f" at rates from {low} to {high}"


def not_finite(log: Log) -> Finding | None:
    """Losses that are NaN or infinite."""
    if (seen := not_finite_lines(log, "loss", log.at, log.loss)) is None:
        return None
    text, span = seen
    text += (
        f"{at_rates(log.rate[~np.isfinite(log.loss)][:1])}. The rate is too high there, unless "
        "the data holds such values: lower it before that point, or warm up."
    )
    return Finding("rate too high", text, span)


def not_finite_lines(
    log: Log, title: str, at: Values, value: Values
) -> tuple[str, tuple[float, float]] | None:
    """In how many lines a quantity is NaN or infinite, in words, and from where to where."""
    bad = np.flatnonzero(~np.isfinite(value))
    if len(bad) == 0:
        return None
    begin, end = map(float, at[bad[[0, -1]]])
    lines = f"{len(bad)} of {count(len(value), 'line')}"
    return f"The {title} is not finite in {lines}, first at {position(log, begin)}", (begin, end)


def above_initial_loss(log: Log, initial_loss: float | None) -> Finding | None:
    """Losses well above ε_0, what the loss is before anything is learnt."""
    if initial_loss is None:
        return None
    above = np.flatnonzero(log.loss > ABOVE * initial_loss)
    if len(above) == 0:
        return None
    begin, end = map(float, log.at[above[[0, -1]]])
    most = log.loss[above].max()
    up_to = f", up to {most:.3g}" if np.isfinite(most) else ""
    why = "updates did harm" if above[0] else "the initialisation is bad, or updates did harm"
    first = f"first at {position(log, begin)}{at_rates(log.rate[above[:1]])}"
    text = (
        f"The loss is more than {ABOVE:g} times {initial_loss:.3g}, what it is before training, in "
        f"{count(len(above), 'line')}, {first}{up_to}: {why}. Lower the rate, or warm up."
    )
    return Finding("rate too high", text, (begin, end))


def local_median(values: Values) -> Values:
    """Median of the NEAR lines around each; of a long log at every few lines.

    shape=(lines,) both.
    """
    near = np.pad(values, NEAR // 2, mode="reflect")
    every = max(len(values) // MEDIANS, 1)
    windows = np.lib.stride_tricks.sliding_window_view(near, NEAR)[::every]
    return np.repeat(np.median(windows, 1), every)[: len(values)]


def jumps(log: Log) -> Finding | None:
    """Jumps up from one line to the next, ten times the usual change and not small."""
    fine = usable(log)
    loss, at, rate = log.loss[fine], log.at[fine], log.rate[fine]
    change = np.diff(loss)
    usual = 1.5 * local_median(np.abs(change))
    smallest = np.maximum(10 * usual, max(0.25 * (loss[0] - loss.min()), 0.05 * abs(loss[0])))
    jumps = [int(k) for k in np.flatnonzero(change > smallest) + 1 if k < len(loss) - 2]
    stays = [k for k in jumps if loss[k + 1 : k + NEAR].min() > (loss[k - 1] + loss[k]) / 2]
    if not jumps:
        return None
    worst = max(stays or jumps, key=lambda k: change[k - 1])
    jump = f"at {position(log, at[worst])} from {loss[worst - 1]:.3g} to {loss[worst]:.3g}"
    if stays:
        text = f"The loss jumps up {jump} and stays there{at_rates(rate[worst : worst + 1])}: "
        span = float(at[worst]), float(at[-1])
        return Finding("rate too high", text + "too high a rate there.", span)
    often = "Once" if len(jumps) == 1 else f"{len(jumps)} times"
    text = (
        f"{often} the loss jumps up, {jump}, and comes down again: updates that are too long. Clip "
        "the gradients, or lower the rate a little."
    )
    return Finding("spikes", text, (float(at[jumps[0]]), float(at[jumps[-1]])))


def update_ratio(log: Log) -> Finding | None:
    """How long updates are beside the weights, against the rule of thumb of 10⁻³."""
    ratios = log.update_ratio[np.isfinite(log.update_ratio) & (log.update_ratio > 0)]
    if len(ratios) == 0:
        return None
    middle = float(np.median(ratios))
    high = middle > RULE_OF_THUMB
    times = middle / RULE_OF_THUMB if high else RULE_OF_THUMB / middle
    far = "far " if times > 10 else ""
    beside = "near it" if times < 3 else f"{far}{'above' if high else 'below'} it"
    beside += f": the rate is rather too {'high' if high else 'low'}." if far else "."
    text = (
        f"Updates are {middle:.2g} of the weights (median; {ratios.min():.2g} to "
        f"{ratios.max():.2g}). 10⁻³ is the rule of thumb; this is {beside}"
    )
    return Finding("update-to-weight ratio", text)
