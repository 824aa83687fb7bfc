"""The clock: the one rule by which losses become the inputs of Ψ, and Ψ's value a rate.

Every scheduler and the training engine follow it, over an array namespace `xp` (numpy, jax.numpy):

* ε_i is the mean of the minibatch losses of epoch i−1. ε_0 is given, or else the first
  minibatch's loss, or else the law's typical one.
* α_i = clip(α_0 · Ψ(features), min_lr, max_lr), where Ψ is held in what the law has seen
  (psi/law/evaluation.py) and α_0 = 1 unless the law is scale × shape.
* If asked, the first rates are multiplied by a ramp, and no rate is far from the one before. The
  user's limits come after that and always hold.
* Where ε_i is not finite, or no loss was seen, the last rate stays, the epoch is counted in
  `skipped`, and the next finite loss is used as usual.

A law that reacts to the run has a memory of its losses (psi/law/memory.py), of validation losses
too where they are told, and a feedback u_i, by which it multiplies its rate (psi/law/feedback.py).

`start` → `first` (the first minibatch's loss, before its update) → `observe` (every loss)
→ `tick` (at the end of each epoch) → perhaps `validated` (a validation loss that comes after it).
"""

import math
from typing import Any, NamedTuple

import numpy as np

from psi.law.evaluation import Psi, clip, fed, psi_of
from psi.law.features import FACTS, Observation
from psi.law.law import Law
from psi.law.memory import Memory, aged, begun, told
from psi.law.namespace import Array, Namespace
from psi.law.settings import Clock

MANY = 10
"""Epochs that are waited for a validation loss, T not being known."""


class ClockState(NamedTuple):
    """The rate of a run and what the clock remembers of its losses; shape=() each."""

    learning_rate: Array
    """α_i of the current epoch."""
    epoch: Array
    """i; dtype=int"""
    count: Array
    """Losses observed in epoch i; dtype=int"""
    total: Array
    """Sum of the losses observed in epoch i."""
    loss: Array
    """ε_i, the last finite one."""
    initial_loss: Array
    best_loss: Array
    skipped: Array
    """Epochs whose mean loss was not finite; dtype=int"""
    parameters: Array
    """P; it and the other facts are those of an `Observation`, NaN where they are not known."""
    budget: Array
    """T in epochs, NaN where it is not known; it may be changed at any time of a run."""
    batch: Array = math.nan
    steps: Array = math.nan
    rows: Array = math.nan
    stream: Array = math.nan
    chance_loss: Array = math.nan
    classes: Array = math.nan
    weight_rms: Array = math.nan
    initial_grad_norm: Array = math.nan
    memory: Any = ()
    """The `Memory` of the losses, for a law that sees it; else empty."""


def decide(
    clock: Clock,
    observation: Observation,
    last: Array,
    xp: Namespace,
    psi: Psi | None = None,
) -> Array:
    """α_i for one observation; the rate `last` where its loss or Ψ is not finite.

    A function `psi` replaces the law's own Ψ, for searches over laws.
    """
    fine = xp.isfinite(observation.loss)
    # JAX evaluates both branches of a `where`: Ψ must see a number even where it is not used.
    seen = observation._replace(loss=xp.where(fine, observation.loss, observation.initial_loss))
    with np.errstate(all="ignore"):  # what overflows is clipped or replaced by `last`
        rate = clock.multiplier * psi_of(clock.law, seen, xp, psi)
        if clock.warmup:
            rate = rate * xp.minimum((observation.epoch + 1) / (clock.warmup + 1), 1.0)
        rate = xp.where(fine & xp.isfinite(rate), rate, last)
        if clock.max_change is not None:
            near = clip(rate, (last / clock.max_change, last * clock.max_change), xp)
            rate = xp.where(observation.epoch > 0, near, rate)
        return clip(rate, (clock.min_lr, clock.max_lr), xp)


def rates_over(clock: Clock, loss: np.ndarray, epoch: np.ndarray) -> np.ndarray:
    """α_i at given losses and epochs (arrays of one shape), each as if a run had come there.

    ε_0 is `clock.initial_loss`, or else the law's typical one; nothing is remembered. Raises
    ValueError for a clock with `max_change`, which would need the rate before.
    """
    if clock.max_change is not None:
        raise ValueError(f"rates of single epochs take no max_change, got {clock.max_change}")
    same = np.zeros_like(loss, dtype=float)
    initial, budget = same + clock.typical_loss, same + clock.budget
    facts = {name: same + value for name, value in clock.facts.values().items()}
    best = np.minimum(loss, initial)
    memory = begun(initial, np) if clock.law.remembers else ()
    seen = Observation(epoch, budget, loss, initial, best, same, same, same, **facts, memory=memory)
    return decide(clock, seen, same + clock.lowest_rate, np)


def start(clock: Clock, xp: Namespace) -> ClockState:
    """The state before the first loss: α_0 from the given ε_0, else from the law's typical one."""
    zero = xp.asarray(0)
    loss = xp.asarray(clock.typical_loss, dtype=float)
    state = ClockState(
        learning_rate=xp.asarray(clock.lowest_rate, dtype=float),
        memory=begun(loss, xp) if clock.law.remembers else (),
        epoch=zero,
        count=zero,
        total=xp.asarray(0.0, dtype=float),
        loss=loss,
        initial_loss=loss,
        best_loss=loss,
        skipped=zero,
        budget=xp.asarray(clock.budget, dtype=float),
        **{name: xp.asarray(a, dtype=float) for name, a in clock.facts.values().items()},
    )
    return _with_rate(clock, state, loss, xp)


def first(clock: Clock, state: ClockState, loss: Array, xp: Namespace) -> ClockState:
    """Take ε_0 from the first minibatch's loss, unless it was given or `loss` is not positive."""
    if clock.initial_loss is not None:
        return state
    state = _begun(state, loss, xp)
    return _with_rate(clock, state, state.loss, xp)


def measured(clock: Clock, state: ClockState, norm: Array, xp: Namespace) -> ClockState:
    """The state where ‖g_0‖ has been seen, its rate chosen anew."""
    return _with_rate(clock, state._replace(initial_grad_norm=norm), state.loss, xp)


def observe(state: ClockState, loss: Array) -> ClockState:
    """Add one minibatch's loss to the mean of the current epoch."""
    with np.errstate(all="ignore"):  # a sum that overflows makes the epoch a skipped one
        return state._replace(total=state.total + loss, count=state.count + 1)


def tick(clock: Clock, state: ClockState, xp: Namespace, val_loss: Array = math.nan) -> ClockState:
    """End epoch i−1 and choose α_i from its mean loss, and v_i where it is known."""
    state, mean = _ended(state, val_loss, xp)
    return _with_rate(clock, state, mean, xp)


def validated(clock: Clock, state: ClockState, val_loss: Array, xp: Namespace) -> ClockState:
    """Take v_i, which came after the tick that began epoch i, and choose α_i anew."""
    if not isinstance(state.memory, Memory):
        return state
    memory = told(state.memory, xp, val=val_loss)
    loss = xp.where(memory.came > 0, state.loss, math.nan)
    # As in `tick`, the limit of change is from the rate before.
    last = xp.where((memory.came > 0) & (state.epoch > 0), memory.rate, state.learning_rate)
    return _with_rate(clock, state._replace(memory=memory, learning_rate=last), loss, xp)


def unvalidated(law: Law, state: ClockState) -> bool:
    """Whether half of the epochs have just ended, and a law that sees a validation loss had none.

    Where T is not known, MANY epochs.
    """
    half = MANY if np.isnan(state.budget) else max(2, math.ceil(state.budget / 2))
    sees = state.epoch == half and any(name.startswith("val_") for name in law.features)
    return sees and bool(np.isnan(state.memory.validation.best))


def again(clock: Clock, state: ClockState, xp: Namespace) -> ClockState:
    """Choose α_i anew, where the epoch or what is known of the run has been changed."""
    return _with_rate(clock, state, state.loss, xp)


def turn(
    clock: Clock, state: ClockState, loss: Array, begins: Array, ends: Array, xp: Namespace,
    val_loss: Array = math.nan,
) -> ClockState:  # fmt: skip
    """`first` where a run begins, `tick` where an epoch ends, else no change; without a branch.

    For compiled loops, where a decision costs less than a branch around it: XLA would put the
    branch behind the whole backward pass.
    """
    after, mean = _ended(state, val_loss, xp)
    after = _where(ends, after, state, xp)
    if clock.initial_loss is None:
        after = _where(begins, _begun(state, loss, xp), after, xp)
    chosen = _with_rate(clock, after, xp.where(ends, mean, after.loss), xp)
    return _where(begins | ends, chosen, after, xp)


def remembered(
    memory: Memory | tuple[()], loss: Array, val_loss: Array, xp: Namespace
) -> Memory | tuple[()]:
    """The memory where an epoch has ended with this mean loss, and perhaps a validation loss."""
    if not isinstance(memory, Memory):
        return ()
    held = xp.where(xp.isfinite(val_loss), val_loss, memory.pending)
    none = xp.full_like(memory.pending, math.nan)
    return told(aged(memory, xp), xp, loss, held)._replace(pending=none)


def _begun(state: ClockState, loss: Array, xp: Namespace) -> ClockState:
    good = xp.isfinite(loss) & (loss > 0)
    loss = xp.where(good, loss, state.initial_loss)
    memory = begun(loss, xp) if state.memory else ()
    return state._replace(loss=loss, initial_loss=loss, best_loss=loss, memory=memory)


def _ended(state: ClockState, val_loss: Array, xp: Namespace) -> tuple[ClockState, Array]:
    """The state in the next epoch, still at the last one's rate, and the last one's mean loss."""
    with np.errstate(all="ignore"):
        mean = state.total / state.count  # no number where there was no loss: 0/0
    fine = xp.isfinite(mean)
    loss = xp.where(fine, mean, state.loss)
    memory = remembered(state.memory, mean, val_loss, xp)
    if isinstance(memory, Memory):
        memory = memory._replace(rate=state.learning_rate)
    ended = state._replace(
        epoch=state.epoch + 1,
        count=state.count * 0,
        total=xp.zeros_like(state.total),
        loss=loss,
        best_loss=xp.minimum(loss, state.best_loss),
        skipped=state.skipped + ~fine,
        memory=memory,
    )
    return ended, mean


def _where(when: Array, one: Any, other: Any, xp: Namespace) -> Any:
    if one is other or not isinstance(one, tuple):
        return one if one is other else xp.where(when, one, other)
    parts = [_where(when, a, b, xp) for a, b in zip(one, other, strict=True)]
    return type(one)(*parts) if parts else ()


def observed(state: ClockState, loss: Array) -> Observation:
    """What a law may see where the last epoch's mean loss was `loss`."""
    return Observation(
        epoch=state.epoch,
        loss=loss,
        initial_loss=state.initial_loss,
        best_loss=state.best_loss,
        grad_norm=0.0,
        update_norm=0.0,
        weight_norm=0.0,
        **{name: getattr(state, name) for name in FACTS},
        memory=state.memory,
    )


def _with_rate(clock: Clock, state: ClockState, loss: Array, xp: Namespace) -> ClockState:
    observation = observed(state, loss)
    if state.memory:
        observation = observation._replace(memory=fed(clock.law, state.memory, observation, xp))
        state = state._replace(memory=observation.memory)
    return state._replace(learning_rate=decide(clock, observation, state.learning_rate, xp))
