"""The clock on numpy, for adapters that run on the host: PyTorch, Keras, a loop of one's own.

state = start(clock, np) → `observe` for every minibatch's loss → `end_epoch` after each epoch,
which may bring the epoch's loss itself instead. The rate in force is `state.learning_rate`.

`state_dict` and `from_state_dict` turn a state into plain numbers and back for a checkpoint: no
law, no arrays, nothing that needs unpickling, and a run that goes on from one has the same bits.
"""

import math
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from psi.law import clock as clock_
from psi.law.checks import whole_number
from psi.law.clock import Clock, ClockState
from psi.law.domain import Outside

COUNTS = ("epoch", "count", "skipped")
POSITIVE = ("learning_rate", "initial_loss", "parameters")
MAY_BE_NAN = ("total", "budget")
"""The sum of an epoch's losses may overflow; T is NaN where it is not known."""

StateDict = dict[str, float | int]  # A `ClockState` as plain numbers, by field


def observe(clock: Clock, state: ClockState, loss: float, begins: bool) -> ClockState:
    """Take one minibatch's loss; where a run begins it is ε_0, unless that was given."""
    if begins:
        state = clock_.first(clock, state, np.float64(loss), np)
    return clock_.observe(state, np.float64(loss))


def end_epoch(clock: Clock, state: ClockState, loss: float | None = None) -> ClockState:
    """End an epoch: by its own mean loss, or else by the mean of the observed losses.

    Warns, once in a run, where that is no finite number: the last rate stays; and where more epochs
    have ended than the budget has.
    """
    if loss is not None:
        state = state._replace(total=np.float64(loss), count=np.int64(1))
    after = clock_.tick(clock, state, np)
    if state.skipped == 0 < after.skipped:
        got = "no loss" if state.count == 0 else f"a mean loss of {float(state.total):g}"
        warnings.warn(
            f"psi: epoch {int(state.epoch)} ended with {got}; the rate stays "
            f"{float(state.learning_rate):.3g} until a finite one comes (said once)",
            stacklevel=4,
        )
    if after.epoch == state.budget + 1:
        warnings.warn(
            f"psi: {int(after.epoch)} epochs have ended and epochs={float(state.budget):g}: is the "
            "schedule told of minibatches as if they were epochs? Its last rates are held (said "
            "once)",
            stacklevel=4,
        )
    return after


def begin_at(clock: Clock, state: ClockState, epoch: int) -> ClockState:
    """The state at the beginning of another epoch, with the last loss that was seen."""
    before = state._replace(
        epoch=np.asarray(epoch - 1), total=state.loss, count=np.asarray(1), skipped=state.skipped
    )
    return clock_.tick(replace(clock, max_change=None), before, np)


def restart(clock: Clock, state: ClockState) -> ClockState:
    """Begin epoch 0 now, where the epochs so far were another schedule's, a warm-up's say.

    ε_0 stays what it was; the losses observed since choose this epoch's rate.
    """
    if state.count == 0:
        return state._replace(epoch=np.asarray(0))
    before = state._replace(epoch=np.asarray(-1))
    return clock_.tick(replace(clock, max_change=None), before, np)


def extend(state: ClockState, epochs: int) -> ClockState:
    """Change the budget T of a run to `epochs`, from its next epoch on."""
    return state._replace(budget=np.asarray(float(whole_number("epochs", epochs))))


def as_float(loss: Any) -> float:
    """A loss as a float.

    Raises ValueError unless it is one number, also in a tensor, and no whole number by its type:
    that is an epoch's number or a count.
    """
    if type(loss) is float:
        return loss
    try:
        value = float(loss.detach() if hasattr(loss, "detach") else loss)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"a loss must be one number, got {loss!r:.60}: {error}") from None
    kind = str(getattr(loss, "dtype", type(loss).__name__)).removeprefix("torch.")
    if kind.startswith(("int", "uint", "bool")):
        raise ValueError(f"a loss must be a float, in nats, got {loss!r:.60} of type {kind}")
    return value


def tell(found: Iterable[Outside], told: dict[str, Outside], strict: bool) -> None:
    """Say what lies outside of what a law has seen, each thing once a run; all in one line.

    What is new goes into `told`. Raises ValueError instead where `strict`.
    """
    new = [each for each in found if each.what not in told]
    if not new:
        return
    line = "outside of what this law has seen: " + "; ".join(map(str, new))
    if strict:
        raise ValueError(line)
    told.update({each.what: each for each in new})
    warnings.warn(f"psi: {line} (said once)", stacklevel=4)


def state_dict(state: ClockState) -> StateDict:
    """The state's fields by name, as Python numbers."""
    fields = state._asdict().items()
    return {name: int(value) if name in COUNTS else float(value) for name, value in fields}


def resumed(clock: Clock, found: object) -> ClockState:
    """The state of `found` in a run by `clock`, whose T wins where it was given another.

    Raises ValueError as `from_state_dict` does.
    """
    state = from_state_dict(found)
    if clock.epochs is None or clock.epochs == state.budget:
        return state
    saved = "no T" if math.isnan(state.budget) else f"T = {float(state.budget):g}"
    warnings.warn(
        f"psi: the saved run had {saved}; it goes on with epochs={clock.epochs} as newly given",
        stacklevel=3,
    )
    return extend(state, clock.epochs)


def from_state_dict(found: object) -> ClockState:
    """The state that `state_dict` wrote, on numpy; also one of version 0.1.0.

    Raises ValueError with the key's name where one is missing, unknown or of no use.
    """
    if not isinstance(found, Mapping):
        raise ValueError(f"a saved clock is a mapping of numbers, got {type(found).__name__}")
    if "horizon" in found and "budget" not in found:  # what 0.1.0 called T
        found = {"budget" if name == "horizon" else name: found[name] for name in found}
    for name in ClockState._fields:
        if name not in found:
            raise ValueError(f"a saved clock lacks {name!r}")
    for name in found:
        if name not in ClockState._fields:
            raise ValueError(f"a saved clock has no {name!r:.60}")
    return ClockState(**{name: _number(name, found[name]) for name in ClockState._fields})


def _number(name: str, value: object) -> np.ndarray:
    if name in COUNTS:
        return np.asarray(whole_number(name, value, least=0))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} of a saved clock must be a number, got {value!r:.60}")
    if name not in MAY_BE_NAN and not math.isfinite(value):
        raise ValueError(f"{name} of a saved clock must be finite, got {value}")
    # A rate of 0 is what min_lr = max_lr · 0 may ask for; a loss of 0 is no ε_0.
    if name in POSITIVE and (value < 0 or (value == 0 and name != "learning_rate")):
        raise ValueError(f"{name} of a saved clock must be positive, got {value}")
    if name == "budget" and (value < 1 or math.isinf(value)):
        raise ValueError(f"budget of a saved clock must be NaN or >= 1, got {value}")
    return np.asarray(float(value))
