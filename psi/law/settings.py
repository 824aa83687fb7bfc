"""A law in use, with the settings of one run, which the clock goes by."""

import math
from dataclasses import dataclass, replace

from psi.law.checks import check_positive, is_number, whole_number
from psi.law.facts import UNKNOWN, Facts
from psi.law.law import Law
from psi.law.namespace import Array


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
