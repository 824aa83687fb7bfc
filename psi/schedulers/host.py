"""The clock on numpy, for adapters that run on the host: PyTorch, Keras, a loop of one's own.

state = start(clock, np) → `observe` for every minibatch's loss → `end_epoch` after each epoch,
which may bring the epoch's loss itself instead. The rate in force is `state.learning_rate`.

`state_dict` and `from_state_dict` turn a state into plain numbers and back for a checkpoint: no
law, no arrays, nothing that needs unpickling, and a run that goes on from one has the same bits.
"""

import math
import sys
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from psi.law import clock as clock_
from psi.law.checks import whole_number
from psi.law.clock import Clock, ClockState
from psi.law.domain import Outside
from psi.law.features import FACTS
from psi.law.memory import Memory, Trace, begun

COUNTS = ("epoch", "count", "skipped")
MAY_BE_ZERO = ("learning_rate", "stream")
"""A rate of 0 is what min_lr = max_lr · 0 may ask for; a loss of 0 is no ε_0."""
POSITIVE = (*MAY_BE_ZERO, "initial_loss", *FACTS)
PLAIN = tuple(name for name in ClockState._fields if name != "memory")
LATER = tuple(name for name in ClockState._field_defaults if name != "memory")
"""Fields that states of 0.1.0 lack."""
TRACES = (("loss_", "loss"), ("val_", "validation"), ("earlier_", "earlier"))
"""How a field of a trace begins in a saved state, and where the memory has it."""
SINGLE = tuple(name for name in Memory._fields if name not in dict(TRACES).values())
OF_MEMORY = (*(begin for begin, _ in TRACES), "memory_")

StateDict = dict[str, float | int]
"""A `ClockState` as plain numbers, by field; of its memory by `val_last`, `feedback`, …"""
ELSEWHERE = str(Path(__file__).parents[1]), str(Path(np.__file__).parents[1])
"""Folders of code that is not the user's: Ψ's, and that of installed packages."""

UNVALIDATED = (
    "this law answers a validation loss, and none has come: step(loss, val_loss=v), or monitor= of "
    "a callback, tells it. Without one it goes by what else it sees (said once)"
)
FOREIGN = "the rate in force was {:.3g}, not Ψ's {:.3g}: does another schedule set it as well?"


def warn(line: str) -> None:
    """Warn at the user's line: the nearest one that is neither Ψ's nor an installed package's."""
    frame, level = sys._getframe(1), 2
    while frame.f_back and frame.f_code.co_filename.startswith(ELSEWHERE):
        frame, level = frame.f_back, level + 1
    warnings.warn(f"psi: {line}", stacklevel=level)


def observe(clock: Clock, state: ClockState, loss: float, begins: bool) -> ClockState:
    """Take one minibatch's loss; where a run begins it is ε_0, unless that was given."""
    if begins:
        state = clock_.first(clock, state, np.float64(loss), np)
    return clock_.observe(state, np.float64(loss))


def end_epoch(
    clock: Clock, state: ClockState, loss: float | None = None, val_loss: float = math.nan
) -> ClockState:
    """End an epoch: by its own mean loss, or else by the mean of the observed losses.

    `val_loss` is v of the network as it is now, NaN where it is not known.

    Warns, once in a run, where that is no finite number: the last rate stays; where more epochs
    have ended than the budget has; and, after half of them, where a law that sees a validation loss
    has had none.
    """
    if loss is not None:
        state = state._replace(total=np.float64(loss), count=1)
    after = clock_.tick(clock, state, np, np.float64(val_loss))
    if state.skipped == 0 < after.skipped:
        got, until = f"a mean loss of {float(state.total):g}", "a finite one comes"
        if state.count == 0:
            got, until = "no loss", "step(loss) or observe(loss) brings one"
        rate = float(state.learning_rate)
        warn(
            f"epoch {int(state.epoch)} ended with {got}; the rate stays {rate:.3g} until {until} "
            "(said once)"
        )
    if clock_.unvalidated(clock.law, after):
        warn(UNVALIDATED)
    if after.epoch == state.budget + 1:
        warn(
            f"{int(after.epoch)} epochs have ended and epochs={float(state.budget):g}: is the run "
            "longer, or is the schedule called once a minibatch instead of once an epoch? Its last "
            "rates are held (said once)"
        )
    return after


def validated(clock: Clock, state: ClockState, val_loss: float) -> ClockState:
    """The state where v of the network as it is now has come.

    Between epochs it chooses the rate of the next one anew; within one it waits for its end. Before
    the first epoch it is passed over, for nothing has been learnt, and so is what is not finite.
    """
    if not (isinstance(state.memory, Memory) and math.isfinite(val_loss)):
        return state
    if state.count:
        return state._replace(memory=state.memory._replace(pending=np.float64(val_loss)))
    return clock_.validated(clock, state, np.float64(val_loss), np) if state.epoch > 0 else state


def begin_at(clock: Clock, state: ClockState, epoch: int) -> ClockState:
    """The state at the beginning of another epoch, with the last loss that was seen."""
    at = state._replace(epoch=np.asarray(epoch), total=np.asarray(0.0), count=np.asarray(0))
    return clock_.again(replace(clock, max_change=None), at, np)


def restart(clock: Clock, state: ClockState) -> ClockState:
    """Begin epoch 0 now, where the epochs so far were another schedule's, a warm-up's say.

    ε_0 stays what it was; the losses observed since choose this epoch's rate.
    """
    if state.count == 0:
        return state._replace(epoch=np.asarray(0))
    before = state._replace(epoch=np.asarray(-1))
    if isinstance(state.memory, Memory):
        none, zero = np.asarray(math.nan), np.asarray(0.0)
        memory = state.memory._replace(pending=none, before=zero, feedback=zero)
        before = before._replace(memory=memory)
    return clock_.tick(replace(clock, max_change=None), before, np)


def extend(clock: Clock, state: ClockState, epochs: int) -> ClockState:
    """Change the budget T of a run to `epochs`, from its next epoch on.

    Raises ValueError where it is no budget for the clock; warns where so many have ended.
    """
    budget = replace(clock, epochs=epochs).budget
    if state.epoch >= budget:
        warn(f"{int(state.epoch)} epochs have ended and epochs={budget:g}: its last rates are held")
    return state._replace(budget=np.asarray(budget))


def as_float(loss: Any) -> float:
    """A loss as a float.

    Raises ValueError unless it is one number, also in a tensor or array, and no whole number by its
    type: that is an epoch's number or a count.
    """
    if type(loss) is float:
        return loss
    try:
        value = loss.item() if hasattr(loss, "item") else loss
        if isinstance(value, str | bytes):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"a loss must be one number, got {loss!r:.60}") from None
    if isinstance(value, int):
        kind = getattr(loss, "dtype", type(loss).__name__)
        raise ValueError(f"a loss must be a float, in nats, got {loss!r:.60} of type {kind}")
    return number


class Notices:
    """What has been said of a run, so that each thing is said once; `strict` raises instead."""

    def __init__(self, strict: bool) -> None:
        self.strict = strict
        self.outside: dict[str, Outside] = {}
        self._said: set[str] = set()

    def tell(self, *found: Outside) -> None:
        """Say what lies outside of what a law has seen; all that is new in one line.

        Raises ValueError with that line instead where `strict`.
        """
        new = {each.what: each for each in found if each.what not in self.outside}
        if not new:
            return
        line = "outside of what this law has seen: " + "; ".join(map(str, new.values()))
        if self.strict:
            raise ValueError(line)
        self.outside.update(new)
        warn(f"{line} (said once)")

    def once(self, what: str, line: str) -> None:
        """Say a line, unless one about `what` was said before."""
        if what not in self._said:
            self._said.add(what)
            warn(f"{line} (said once)")


def state_dict(state: ClockState) -> StateDict:
    """The state's fields by name, as Python numbers, without facts that are not known."""
    fields = [(name, getattr(state, name)) for name in PLAIN]
    known = [(name, value) for name, value in fields if not (name in LATER and np.isnan(value))]
    plain = {name: int(value) if name in COUNTS else float(value) for name, value in known}
    return plain | _of_memory(state.memory) if isinstance(state.memory, Memory) else plain


def _of_memory(memory: Memory) -> StateDict:
    """Its numbers by name, without those that are not known."""
    traces = [
        (begin + name, value)
        for begin, field in TRACES
        for name, value in getattr(memory, field)._asdict().items()
    ]
    rest = [(f"memory_{name}", getattr(memory, name)) for name in SINGLE]
    return {name: float(value) for name, value in (*traces, *rest) if not np.isnan(value)}


def _memory(saved: Mapping[Any, Any]) -> Memory | tuple[()]:
    """The memory among the fields of a saved state; none where it has none."""
    if not saved:
        return ()
    read = {name: _number(name, saved[name]) for name in saved}
    unseen = np.asarray(math.nan)
    made = [
        Trace(*(read.pop(begin + name, unseen) for name in Trace._fields)) for begin, _ in TRACES
    ]
    rest = {name: read.pop(f"memory_{name}", unseen) for name in SINGLE}
    needed = [*made[0], *made[1][2:], *made[2][2:]]
    needed += [value for name, value in rest.items() if name != "pending"]
    if read or any(map(np.isnan, needed)):
        raise ValueError(
            f"the memory of a saved clock has missing or unknown keys: {sorted(saved)}"
        )
    loss, validation, earlier = made
    return Memory(loss=loss, validation=validation, earlier=earlier, **rest)


def extend_now(clock: Clock, state: ClockState, epochs: int) -> ClockState:
    """As `extend`; an epoch that has had no loss yet has its rate of the new T."""
    state = extend(clock, state, epochs)
    return state if state.count else begin_at(clock, state, int(state.epoch))


def resumed(clock: Clock, found: object, epochs: int | None) -> ClockState:
    """The state of `found` in a run by `clock`; T is `epochs` if that is given.

    Facts are those of the saved run, and the clock's where it knew none. A state of version 0.1.0
    that a law of other facts than P is to go on with is warned of. Raises ValueError as
    `from_state_dict` does.
    """
    state = from_state_dict(found)
    if clock.law.remembers and not state.memory:  # saved under a law that had none
        state = state._replace(memory=begun(state.loss, np))
    elif not clock.law.remembers:
        state = state._replace(memory=())
    old = isinstance(found, Mapping) and "horizon" in found
    if old and {*clock.law.facts} - {"parameters"}:
        name = f"{clock.law.optimizer}@0.1.0"
        warn(f'the saved run is of version 0.1.0; psi.load("{name}") is the law that it had')
    own = {k: np.asarray(v) for k, v in clock.facts.values().items() if np.isnan(getattr(state, k))}
    state = state._replace(**own)
    if epochs is None or epochs == state.budget:
        return state
    saved = "no T" if math.isnan(state.budget) else f"T = {float(state.budget):g}"
    warn(f"the saved run had {saved}; it goes on with epochs={epochs} as newly given")
    return extend_now(clock, state, epochs)


def from_state_dict(found: object) -> ClockState:
    """The state that `state_dict` wrote, on numpy; also one of version 0.1.0.

    Raises ValueError with the key's name where one is missing, unknown or of no use.
    """
    if not isinstance(found, Mapping):
        raise ValueError(f"a saved clock is a mapping of numbers, got {type(found).__name__}")
    if "horizon" in found and "budget" not in found:  # what 0.1.0 called T
        found = {"budget" if name == "horizon" else name: found[name] for name in found}
    found = dict.fromkeys(LATER, math.nan) | dict(found)
    for name in PLAIN:
        if name not in found:
            raise ValueError(f"a saved clock lacks {name!r}")
    memory = {name: found[name] for name in found if str(name).startswith(OF_MEMORY)}
    for name in found:
        if name not in PLAIN and name not in memory:
            raise ValueError(f"a saved clock has no {name!r:.60}")
    plain = {name: _number(name, found[name]) for name in PLAIN}
    return ClockState(**plain, memory=_memory(memory))


def _number(name: str, value: object) -> np.ndarray:
    if name in COUNTS:
        return np.asarray(whole_number(name, value, least=0))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} of a saved clock must be a number, got {value!r:.60}")
    if name != "total" and not (math.isfinite(value) or (math.isnan(value) and name in FACTS)):
        raise ValueError(f"{name} of a saved clock must be finite, got {value}")
    if name == "budget" and value < 1:
        raise ValueError(f"budget of a saved clock must be NaN or >= 1, got {value}")
    if name in POSITIVE and (value < 0 or (value == 0 and name not in MAY_BE_ZERO)):
        raise ValueError(f"{name} of a saved clock must be positive, got {value}")
    return np.asarray(float(value))
