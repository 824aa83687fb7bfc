"""A law as a Keras 3 callback, on any backend.

schedule = PsiSchedule(psi.load("adam"), epochs=20, initial_loss=math.log(10))
model.fit(x, y, epochs=20, callbacks=[schedule])
"""

from dataclasses import replace
from typing import Any

import keras
import numpy as np

from psi.law.checks import whole_number
from psi.law.clock import Clock, start
from psi.law.law import Law
from psi.schedulers import host


class PsiSchedule(keras.callbacks.Callback):
    """α_{i+1} = Ψ(ε, i + 1), set after epoch i from that epoch's mean training loss.

    The rate is absolute: it replaces the optimizer's, from the start of `fit`: α_0 comes from
    `initial_loss` (ε_0 in nats, log(classes) for cross-entropy), else from the law's typical one.
    The rate that an epoch had is logged as `learning_rate`. With `every` = N a decision period is N
    minibatches instead of an epoch, and `epochs` counts periods; Keras tells the mean loss since
    the epoch began, so that one loss that is not finite hides those that follow within the epoch.

    A loss that is not finite keeps the rate and warns once. A law that is scale × shape takes its
    α_0 from `scale`, else its own typical one; one that sees the number of parameters counts the
    model's trainable ones. `warmup` (periods) and `max_change` (a factor) are those of
    `psi.law.clock.Clock`. A second `fit` with the same object goes on where the first ended.

    Raises ValueError for numbers that make no sense, and when `fit` begins where the optimizer's
    rate cannot be set: it was compiled with a schedule, or is several optimizers.
    """

    def __init__(
        self,
        law: Law,
        epochs: int | None = None,
        initial_loss: float | None = None,
        scale: float | None = None,
        min_lr: float = 1e-6,
        max_lr: float = 10.0,
        *,
        every: int | None = None,
        warmup: int = 0,
        max_change: float | None = None,
    ) -> None:
        super().__init__()
        self._clock = Clock(
            law, epochs, initial_loss, min_lr, max_lr, scale, None, warmup, max_change
        )
        self._every = None if every is None else whole_number("every", every)
        self._state = start(self._clock, np)
        self._sum = 0.0  # of this epoch's losses, and how many they are
        self._batches = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Set the rate, and count the model's parameters before the first."""
        del logs
        if self._begins():
            counted = sum(int(np.prod(w.shape)) for w in self._trained.trainable_weights)
            self._clock = replace(self._clock, parameters=max(counted, 1))
            self._state = start(self._clock, np)
        self._set()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keras begins its mean anew."""
        del epoch, logs
        self._sum, self._batches = 0.0, 0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Take a minibatch's loss, where they are asked for; perhaps the period ends."""
        if self._every is None:
            return
        steps = batch + 1 - self._batches  # more than one with steps_per_execution
        total = host.as_float(_loss(logs)) * (batch + 1)
        begins = self._begins()
        self._state = host.observe(self._clock, self._state, (total - self._sum) / steps, begins)
        self._sum, self._batches = total, batch + 1
        ends = self._state.count * steps >= self._every
        if ends:
            self._state = host.end_epoch(self._clock, self._state)
        if ends or begins:
            self._set()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Log the rate that was, and set the next."""
        del epoch
        had = float(self._state.learning_rate)
        if self._every is None:
            self._state = host.end_epoch(self._clock, self._state, host.as_float(_loss(logs)))
            self._set()
        if logs is not None:
            logs["learning_rate"] = had

    def extend(self, epochs: int) -> None:
        """Go on to another budget: T from the next period on."""
        self._state = host.extend(self._state, epochs)

    @property
    def skipped(self) -> int:
        """Periods so far whose loss was not finite."""
        return int(self._state.skipped)

    def state_dict(self) -> host.StateDict:
        """Plain numbers, without the law; to be taken between epochs."""
        return host.state_dict(self._state)

    def load_state_dict(self, state: host.StateDict) -> None:
        """Go on from what `state_dict` gave. Raises ValueError with the key that is of no use."""
        self._state = host.from_state_dict(state)
        self._clock = replace(self._clock, parameters=int(self._state.parameters))

    @property
    def _trained(self) -> Any:
        if self.model is None:
            raise ValueError("PsiSchedule is a callback: model.fit(…, callbacks=[schedule])")
        return self.model

    def _begins(self) -> bool:
        return bool(self._state.epoch == 0 and self._state.count == 0)

    def _set(self) -> None:
        optimizer = self._trained.optimizer
        if hasattr(self._trained, "jax_state_sync"):  # what a jitted epoch carries comes first
            self._trained.jax_state_sync()
        try:
            if hasattr(optimizer, "optimizers"):
                raise TypeError
            optimizer.learning_rate = float(self._state.learning_rate)
        except (TypeError, AttributeError):
            raise ValueError(
                "Ψ replaces the rate of one optimizer, which must be a number and no schedule: "
                f"compile with a float learning_rate, got {optimizer.name}"
            ) from None


def _loss(logs: dict[str, Any] | None) -> Any:
    if not logs or "loss" not in logs:
        raise ValueError(f"the logs must hold the loss, got {sorted(logs or ())}")
    return logs["loss"]
