"""The rates that a law would have chosen, given the losses of a training log."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from psi.advice.log import Log
from psi.advice.table import Values
from psi.law.checks import whole_number
from psi.law.clock import Clock, start
from psi.law.facts import UNKNOWN, Facts
from psi.law.law import Law
from psi.schedulers import host

PERIODS = 50  # of a log that does not say what an epoch is
MOST_PERIODS = 2000  # of a log of more epochs, several are a period


class Replay(NamedTuple):
    """A law's rates and the log's own, in each decision period; shape=(periods,) each."""

    at: Values
    """Where the period begins, in the log's unit."""
    law_rate: Values
    """α_i = Ψ(ε, i)"""
    logged_rate: Values
    """The log's rate at the period's beginning; NaN where it has none."""
    epochs: int
    """T, the budget in epochs."""
    facts: Facts
    """What the law was told: the facts that were given, and the log's steps."""


def replay_log(
    log: Log,
    law: Law,
    epochs: int | None = None,
    steps_per_epoch: int | None = None,
    initial_loss: float | None = None,
    scale: float | None = None,
    facts: Facts = UNKNOWN,
) -> Replay:
    """Ask a law for its rates along a log. The losses stay: under other rates they would differ.

    A decision period is an epoch of the log, the first one numbered 0 or 1. Where the log counts
    steps alone it is `steps_per_epoch` of them, or else a fiftieth of the log. Of more than
    MOST_PERIODS epochs, so many are a period that there are no more periods than that.

    Args:
        log: what `read_log` returned.
        law: a law for the log's optimizer.
        epochs: T, the budget in epochs; None: as far as the log goes.
        steps_per_epoch: steps of a period, for a log without epochs.
        initial_loss: ε_0 in nats; None: the log's first loss, or the law's typical one where a
            period is a single line.
        scale: α_0 of a law that is scale × shape; None: its typical one.
        facts: what is known of the training, for a law that sees it.

    Returns:
        The rates of each period.

    Raises:
        ValueError: a number makes no sense, or T is shorter than the log.

    Example:
        >>> import numpy as np
        >>> import psi
        >>> from psi.advice import Log, replay_log
        >>> epoch, unknown = np.arange(5.0), np.full(5, np.nan)
        >>> log = Log("epoch", epoch, 2 * 0.8**epoch, np.full(5, 0.1), unknown, epoch)
        >>> found = replay_log(log, psi.load("momentum"), epochs=10)
        >>> found.law_rate.shape, bool((found.law_rate > 0).all())
        ((5,), True)
    """
    period = _periods(log, steps_per_epoch)
    most = int(period[-1]) + 1
    budget = most if epochs is None else epochs
    joined = -(-len(np.unique(period)) // MOST_PERIODS)  # epochs of a period
    periods = -(-budget // joined) if joined > 1 else budget
    known = _of_periods(facts, log, steps_per_epoch, most, joined)
    clock = Clock(law, periods, initial_loss, scale=scale, facts=known)
    if budget < most:
        raise ValueError(f"epochs must be those of the log, {most}, or more, got {epochs}")
    period = period // joined
    begins = np.flatnonzero(np.diff(period, prepend=period[0] - 1))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "psi: epoch", UserWarning)  # the diagnosis reports it
        rates = _rates(clock, np.split(log.loss, begins[1:]), period[begins])
    return Replay(log.at[begins], rates, log.rate[begins], budget, known)


def _of_periods(
    facts: Facts, log: Log, steps_per_epoch: int | None, periods: int, joined: int
) -> Facts:
    """The facts, with the updates of a decision period as its steps.

    A log of steps alone has so many `periods`; in others one is `joined` epochs.
    """
    steps = facts.values()["steps"]
    if log.epoch is None and log.unit == "step":
        steps = steps_per_epoch or max(1, round((log.at[-1] - log.at[0] + 1) / periods))
    return replace(facts, steps_per_epoch=None if math.isnan(steps) else int(steps) * joined)


def _rates(clock: Clock, periods: Sequence[Values], numbers: Values) -> Values:
    """α_i of each period. A period that the log skips has the loss of the one before it."""
    state, rates = start(clock, np), []
    for number, losses in zip(numbers, periods, strict=True):
        if state.epoch < number:
            before = state._replace(epoch=np.asarray(int(number) - 1))
            state = host.end_epoch(clock, before, float(state.loss))
        if len(losses) > 1:
            state = host.observe(clock, state, losses[0], begins=not rates)
            total = np.cumsum(np.append(state.total, losses[1:]))[-1]  # in the order of the lines
            state = state._replace(total=total, count=state.count + len(losses) - 1)
        rates.append(float(state.learning_rate))
        state = host.end_epoch(clock, state, None if len(losses) > 1 else losses[0])
    return np.array(rates)


def _periods(log: Log, steps_per_epoch: int | None) -> Values:
    """The number of each line's period; 0 for the first epoch."""
    if steps_per_epoch is not None:
        whole_number("steps_per_epoch", steps_per_epoch)
        if log.epoch is not None:
            raise ValueError(f"this log says its epochs: no steps_per_epoch, got {steps_per_epoch}")
        return np.floor((log.at - (log.at[0] == 1)) / steps_per_epoch)
    if log.epoch is None:
        return np.floor(np.arange(len(log.at)) * min(PERIODS / len(log.at), 1.0))
    counted = np.array_equal(log.epoch, np.round(log.epoch))
    if counted or log.epoch[0] == 0:  # epochs begun, or done before the line
        return np.floor(log.epoch) - (log.epoch[0] == 1 and counted)
    return np.ceil(log.epoch) - 1  # epochs done after the line


def comparison(found: Replay) -> str:
    """The law's rates in words, and how far the log's were from them."""
    text = f"{found.law_rate[0]:.2g} at the beginning, {found.law_rate[-1]:.2g} at the end"
    known = np.isfinite(found.logged_rate) & (found.logged_rate > 0)
    if not known.any():
        return text
    ratio = np.sort(found.logged_rate[known] / found.law_rate[known])
    least, most = _times(ratio[0]), _times(ratio[-1])
    between = f"; between {least} and {most}" if least != most else ""
    return f"{text}; yours are {_times(float(np.median(ratio)))} (median{between})"


def _times(ratio: float) -> str:
    """A ratio in words, e.g. "4,700 times lower"."""
    if 0.95 < ratio < 1.05:
        return "as high"
    factor = float(f"{max(ratio, 1 / ratio):.2g}")
    return f"{factor:,.15g} times {'higher' if ratio > 1 else 'lower'}"
