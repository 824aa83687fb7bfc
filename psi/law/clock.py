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

`start` → `first` (the first minibatch's loss, before its update) → `observe` (every loss)
→ `tick` (at the end of each epoch).
"""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from psi.law.checks import check_positive, is_number, whole_number
from psi.law.evaluation import Psi, clip, psi_of
from psi.law.facts import UNKNOWN, Facts
from psi.law.features import FACTS, Observation
from psi.law.law import Law
from psi.law.namespace import Array, Namespace


@dataclass(frozen=True)
class Clock:
    """A law in use, with the settings of one run.

    Args:
        law: the law Ψ.
        epochs: T, the budget in epochs; None only for a law that sees neither it nor i/T.
        initial_loss: ε_0 in nats, log(classes) for cross-entropy; None: the first minibatch's loss.
        min_lr: lower limit of the rate, which always holds.
        max_lr: upper limit of the rate, which always holds.
        scale: α_0 of a law that is scale × shape; None: the law's own.
        facts: what is known of the training, for a law that sees it.
        warmup: epochs of a ramp: α_i is multiplied by min((i + 1)/(warmup + 1), 1).
        max_change: the factor by which α_i may differ from α_{i−1}, up or down; None: any.

    `initial_loss`, the limits, `scale` and `max_change` may also be traced scalars.

    Raises:
        ValueError: a setting makes no sense; the message gives the rule and the value.

    Example:
        >>> import numpy as np
        >>> import psi
        >>> from psi.law.clock import Clock, observe, start, tick
        >>> clock = Clock(psi.load("momentum"), epochs=20, initial_loss=2.3, max_lr=0.5)
        >>> state = start(clock, np)  # sets α_0
        >>> for loss in (2.3, 2.0, 1.7):  # of the minibatches of epoch 0
        ...     state = observe(state, loss)
        >>> state = tick(clock, state, np)  # sets α_1
        >>> int(state.epoch), round(float(state.loss), 6), float(state.learning_rate) <= 0.5
        (1, 2.0, True)
    """

    law: Law
    epochs: int | None = None
    initial_loss: Array | None = None
    min_lr: Array = 1e-6
    max_lr: Array = 10.0
    scale: Array | None = None
    facts: Facts = UNKNOWN
    warmup: int = 0
    max_change: Array | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.law, Law):
            raise ValueError(f"law must be a psi.Law (psi.load reads one), got {self.law!r:.60}")
        if self.epochs is not None:
            object.__setattr__(self, "epochs", whole_number("epochs", self.epochs))
        elif {"progress", "budget"} & set(self.law.features):
            seen = "i/T" if "progress" in self.law.features else "T"
            raise ValueError(f"this law sees {seen}: epochs must be given, got None")
        for name in ("initial_loss", "min_lr", "max_lr", "scale", "max_change"):
            if isinstance(value := getattr(self, name), str | bytes | bool):
                raise ValueError(f"{name} must be a number, got {value!r:.60}")
        # What is traced (optax.inject_hyperparams under jit) has no value to check.
        for name in ("initial_loss", "scale"):
            if is_number(value := getattr(self, name)):
                check_positive(name, value)
        low, high = self.min_lr, self.max_lr
        if is_number(low) and is_number(high) and not (0 <= low <= high < math.inf and high):
            raise ValueError(f"rates must be 0 <= min_lr <= max_lr, got {low} and {high}")
        if self.scale is not None and self.law.scale is None:
            raise ValueError(f"this law gives rates itself: scale must be None, got {self.scale}")
        if not isinstance(self.facts, Facts):
            raise ValueError(f"facts must be psi.Facts(…), got {self.facts!r:.60}")
        object.__setattr__(self, "warmup", whole_number("warmup", self.warmup, least=0))
        if self.epochs is not None and 0 < self.epochs <= self.warmup:
            raise ValueError(f"warmup must be < epochs = {self.epochs}, got {self.warmup}")
        if is_number(self.max_change) and not 1 < self.max_change < math.inf:
            raise ValueError(f"max_change must be a factor above 1, got {self.max_change}")

    def at_scale(self, scale: Array) -> "Clock":
        """The clock with another α_0; the same clock where the law has no scale."""
        return self if self.law.scale is None else replace(self, scale=scale)

    @property
    def multiplier(self) -> Array:
        """α_0, by which Ψ is multiplied: 1 for a law without a scale."""
        return (self.law.scale or 1.0) if self.scale is None else self.scale

    @property
    def typical_loss(self) -> Array:
        """ε_0 in nats before any loss was seen: as given, or else the law's typical one."""
        return self.law.initial_loss if self.initial_loss is None else self.initial_loss

    @property
    def budget(self) -> float:
        """T in epochs, NaN where it is not known."""
        return math.nan if self.epochs is None else float(self.epochs)

    @property
    def lowest_rate(self) -> Array:
        """The law's lowest rate, which a run has before its first finite loss."""
        return self.multiplier * self.law.rates.low


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

    ε_0 is `clock.initial_loss`, or else the law's typical one. Raises ValueError for a clock with
    `max_change`, which would need the rate before.
    """
    if clock.max_change is not None:
        raise ValueError(f"rates of single epochs take no max_change, got {clock.max_change}")
    same = np.zeros_like(loss, dtype=float)
    initial, budget = same + clock.typical_loss, same + clock.budget
    facts = {name: same + value for name, value in clock.facts.values().items()}
    best = np.minimum(loss, initial)
    seen = Observation(epoch, budget, loss, initial, best, same, same, same, **facts)
    return decide(clock, seen, same + clock.lowest_rate, np)


def start(clock: Clock, xp: Namespace) -> ClockState:
    """The state before the first loss: α_0 from the given ε_0, else from the law's typical one."""
    zero = xp.asarray(0)
    loss = xp.asarray(clock.typical_loss, dtype=float)
    state = ClockState(
        learning_rate=xp.asarray(clock.lowest_rate, dtype=float),
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


def tick(clock: Clock, state: ClockState, xp: Namespace) -> ClockState:
    """End epoch i−1 and choose α_i from its mean loss."""
    state, mean = _ended(state, xp)
    return _with_rate(clock, state, mean, xp)


def turn(
    clock: Clock, state: ClockState, loss: Array, begins: Array, ends: Array, xp: Namespace
) -> ClockState:
    """`first` where a run begins, `tick` where an epoch ends, else no change; without a branch.

    For compiled loops, where a decision costs less than a branch around it: XLA would put the
    branch behind the whole backward pass.
    """
    after, mean = _ended(state, xp)
    after = _where(ends, after, state, xp)
    if clock.initial_loss is None:
        after = _where(begins, _begun(state, loss, xp), after, xp)
    chosen = _with_rate(clock, after, xp.where(ends, mean, after.loss), xp)
    return _where(begins | ends, chosen, after, xp)


def _begun(state: ClockState, loss: Array, xp: Namespace) -> ClockState:
    good = xp.isfinite(loss) & (loss > 0)
    loss = xp.where(good, loss, state.initial_loss)
    return state._replace(loss=loss, initial_loss=loss, best_loss=loss)


def _ended(state: ClockState, xp: Namespace) -> tuple[ClockState, Array]:
    """The state in the next epoch, still at the last one's rate, and the last one's mean loss."""
    with np.errstate(all="ignore"):
        mean = state.total / state.count  # no number where there was no loss: 0/0
    fine = xp.isfinite(mean)
    loss = xp.where(fine, mean, state.loss)
    ended = state._replace(
        epoch=state.epoch + 1,
        count=state.count * 0,
        total=xp.zeros_like(state.total),
        loss=loss,
        best_loss=xp.minimum(loss, state.best_loss),
        skipped=state.skipped + ~fine,
    )
    return ended, mean


def _where(when: Array, one: ClockState, other: ClockState, xp: Namespace) -> ClockState:
    pairs = zip(one, other, strict=True)
    return ClockState(*(a if a is b else xp.where(when, a, b) for a, b in pairs))


def _with_rate(clock: Clock, state: ClockState, loss: Array, xp: Namespace) -> ClockState:
    observation = Observation(
        epoch=state.epoch,
        loss=loss,
        initial_loss=state.initial_loss,
        best_loss=state.best_loss,
        grad_norm=0.0,
        update_norm=0.0,
        weight_norm=0.0,
        **{name: getattr(state, name) for name in FACTS},
    )
    return state._replace(learning_rate=decide(clock, observation, state.learning_rate, xp))
