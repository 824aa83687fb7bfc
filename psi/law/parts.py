"""Why a rate is what it is: the three parts of a law's rate, for whoever looks at a run.

    α_i = scale · shape · feedback · limits

Ψ is taken apart by what it sees: the scale is its rate where a run begins, at these facts; the
shape is what progress and loss have made of that; the feedback is what the memory of the losses
adds, exp(u) of a law with feedback; what a ramp and the user's limits do is the rest.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from psi.law.clock import ClockState, observe, observed, start, tick
from psi.law.evaluation import psi_of
from psi.law.features import Observation
from psi.law.law import Law
from psi.law.memory import Memory, Trace, begun
from psi.law.settings import Clock

Factor = Float[np.ndarray, "..."]


class Parts(NamedTuple):
    """The factors of a rate; their product is the rate."""

    scale: Factor
    """α at the beginning of the run."""
    shape: Factor
    feedback: Factor
    limits: Factor


def parts_of(clock: Clock, state: ClockState) -> Parts:
    """The factors of the rate in force.

    Args:
        clock: of the run.
        state: of its clock, on numpy.

    Returns:
        The factors; the shape or limits are NaN where Ψ is 0.

    Example:
        >>> import psi
        >>> from psi.law.clock import start
        >>> clock = Clock(psi.load("adam"), epochs=20, facts=psi.Facts(parameters=5000))
        >>> parts = parts_of(clock, start(clock, np))
        >>> [float(factor) for factor in parts[1:]]
        [1.0, 1.0, 1.0]
    """
    law, seen = clock.law, observed(state, state.loss)
    none = begun(state.initial_loss, np) if law.remembers else ()
    first = seen._replace(
        epoch=np.asarray(0), loss=seen.initial_loss, best_loss=seen.initial_loss, memory=none
    )
    views: tuple[Observation, ...] = (first, seen._replace(memory=none), seen)
    with np.errstate(all="ignore"):
        begin, quiet, now = (psi_of(law, each, np) for each in views)
        scale = begin * clock.multiplier
        limits = state.learning_rate / (now * clock.multiplier)
        return Parts(*map(np.asarray, (scale, quiet / begin, now / quiet, limits)))


class Course(NamedTuple):
    """A run's rates epoch by epoch, with their factors; shape=(epoch,) each."""

    rate: Factor
    parts: Parts
    feedback: Factor
    """u_i [nats]; 0 of a law without feedback."""


def replayed(
    clock: Clock, losses: Float[np.ndarray, " epoch"], val_losses: Float[np.ndarray, " epoch"]
) -> list[ClockState]:
    """The clock's states in a run whose losses are known: before the first epoch, after each.

    Args:
        clock: of the run.
        losses: ε_1, ε_2, …: the mean minibatch loss of each epoch.
        val_losses: the validation loss after each; NaN where it was not measured.

    Returns:
        One state more than epochs.

    Raises:
        ValueError: there are not as many of one loss as of the other.
    """
    if len(losses) != len(val_losses):
        raise ValueError(f"one loss of each kind an epoch, got {len(losses)} and {len(val_losses)}")
    states = [start(clock, np)]
    for loss, value in zip(losses, val_losses, strict=True):
        seen = observe(states[-1], np.float64(loss))
        states.append(tick(clock, seen, np, np.float64(value)))
    return states


def course(clock: Clock, states: Sequence[ClockState]) -> Course:
    """The rates in these states of a run's clock, at least one, with their parts."""
    parts = [parts_of(clock, state) for state in states]
    memories = [state.memory for state in states]
    return Course(
        np.array([state.learning_rate for state in states], float),
        Parts(*np.array(parts, float).T),
        np.array([m.feedback if isinstance(m, Memory) else 0.0 for m in memories], float),
    )


def explained(clock: Clock, state: ClockState) -> str:
    """The parts of the rate in force, in a sentence.

    Args:
        clock: of the run.
        state: of its clock, on numpy.

    Returns:
        One line of text.

    Example:
        >>> import psi
        >>> from psi.law.clock import start
        >>> clock = Clock(psi.load("adam"), epochs=20, facts=psi.Facts(parameters=5000))
        >>> explained(clock, start(clock, np)).split(" × ")[1]
        '1 (shape: epoch 0 of 20)'
    """
    parts, law = parts_of(clock, state), clock.law
    known = [name for name in law.facts if not np.isnan(getattr(state, name))]
    why = f"of {', '.join(known)}" if known else "of the law's typical facts"
    budget = "" if np.isnan(state.budget) else f" of {state.budget:g}"
    words = [
        f"{parts.scale:.3g} (scale: {why if law.facts else 'one for all tasks'})",
        f"{parts.shape:.3g} (shape: epoch {int(state.epoch)}{budget})",
        f"{parts.feedback:.3g} (feedback: {_of_feedback(law, state)})",
    ]
    if not np.isclose(parts.limits, 1.0):
        words.append(f"{parts.limits:.3g} (ramp, limits, or a rate that is held)")
    return f"rate {state.learning_rate:.3g} = {' × '.join(words)}"


def _of_feedback(law: Law, state: ClockState) -> str:
    memory = state.memory
    if not isinstance(memory, Memory):
        return "this law has none"
    if state.epoch == 0:
        return "nothing seen yet"
    traces = (("training", "loss_", memory.loss), ("validation", "val_", memory.validation))
    said = [
        _of_trace(name, trace) if np.isfinite(trace.last) else f"no {name} loss has come"
        for name, begin, trace in traces
        if any(feature.startswith(begin) and feature != "loss_ratio" for feature in law.features)
    ]
    return ", ".join([f"u = {memory.feedback:.2g}", *said] if law.feedback else said)


def _of_trace(name: str, trace: Trace) -> str:
    if trace.since == 0:
        return f"{name} loss {trace.last:.3g} is its best"
    epochs = f"{int(trace.since)} epoch{'s' if trace.since > 1 else ''}"
    return f"{name} loss {np.expm1(trace.excess):.1%} above its best of {epochs} ago"
