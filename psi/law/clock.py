"""The clock: how a stream of minibatch losses becomes the inputs of Ψ, and Ψ's value a rate.

The one rule for the engine and every adapter, over an array namespace `xp` (numpy or jax.numpy):

* ε_i is the mean of the minibatch losses of epoch i−1; ε_0 is given, or the first minibatch's
  loss, or else the law's own typical value.
* α_i = clip(α_0 · clip(Ψ(clip(features, domain)), rates of the law), min_lr, max_lr), with
  α_0 = 1 unless the law is a shape that has a scale.
* If asked, the first rates are a ramp, and none is far from the one before: between Ψ and the
  user's limits, which always win.
* Where ε_i is not finite, or no loss was seen, the last rate stays, the epoch is counted in
  `skipped`, and the next finite loss takes over.

`start` → `first` (the first minibatch's loss, before its update) → `observe` (every loss)
→ `tick` (at the end of each epoch).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Integral
from typing import NamedTuple

import numpy as np

from psi.law.features import FEATURES, Observation
from psi.law.law import Law
from psi.law.namespace import Array, Namespace


@dataclass(frozen=True)
class Clock:
    """A law in use: over how many epochs, from which ε_0, within which rates.

    Raises ValueError where a number makes no sense.
    """

    law: Law
    epochs: int | None = None
    """T, the budget; None where it is not known, for a law that does not see i/T."""
    initial_loss: float | None = None
    """ε_0 in nats, log(classes) for cross-entropy; None: the first minibatch's loss."""
    min_lr: float = 1e-6
    max_lr: float = 10.0
    scale: Array | None = None
    """α_0 of a law that is scale × shape, a number or a traced scalar; None: the law's own."""
    parameters: int | None = None
    """P, for a law that sees it; None: the middle of the law's domain."""
    warmup: int = 0
    """Epochs of a ramp: α_i is (i + 1)/(warmup + 1) of what it would be, up to 1."""
    max_change: float | None = None
    """By what factor α_i may differ from α_{i−1}, up or down; None: by any."""

    def __post_init__(self) -> None:
        if not isinstance(self.law, Law):
            raise ValueError(f"law must be a psi.Law (psi.load reads one), got {self.law!r:.60}")
        if self.epochs is not None:
            object.__setattr__(self, "epochs", whole_number("epochs", self.epochs))
        elif "progress" in self.law.features:
            raise ValueError("this law sees i/T: epochs must be given, got None")
        if self.initial_loss is not None:
            check_positive("initial_loss", self.initial_loss)
        if not 0 <= self.min_lr <= self.max_lr < math.inf or self.max_lr == 0:
            raise ValueError(
                f"rates must be 0 <= min_lr <= max_lr, got {self.min_lr} and {self.max_lr}"
            )
        if self.scale is not None and self.law.scale is None:
            raise ValueError(
                f"this law gives rates by itself: scale must be None, got {self.scale}"
            )
        # A traced scalar shows its value to nobody.
        if isinstance(self.scale, int | float):
            check_positive("scale", self.scale)
        if self.parameters is not None and not self.parameters >= 1:
            raise ValueError(f"parameters must be >= 1, got {self.parameters}")
        object.__setattr__(self, "warmup", whole_number("warmup", self.warmup, least=0))
        if self.max_change is not None and not 1 < self.max_change < math.inf:
            raise ValueError(f"max_change must be a factor above 1, got {self.max_change}")

    def at_scale(self, scale: Array) -> "Clock":
        """The same with another α_0, or itself where the law has no scale."""
        return self if self.law.scale is None else replace(self, scale=scale)

    @property
    def multiplier(self) -> Array:
        """What Ψ is multiplied by: α_0, 1 for a law without a scale."""
        return (self.law.scale or 1.0) if self.scale is None else self.scale

    @property
    def parameter_count(self) -> float:
        """P as the law is told it: given, or the geometric middle of its domain."""
        if self.parameters is not None or "parameters" not in self.law.features:
            return float(self.parameters or 1)
        low, high = self.law.domain[self.law.features.index("parameters")]
        return math.sqrt(low) * math.sqrt(high)

    @property
    def budget(self) -> float:
        """T, NaN where it is not known."""
        return math.nan if self.epochs is None else float(self.epochs)

    @property
    def lowest_rate(self) -> Array:
        """The lowest rate of the law, what a run has before its first finite loss."""
        return self.multiplier * self.law.rates.low


class ClockState(NamedTuple):
    """Where the clock stands. Scalars; shape=()."""

    learning_rate: Array
    """α_i of the epoch under way."""
    epoch: Array
    """i; dtype=int"""
    count: Array
    """Losses observed in epoch i; dtype=int"""
    total: Array
    """Their sum."""
    loss: Array
    """ε_i, the last finite one."""
    initial_loss: Array
    best_loss: Array
    skipped: Array
    """Epochs whose mean loss was not finite; dtype=int"""
    parameters: Array
    """P"""
    budget: Array
    """T, NaN where it is not known; a run that goes on for longer may change it at any time."""


def whole_number(name: str, number: object, least: int = 1) -> int:
    """The number as an int. Raises ValueError unless it is a whole number >= least."""
    # numpy's whole numbers are Integral too, and so is True.
    if isinstance(number, bool) or not isinstance(number, Integral) or number < least:
        raise ValueError(f"{name} must be a whole number >= {least}, got {number!r:.60}")
    return int(number)


def check_positive(name: str, number: float) -> None:
    """Raises ValueError unless the number is positive and finite."""
    if not 0 < number < math.inf:
        raise ValueError(f"{name} must be positive and finite, got {number}")


def decide(
    clock: Clock,
    observation: Observation,
    last: Array,
    xp: Namespace,
    psi: Callable[[Array, Namespace], Array] | None = None,
) -> Array:
    """α_i for one observation; `last` where its loss is not finite or Ψ is not.

    With `psi` that function stands for the law's own: a search over laws asks this way.
    """
    law, psi = clock.law, psi or clock.law
    fine = xp.isfinite(observation.loss)
    # JAX evaluates both branches of a `where`: Ψ must see a number even where it is not used.
    seen = observation._replace(loss=xp.where(fine, observation.loss, observation.initial_loss))
    # A number that overflows is clipped or passed over here: no news to warn of.
    with np.errstate(all="ignore"):
        features = [FEATURES[name](seen) for name in law.features]
        clipped = [_clip(f, each, xp) for f, each in zip(features, law.domain, strict=True)]
        rate = clock.multiplier * _clip(psi(xp.stack(clipped), xp), law.rates, xp)
        if clock.warmup:
            rate = rate * xp.minimum((observation.epoch + 1) / (clock.warmup + 1), 1.0)
        rate = xp.where(fine & xp.isfinite(rate), rate, last)
        if clock.max_change:
            near = _clip(rate, (last / clock.max_change, last * clock.max_change), xp)
            rate = xp.where(observation.epoch > 0, near, rate)
        return _clip(rate, (clock.min_lr, clock.max_lr), xp)


def _clip(a: Array, ends: tuple[Array, Array], xp: Namespace) -> Array:
    # Of a single number numpy's own clip takes five times as long.
    return xp.minimum(xp.maximum(a, ends[0]), ends[1])


def rates_over(clock: Clock, loss: np.ndarray, epoch: np.ndarray) -> np.ndarray:
    """α_i at given losses and epochs (arrays of one shape), as a run there would get them.

    `clock.initial_loss`, or else the law's typical one, stands for ε_0. Each rate is by itself:
    raises ValueError for a clock with `max_change`.
    """
    if clock.max_change:
        raise ValueError(f"rates by themselves have no max_change, got {clock.max_change}")
    same = np.zeros_like(loss, dtype=float)
    initial = same + (clock.initial_loss or clock.law.initial_loss)
    best = np.minimum(loss, initial)
    seen = Observation(
        epoch,
        same + clock.budget,
        loss,
        initial,
        best,
        same,
        same,
        same,
        same + clock.parameter_count,
    )
    return decide(clock, seen, same + clock.lowest_rate, np)


def start(clock: Clock, xp: Namespace) -> ClockState:
    """Before the first loss: α_0 for the given ε_0, else for the law's typical one."""
    zero = xp.asarray(0)
    loss = xp.asarray(clock.initial_loss or clock.law.initial_loss, dtype=float)
    state = ClockState(
        learning_rate=xp.asarray(clock.lowest_rate, dtype=float),
        epoch=zero,
        count=zero,
        total=xp.asarray(0.0, dtype=float),
        loss=loss,
        initial_loss=loss,
        best_loss=loss,
        skipped=zero,
        parameters=xp.asarray(clock.parameter_count, dtype=float),
        budget=xp.asarray(clock.budget, dtype=float),
    )
    return _with_rate(clock, state, loss, xp)


def first(clock: Clock, state: ClockState, loss: Array, xp: Namespace) -> ClockState:
    """Take ε_0 from the first minibatch's loss, unless it was given or `loss` is of no use."""
    if clock.initial_loss is not None:
        return state
    state = _begun(state, loss, xp)
    return _with_rate(clock, state, state.loss, xp)


def observe(state: ClockState, loss: Array) -> ClockState:
    """Take one minibatch's loss into the mean of the epoch under way."""
    with np.errstate(all="ignore"):  # a sum that overflows makes the epoch a skipped one
        return state._replace(total=state.total + loss, count=state.count + 1)


def tick(clock: Clock, state: ClockState, xp: Namespace) -> ClockState:
    """End epoch i−1 and choose α_i from its mean loss."""
    state, mean = _ended(state, xp)
    return _with_rate(clock, state, mean, xp)


def turn(
    clock: Clock, state: ClockState, loss: Array, begins: Array, ends: Array, xp: Namespace
) -> ClockState:
    """`first` where a run begins, `tick` where an epoch ends, else the same, without a branch.

    For compiled loops: the few numbers of a decision cost less than a branch around them, which
    XLA would put behind all of the backward pass.
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
    """The next epoch, still at the rate of the last, and that one's mean loss."""
    with np.errstate(all="ignore"):
        mean = state.total / state.count  # no number where there was no loss: 0/0
    fine = xp.isfinite(mean)
    ended = state._replace(
        epoch=state.epoch + 1,
        count=state.count * 0,
        total=xp.zeros_like(state.total),
        loss=xp.where(fine, mean, state.loss),
        best_loss=xp.where(fine, xp.minimum(mean, state.best_loss), state.best_loss),
        skipped=state.skipped + ~fine,
    )
    return ended, mean


def _where(when: Array, one: ClockState, other: ClockState, xp: Namespace) -> ClockState:
    pairs = zip(one, other, strict=True)
    return ClockState(*(a if a is b else xp.where(when, a, b) for a, b in pairs))


def _with_rate(clock: Clock, state: ClockState, loss: Array, xp: Namespace) -> ClockState:
    observation = Observation(
        epoch=state.epoch,
        budget=state.budget,
        loss=loss,
        initial_loss=state.initial_loss,
        best_loss=state.best_loss,
        grad_norm=0.0,
        update_norm=0.0,
        weight_norm=0.0,
        parameters=state.parameters,
    )
    return state._replace(learning_rate=decide(clock, observation, state.learning_rate, xp))
