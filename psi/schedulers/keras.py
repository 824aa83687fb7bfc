"""A law as a Keras 3 callback, on any backend."""

import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from psi.law.checks import whole_number
from psi.law.clock import Clock, start
from psi.law.domain import Outside, outside_loss, outside_run
from psi.law.facts import UNKNOWN, Facts
from psi.law.file import write_atomic
from psi.law.law import Law
from psi.schedulers import host
from psi.schedulers.counting import completed
from psi.schedulers.keras_models import parameters, recognised, weight_rms
from psi.schedulers.kin import outside_optimizer
from psi.schedulers.told import Told

BACKUP = "psi.json"  # beside the files of BackupAndRestore


class PsiSchedule(Told, keras.callbacks.Callback):
    """Set the rate of each epoch from the training loss before it, α_i = Ψ(ε, i).

    The rate replaces the optimizer's when `fit` begins, and is logged as `learning_rate`. A loss
    that is not finite keeps the rate and warns once. For a law that sees facts, the number of
    trainable parameters, their root mean square and the steps of an epoch are counted when `fit`
    begins; `facts` gives others. A run outside of what the law has seen is warned of once,
    `outside` holds what is.

    The epoch is the one that `fit` counts: with `initial_epoch` or a BackupAndRestore the schedule
    goes on from there, with the losses it has seen or finds in `backup_dir`. A second `fit` from
    epoch 0 with the same object begins anew where all epochs of the first have ended or the model
    is another; else the schedule goes on. It says so.

    With `every` = N a decision period is N minibatches instead of an epoch, and `epochs` and
    `warmup` count periods. Keras reports the mean loss since the epoch began, so that a loss that
    is not finite hides the others of its epoch.

    Args:
        law: a law for the model's optimizer.
        epochs: T, the budget in epochs; None: that of `fit`.
        initial_loss: ε_0 in nats, log(classes) for cross-entropy; None: the law's typical one, or
            with `every` the first minibatch's loss.
        scale: α_0 of a law that is scale × shape; None: the law's own.
        min_lr: lower limit of the rate, which always holds.
        max_lr: upper limit of the rate, which always holds.
        every: minibatches of a decision period; None: those of an epoch.
        warmup: epochs of a ramp: α_i is multiplied by min((i + 1)/(warmup + 1), 1).
        max_change: the factor by which α_i may differ from α_{i−1}, up or down; None: any.
        monitor: the logs' name of the validation loss, for a law that sees it.
        backup_dir: the folder of a `keras.callbacks.BackupAndRestore`: the state is kept in it
            after each epoch, and read from it where `fit` goes on.
        strict: raise where the run is outside of what the law has seen, instead of warning.
        facts: what is known of the training, for a law that sees it: `psi.Facts.of(model, (x, y))`.

    Raises:
        ValueError: a setting makes no sense; with `strict`, a run outside; or, when `fit` begins,
            T is not known, or the optimizer's rate cannot be set because it is a schedule or there
            are several optimizers.

    Example:
        >>> import keras, numpy as np, psi
        >>> from psi.schedulers import PsiSchedule
        >>> dense = keras.layers.Dense(1, activation="sigmoid")
        >>> model = keras.Sequential([keras.Input((99,)), dense])
        >>> rate = 1.0  # Ψ replaces it
        >>> model.compile(optimizer=keras.optimizers.Adam(rate), loss="binary_crossentropy")
        >>> x = np.random.default_rng(0).normal(size=(640, 99))
        >>> facts = psi.Facts.of(model, (x, x.sum(1) > 0))
        >>> schedule = PsiSchedule(psi.load("adam"), epochs=5, initial_loss=0.69, facts=facts)
        >>> history = model.fit(x, x.sum(1) > 0, epochs=5, verbose=0, callbacks=[schedule]).history
        >>> len(history["learning_rate"]), schedule.skipped, bool(history["loss"][-1] < 0.5)
        (5, 0, True)
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
        monitor: str = "val_loss",
        backup_dir: str | Path | None = None,
        strict: bool = False,
        facts: Facts = UNKNOWN,
    ) -> None:
        super().__init__()
        limits, self._given, self._facts = (min_lr, max_lr), epochs, facts
        # Until `fit` says T.
        until = sys.maxsize if epochs is None else epochs
        self._clock = Clock(law, until, initial_loss, *limits, scale, facts, warmup, max_change)
        self._every = None if every is None else whole_number("every", every)
        self._state = start(self._clock, np)
        self._sum = 0.0  # of the losses of this epoch's minibatches so far
        self._batches = 0
        self._monitor = monitor
        self._backup = None if backup_dir is None else Path(backup_dir, BACKUP)
        self._notices = host.Notices(strict)
        self._fitted: Any = None  # the model of the last `fit`
        self._fit_begins = False

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Set the rate; at the beginning of a run, count the model's parameters."""
        del logs
        if self._begins():
            self._begin()
        elif self._given is None and (epochs := self._epochs() or 0) > self._state.budget:
            self._state = host.extend_now(self._clock, self._state, epochs)
        self._set()
        self._fit_begins = True
        self._say_outside()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keras begins a new mean of losses; at the first of a `fit`, go to its epoch."""
        del logs
        self._sum, self._batches = 0.0, 0
        goes = self._fit_begins and self._period(epoch) != self._state.epoch
        if goes:
            self._go_to(epoch)
        # On JAX the end of an iterator without length undoes what its last minibatch set.
        if goes or (self._every is not None and not self._steps):
            self._set()
        self._fit_begins, self._fitted = False, self._trained

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """With `every`, take a minibatch's loss and perhaps end the period."""
        if self._every is None:
            return
        steps = batch + 1 - self._batches  # more than one with steps_per_execution
        total = host.as_float(_loss(logs)) * (batch + 1)
        used, begins = float(self._state.learning_rate), self._begins()
        self._state = host.observe(self._clock, self._state, (total - self._sum) / steps, begins)
        self._sum, self._batches = total, batch + 1
        ends = self._state.count * steps >= self._every
        if ends:
            self._compare(used)
            self._state = host.end_epoch(self._clock, self._state)
        if ends or begins:
            self._set()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Log the epoch's rate and set the next one."""
        del epoch
        used = float(self._state.learning_rate)
        if self._every is None:
            loss = host.as_float(_loss(logs))
            self._compare(used)
            self._state = host.end_epoch(self._clock, self._state, loss)
            self._set()
        if self._clock.law.remembers and logs and self._monitor in logs:
            held = host.as_float(logs[self._monitor])
            self._state = host.validated(self._clock, self._state, held)
            self._set()
        self._notices.tell(*outside_loss(self._clock.law, self._state))
        if self._backup is not None:
            self._backup.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self._backup, json.dumps(self.state_dict()).encode())
        if logs is not None:
            logs["learning_rate"] = used

    def extend(self, epochs: int) -> None:
        """Change the budget T to `epochs`, from the next period on."""
        self._state = host.extend(self._clock, self._state, epochs)
        self._notices.tell(*self._outside_run())

    def state_dict(self) -> host.StateDict:
        """The state as plain numbers, without the law; take it between epochs."""
        return host.state_dict(self._state)

    def load_state_dict(self, state: host.StateDict) -> None:
        """Go on from what `state_dict` gave.

        A T that is newly given wins over the saved one, with a warning. Raises ValueError with the
        key that is of no use.
        """
        self._state = host.resumed(self._clock, state, self._given)

    @property
    def _trained(self) -> Any:
        if self.model is None:
            raise ValueError("PsiSchedule is a callback: model.fit(…, callbacks=[schedule])")
        return self.model

    @property
    def _steps(self) -> int:
        """Minibatches of an epoch; 0 where Keras does not know."""
        return (self.params or {}).get("steps") or 0

    def _period(self, epoch: int) -> int:
        """The period at which an epoch of Keras begins; with `every`, as far as that is known."""
        own = int(self._state.epoch)
        if self._every is None:
            return epoch
        if epoch and not self._begins():
            return own  # which counts the minibatches
        return epoch * self._steps // self._every

    def _go_to(self, epoch: int) -> None:
        """Go to the epoch at which `fit` begins, which is not the schedule's."""
        if self._begins() and epoch and self._backup is not None and self._backup.exists():
            self.load_state_dict(json.loads(self._backup.read_bytes()))
        at, own, epochs = self._period(epoch), int(self._state.epoch), float(self._state.budget)
        if at == own:
            return
        unit = "epoch" if self._every is None else "period"
        line = f"fit begins at {unit} {at}, the schedule is at {own}"
        ended, another = own >= epochs, self._fitted not in (None, self._trained)
        if at == 0 and (ended or another):
            self._begin()
            why = "and has ended" if ended else "of another model's training"
            host.warn(f"{line} {why}: it begins anew")
            self._say_outside()
        elif at == 0:
            line += ": it goes on (fit(initial_epoch=…) says so, a new PsiSchedule begins anew)"
            self._notices.once("goes on", line)
        else:
            self._state = host.begin_at(self._clock, self._state, at)
            known = f"with the last loss it knows, {self._state.loss:.3g}"
            host.warn(f"{line}: it goes on at {at} {known}")

    def _begin(self) -> None:
        """Begin a run of this model."""
        clock = replace(self._clock, epochs=self._epochs(), facts=self._facts)
        counted = {"parameters": parameters(self._trained), "steps_per_epoch": self._steps or None}
        if self._every is not None:
            clock = replace(clock, facts=replace(clock.facts, steps_per_epoch=self._every))
        self._clock = completed(clock, counted, lambda: weight_rms(self._trained))
        self._state = start(self._clock, np)
        self._notices = host.Notices(self._notices.strict)

    def _epochs(self) -> int | None:
        """T, as given or else that of `fit`; None where neither says it."""
        epochs = (self.params or {}).get("epochs")
        if self._given is not None or epochs is None or self._every is None:
            return epochs if self._given is None else self._given
        return math.ceil(epochs * self._steps / self._every) or None

    def _say_outside(self) -> None:
        found = outside_optimizer(self._clock.law, recognised(self._trained.optimizer))
        self._notices.tell(*found, *self._outside_run())

    def _outside_run(self) -> tuple[Outside, ...]:
        return outside_run(self._clock.law, self._state._asdict())

    def _begins(self) -> bool:
        return bool(self._state.epoch == 0 and self._state.count == 0)

    def _rate(self) -> float:
        """The rate in force."""
        if hasattr(self._trained, "jax_state_sync"):  # write back what a compiled epoch carries
            self._trained.jax_state_sync()
        return float(self._trained.optimizer.learning_rate)

    def _compare(self, used: float) -> None:
        """Say once where the rate in force is not Ψ's."""
        in_force = self._rate()
        if not math.isclose(in_force, used, rel_tol=0.01):  # it may have half precision
            self._notices.once("foreign", host.FOREIGN.format(in_force, used))

    def _set(self) -> None:
        optimizer = self._trained.optimizer
        try:
            if hasattr(optimizer, "optimizers"):
                raise TypeError
            self._rate()
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
