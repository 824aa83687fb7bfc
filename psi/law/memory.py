"""What a clock remembers of the losses of a run, by which a law can react to how it goes.

Everything is unchanged where a loss is multiplied by a constant, and where it is not positive it is
0. `aged` begins an epoch, `told` takes a loss that came with it; a validation loss may come later
than the training loss of the same epoch, or not at all.
"""

import math
from typing import NamedTuple

from psi.law.namespace import Array, Namespace

WEIGHT = 0.3
"""Of the newest epoch in an exponential mean."""


class Trace(NamedTuple):
    """The history of one loss, of training or of validation; shape=() each."""

    last: Array
    """The last finite one; NaN before the first."""
    best: Array
    """The lowest so far; NaN before the first."""
    excess: Array
    """log(last/best) >= 0 [nats]"""
    progress: Array
    """log(before/last), within ±1 [nats]; 0 where none came in this epoch."""
    trend: Array
    """Its exponential mean, m ← m + 0.3 (progress − m)."""
    stalled: Array
    """The exponential mean of 1 where a loss was no new best, and 0 where it was."""
    since: Array
    """Epochs since the best."""


class Memory(NamedTuple):
    """The histories of both losses, and the feedback u. Shape=() each."""

    loss: Trace
    validation: Trace
    gap: Array
    """log(v/ε), within ±1 [nats]; 0 where no v is known."""
    came: Array
    """1 where the epoch's training loss was finite, else 0."""
    earlier: Trace
    """`validation` without what came in this epoch: of several the newest counts."""
    pending: Array
    """A validation loss that waits for the end of the epoch; NaN: none."""
    rate: Array
    """α_{i−1}; 0 before the first epoch has ended."""
    before: Array
    """u_{i−1}"""
    feedback: Array
    """u_i, by which a law with feedback multiplies its rate, as exp(u_i)."""


def begun(loss: Array, xp: Namespace) -> Memory:
    """The memory of a run before its first epoch, ε_0 being known."""
    first = xp.asarray(loss, dtype=float)
    zero = xp.zeros_like(first)
    unseen = xp.full_like(first, math.nan)
    none = Trace(unseen, unseen, *[zero] * 5)
    own = none._replace(last=first, best=first)
    return Memory(own, none, zero, zero + 1, none, unseen, zero, zero, zero)


def aged(memory: Memory, xp: Namespace) -> Memory:
    """The memory at the beginning of the next epoch, before any loss has come with it."""
    loss, validation = (_aged(trace, xp) for trace in (memory.loss, memory.validation))
    none = xp.zeros_like(memory.came)
    after = memory._replace(loss=loss, validation=validation, earlier=validation, came=none)
    return after._replace(before=memory.feedback)


def told(memory: Memory, xp: Namespace, loss: Array = math.nan, val: Array = math.nan) -> Memory:
    """The memory with an epoch's loss and validation loss; what is not finite did not come."""
    seen, newest = _told(memory.loss, loss, xp), _told(memory.earlier, val, xp)
    pairs = zip(newest, memory.validation, strict=True)
    held = Trace(*(xp.where(xp.isfinite(val), a, b) for a, b in pairs))
    gap = _limited(log_ratio(held.last, seen.last, xp), xp)
    came = xp.where(xp.isfinite(loss), 1.0, memory.came)
    return memory._replace(loss=seen, validation=held, gap=gap, came=came)


def _aged(trace: Trace, xp: Namespace) -> Trace:
    known = xp.isfinite(trace.best)
    since = xp.where(known, trace.since + 1, trace.since)
    return trace._replace(progress=xp.zeros_like(trace.progress), since=since)


def _told(trace: Trace, loss: Array, xp: Namespace) -> Trace:
    first = ~xp.isfinite(trace.best)
    best = xp.fmin(trace.best, loss)
    improved = first | (loss < trace.best)
    progress = _limited(log_ratio(trace.last, loss, xp), xp)
    mean = lambda before, now: xp.where(first, before, before + WEIGHT * (now - before))  # noqa: E731
    after = Trace(
        last=loss,
        best=best,
        excess=log_ratio(loss, best, xp),
        progress=progress,
        trend=mean(trace.trend, progress),
        stalled=mean(trace.stalled, xp.where(improved, 0.0, 1.0)),
        since=xp.where(improved, 0.0, trace.since),
    )
    came = xp.isfinite(loss)
    return Trace(*(xp.where(came, a, b) for a, b in zip(after, trace, strict=True)))


def _limited(a: Array, xp: Namespace) -> Array:
    return xp.minimum(xp.maximum(a, -1.0), 1.0)


def log_ratio(a: Array, b: Array, xp: Namespace) -> Array:
    """log(a/b); 0 where one of them is not above 0, or not a finite number."""
    fine = (a > 0) & (b > 0) & xp.isfinite(a) & xp.isfinite(b)
    return xp.log(xp.where(fine, a, 1.0)) - xp.log(xp.where(fine, b, 1.0))
