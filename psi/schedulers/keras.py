"""A law as a Keras 3 callback, on any backend."""

from dataclasses import replace
from typing import Any

import keras
import numpy as np

from psi.law.checks import whole_number
from psi.law.clock import Clock, start
from psi.law.law import Law
from psi.schedulers import host


class PsiSchedule(keras.callbacks.Callback):
    """Set the rate of each epoch from the training loss before it, α_i = Ψ(ε, i).

    The rate replaces the optimizer's when `fit` begins, and is logged as `learning_rate`. A loss
    that is not finite keeps the rate and warns once. A law that sees the number of parameters
    counts the model's trainable ones. A second `fit` with the same object goes on where the first
    ended.

    With `every` = N a decision period is N minibatches instead of an epoch, and `epochs` and
    `warmup` count periods. Keras reports the mean loss since the epoch began, so that a loss that
    is not finite hides the others of its epoch.

    Args:
        law: a law for the model's optimizer.
        epochs: T, the budget in epochs; None only for a law that does not see i/T.
        initial_loss: ε_0 in nats, log(classes) for cross-entropy; None: the law's typical one, or
            with `every` the first minibatch's loss.
        scale: α_0 of a law that is scale × shape; None: the law's own.
        min_lr: lower limit of the rate, which always holds.
        max_lr: upper limit of the rate, which always holds.
        every: minibatches of a decision period; None: those of an epoch.
        warmup: epochs of a ramp: α_i is multiplied by min((i + 1)/(warmup + 1), 1).
        max_change: the factor by which α_i may differ from α_{i−1}, up or down; None: any.

    Raises:
        ValueError: a setting makes no sense; or, when `fit` begins, the optimizer's rate cannot be
            set because it is a schedule or there are several optimizers.

    Example:
        >>> import keras, numpy as np, psi
        >>> from psi.schedulers import PsiSchedule
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> model.compile(optimizer=keras.optimizers.SGD(1.0), loss="mse")  # Ψ replaces 1.0
        >>> x = np.random.default_rng(0).normal(size=(64, 2))
        >>> schedule = PsiSchedule(psi.load("sgd"), epochs=5)
        >>> history = model.fit(
        ...     x, x.sum(1, keepdims=True), epochs=5, verbose=0, callbacks=[schedule]
        ... ).history
        >>> len(history["learning_rate"]), schedule.skipped
        (5, 0)
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
        limits = min_lr, max_lr
        self._clock = Clock(law, epochs, initial_loss, *limits, scale, None, warmup, max_change)
        self._every = None if every is None else whole_number("every", every)
        self._state = start(self._clock, np)
        self._sum = 0.0  # of the losses of this epoch's minibatches so far
        self._batches = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Set the rate; at the beginning of a run, count the model's parameters."""
        del logs
        if self._begins():
            counted = sum(int(np.prod(w.shape)) for w in self._trained.trainable_weights)
            self._clock = replace(self._clock, parameters=max(counted, 1))
            self._state = start(self._clock, np)
        self._set()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keras begins a new mean of losses."""
        del epoch, logs
        self._sum, self._batches = 0.0, 0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """With `every`, take a minibatch's loss and perhaps end the period."""
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
        """Log the epoch's rate and set the next one."""
        del epoch
        used = float(self._state.learning_rate)
        if self._every is None:
            self._state = host.end_epoch(self._clock, self._state, host.as_float(_loss(logs)))
            self._set()
        if logs is not None:
            logs["learning_rate"] = used

    def extend(self, epochs: int) -> None:
        """Change the budget T to `epochs`, from the next period on."""
        self._state = host.extend(self._state, epochs)

    @property
    def skipped(self) -> int:
        """Periods so far whose loss was not finite."""
        return int(self._state.skipped)

    def state_dict(self) -> host.StateDict:
        """The state as plain numbers, without the law; take it between epochs."""
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
        if hasattr(self._trained, "jax_state_sync"):  # write back what a compiled epoch carries
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
