"""What Ψ would have chosen, given the losses that a log holds."""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from psi.advice.log import Log, Values
from psi.law.checks import whole_number
from psi.law.clock import Clock, start
from psi.law.law import Law
from psi.schedulers import host

PERIODS = 50  # of a log that does not say what an epoch is


class Replay(NamedTuple):
    """Rates of each decision period; shape=(periods,) each."""

    at: Values
    """Where it begins, as the log counts."""
    psi: Values
    """α_i = Ψ(ε, i)"""
    yours: Values
    """The log's own, at the period's beginning; NaN where it has none."""
    epochs: int
    """T"""


def replay(
    log: Log,
    law: Law,
    epochs: int | None = None,
    steps_per_epoch: int | None = None,
    initial_loss: float | None = None,
    scale: float | None = None,
    parameters: int | None = None,
) -> Replay:
    """Ψ along a log, its losses taken as they are: under other rates they would be others.

    A period is an epoch of the log's, the first one 0 or 1; where it counts steps alone,
    `steps_per_epoch` of them, or else a fiftieth of the log. T is `epochs`, or else as far as the
    log goes. Its first loss is ε_0, unless `initial_loss` gives it or a period is a single line.

    Raises ValueError for numbers that make no sense.
    """
    period = _periods(log, steps_per_epoch)
    begins = np.flatnonzero(np.diff(period, prepend=period[0] - 1))
    budget = int(period[-1]) + 1 if epochs is None else epochs
    clock = Clock(law, budget, initial_loss, scale=scale, parameters=parameters)
    if budget <= period[-1]:
        most = int(period[-1]) + 1
        raise ValueError(f"epochs must be those of the log, {most}, or more, got {epochs}")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "psi: epoch", UserWarning)  # the diagnosis says it
        rates = _rates(clock, np.split(log.loss, begins[1:]), period[begins])
    return Replay(log.at[begins], rates, log.rate[begins], budget)


def _rates(clock: Clock, periods: Sequence[Values], numbers: Values) -> Values:
    """α_i of each period; one that the log passes over has the loss of the last before it."""
    state, rates = start(clock, np), []
    for number, losses in zip(numbers, periods, strict=True):
        if state.epoch < number:
            before = state._replace(epoch=np.asarray(int(number) - 1))
            state = host.end_epoch(clock, before, float(state.loss))
        if len(losses) > 1:
            for k, loss in enumerate(losses):
                state = host.observe(clock, state, loss, begins=len(rates) + k == 0)
        rates.append(float(state.learning_rate))
        state = host.end_epoch(clock, state, None if len(losses) > 1 else losses[0])
    return np.array(rates)


def _periods(log: Log, steps_per_epoch: int | None) -> Values:
    """The number of each line's period, rising, that of the first epoch 0."""
    if steps_per_epoch is not None:
        whole_number("steps_per_epoch", steps_per_epoch)
        if log.epoch is not None:
            raise ValueError(f"this log says its epochs: no steps_per_epoch, got {steps_per_epoch}")
        return np.floor((log.at - (log.at[0] == 1)) / steps_per_epoch)
    if log.epoch is None:
        return np.floor(np.arange(len(log.at)) * min(PERIODS / len(log.at), 1.0))
    counted = np.array_equal(log.epoch, np.round(log.epoch))
    if counted or log.epoch[0] == 0:  # what has begun, or how much is done before the line
        return np.floor(log.epoch) - (log.epoch[0] == 1 and counted)
    return np.ceil(log.epoch) - 1  # how much is done after it


def compared(found: Replay) -> str:
    """In words: Ψ's rates, and how far the log's were from them."""
    text = f"{found.psi[0]:.2g} at the beginning, {found.psi[-1]:.2g} at the end"
    known = np.isfinite(found.yours) & (found.yours > 0)
    if not known.any():
        return text
    ratio = np.sort(found.yours[known] / found.psi[known])
    least, most = _times(ratio[0]), _times(ratio[-1])
    between = f"; between {least} and {most}" if least != most else ""
    return f"{text}; yours are {_times(float(np.median(ratio)))} (median{between})"


def _times(ratio: float) -> str:
    """E.g. 4,700 times lower."""
    if 0.95 < ratio < 1.05:
        return "as high"
    factor = float(f"{max(ratio, 1 / ratio):.2g}")
    return f"{factor:,.15g} times {'higher' if ratio > 1 else 'lower'}"
