"""The clock on numpy, as adapters on the host drive it: PyTorch, Keras, a loop of one's own.

state = start(clock, np) → `seen` for every minibatch's loss → `ended` after each epoch, which
may bring the epoch's loss itself instead. The rate in force is `state.learning_rate`.
"""

import warnings
from dataclasses import replace

import numpy as np

from psi.law import clock as clock_
from psi.law.clock import Clock, ClockState


def seen(clock: Clock, state: ClockState, loss: float, begins: bool) -> ClockState:
    """Take one minibatch's loss; the one that begins a run is ε_0 unless that was given."""
    if begins:
        state = clock_.first(clock, state, np.float64(loss), np)
    return clock_.observe(state, np.float64(loss))


def ended(clock: Clock, state: ClockState, loss: float | None = None) -> ClockState:
    """End an epoch: by its own mean loss, or else by the mean of what was seen.

    Warns, once in a run, where that is no finite number: the last rate stays.
    """
    if loss is not None:
        state = state._replace(total=np.float64(loss), count=np.int64(1))
    after = clock_.tick(clock, state, np)
    if state.skipped == 0 < after.skipped:
        got = "no loss" if state.count == 0 else f"a mean loss of {float(state.total):g}"
        warnings.warn(
            f"psi: epoch {int(state.epoch)} ended with {got}; the rate stays "
            f"{float(state.learning_rate):.3g} until a finite one comes (said once)",
            stacklevel=3,
        )
    return after


def restarted(clock: Clock, state: ClockState) -> ClockState:
    """Epoch 0 begins now: the epochs so far were another schedule's, a warm-up's say.

    ε_0 is what it was then; the losses seen since give this epoch's rate.
    """
    if state.count == 0:
        return state._replace(epoch=np.asarray(0))
    before = state._replace(epoch=np.asarray(-1))
    return clock_.tick(replace(clock, max_change=None), before, np)


def extended(state: ClockState, epochs: int) -> ClockState:
    """The same run with another budget T, which holds from its next epoch on."""
    return state._replace(horizon=np.asarray(float(clock_.whole("epochs", epochs))))


def number(loss: object) -> float:
    """A loss as a float. Raises ValueError unless it is one number, also in a tensor."""
    try:
        return float(loss.detach() if hasattr(loss, "detach") else loss)  # type: ignore
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"a loss must be one number, got {loss!r:.60}: {error}") from None
