"""A law as a PyTorch learning-rate scheduler."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from psi.law.checks import whole_number
from psi.law.clock import Clock, ClockState, start
from psi.law.law import Law
from psi.schedulers import host

PENDING = 256  # losses kept on their device before they are read, as reading waits for it
COUNTS = ("calls", "observed")
KEYS = ("clock", "last_epoch", *COUNTS)


class PsiLR(LRScheduler):
    """Set the rate of each epoch from the losses before it, α_i = Ψ(ε, i).

    The first parameter group gets α, whatever rate it had before; the others keep their ratio to
    it. A rate that is a tensor is filled. Construction sets α_0. Then call either

    * `step(loss)` after every epoch, with its mean training loss in nats, or
    * `observe(loss)` for every minibatch before its update, and `step()` after every epoch.

    A loss that is not finite keeps the rate and warns once. A law that sees the number of
    parameters counts the optimizer's. Several processes have the same rate if all of them are given
    the same, reduced loss.

    Args:
        optimizer: the optimizer that the law is for; its rate is replaced.
        law: the law.
        epochs: T, the budget in epochs; None only for a law that does not see i/T.
        initial_loss: ε_0 in nats, log(classes) for cross-entropy; None: the first observed loss, or
            the law's typical one where none is observed.
        scale: α_0 of a law that is scale × shape; None: the law's own.
        min_lr: lower limit of the rate, which always holds.
        max_lr: upper limit of the rate, which always holds.
        steps_per_epoch: minibatches of an epoch, for a trainer that calls `step()` after each.
        warmup: epochs of a ramp: α_i is multiplied by min((i + 1)/(warmup + 1), 1).
        max_change: the factor by which α_i may differ from α_{i−1}, up or down; None: any.

    Raises:
        ValueError: a setting makes no sense.

    Example:
        >>> import psi, torch
        >>> from psi.schedulers import PsiLR
        >>> w = torch.ones(3, requires_grad=True)
        >>> optimizer = torch.optim.SGD([w], lr=1.0, momentum=0.9)  # the scheduler replaces 1.0
        >>> scheduler = PsiLR(optimizer, psi.load("momentum"), epochs=5, initial_loss=3.0)
        >>> for epoch in range(5):
        ...     loss = (w**2).sum()
        ...     optimizer.zero_grad()
        ...     loss.backward()
        ...     optimizer.step()
        ...     scheduler.step(loss)
        >>> scheduler.last_epoch, scheduler.skipped, bool(loss < 3.0)
        (5, 0, True)
    """

    def __init__(
        self,
        optimizer: Optimizer,
        law: Law,
        epochs: int | None = None,
        initial_loss: float | None = None,
        scale: float | None = None,
        min_lr: float = 1e-6,
        max_lr: float = 10.0,
        *,
        steps_per_epoch: int | None = None,
        warmup: int = 0,
        max_change: float | None = None,
    ) -> None:
        counted = _parameters(optimizer)
        limits = min_lr, max_lr
        self._clock = Clock(law, epochs, initial_loss, *limits, scale, counted, warmup, max_change)
        steps_per_epoch = 1 if steps_per_epoch is None else steps_per_epoch
        self._per_epoch = whole_number("steps_per_epoch", steps_per_epoch)
        ratios(optimizer, "lr")  # raises for a rate of zero
        self._state = start(self._clock, np)
        self._pending: list[Any] = []
        self._calls = self._observed = 0
        super().__init__(optimizer)

    def step(self, loss: Any = None) -> None:  # type: ignore
        """End an epoch, with its mean training loss, or else the mean of the observed losses.

        An int is not a loss but torch's own `step(epoch)`, by which its SequentialLR begins this
        schedule at epoch 0. Raises ValueError for another int and for what is not one number.
        """
        if isinstance(loss, int) and not isinstance(loss, bool):
            self._update_lr(loss)
        else:
            self._end(None if loss is None else host.as_float(loss))

    def observe(self, loss: Any) -> None:
        """Take the loss of one minibatch, a number or a tensor of one number on any device."""
        one = isinstance(loss, torch.Tensor) and loss.numel() == 1
        self._pending.append(loss.detach() if one else host.as_float(loss))
        begins = self._observed == 0
        if begins or len(self._pending) >= PENDING:
            self._read()
        # Before its turn in a SequentialLR, last_epoch is −1 and the rate another schedule's.
        if begins and self._clock.initial_loss is None and self.last_epoch >= 0:
            self._set(self._state)

    def extend(self, epochs: int) -> None:
        """Change the budget T to `epochs`, from the next epoch on."""
        self._state = host.extend(self._state, epochs)

    @property
    def skipped(self) -> int:
        """Epochs so far whose loss was not finite."""
        return int(self._state.skipped)

    def get_lr(self) -> list[float | torch.Tensor]:
        """The rate of each parameter group in the current epoch."""
        return self._rates(self._state)

    def state_dict(self) -> dict[str, Any]:
        """The state in plain numbers, without the law: `torch.load(weights_only=True)` reads it."""
        self._read()
        return {
            "clock": host.state_dict(self._state), "last_epoch": self.last_epoch,
            "calls": self._calls, "observed": self._observed,
        }  # fmt: skip

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave; the optimizer's own state brings its rates back.

        Raises ValueError with the key's name where one is missing, unknown or of no use.
        """
        if not isinstance(state_dict, dict):
            raise ValueError(f"state of a PsiLR: a dict, got {type(state_dict).__name__}")
        if named := sorted(map(str, set(state_dict) ^ set(KEYS))):
            raise ValueError(f"state of a PsiLR: missing or unknown keys {named}")
        state = host.from_state_dict(state_dict["clock"])
        last = whole_number("last_epoch", state_dict["last_epoch"], least=-1)
        counts = (whole_number(key, state_dict[key], least=0) for key in COUNTS)
        self._calls, self._observed = counts
        self._state, self.last_epoch, self._pending = state, last, []
        self._last_lr = self.get_lr()

    def _initial_step(self) -> None:
        # Called by torch's constructor, and again by a SequentialLR that begins with this schedule.
        self.last_epoch, self._step_count = 0, 1
        self._set(self._state)

    def _update_lr(self, epoch: int | None = None) -> None:
        # SequentialLR calls this where the schedule's turn comes.
        if epoch != 0:
            raise ValueError(f"a PsiLR goes on epoch by epoch from 0, cannot go to {epoch}")
        self._read()
        self.last_epoch = 0
        self._set(host.restart(self._clock, self._state))

    def _end(self, loss: float | None) -> None:
        self._step_count += 1
        self._calls += 1
        if loss is None and self._calls % self._per_epoch:
            return
        self._read()
        self.last_epoch += 1
        self._observed += loss is not None
        self._set(host.end_epoch(self._clock, self._state, loss))

    def _read(self) -> None:
        """Move the pending losses into the state."""
        for loss in map(host.as_float, self._pending):
            self._state = host.observe(self._clock, self._state, loss, begins=self._observed == 0)
            self._observed += 1
        self._pending = []

    def _set(self, state: ClockState) -> None:
        self._state, self._last_lr = state, self._rates(state)
        set_rates(self.optimizer, self._last_lr)

    def _rates(self, state: ClockState) -> list[float | torch.Tensor]:
        for group in self.optimizer.param_groups:  # one may be new
            group.setdefault("initial_lr", float(group["lr"]))
        rate = float(state.learning_rate)
        return [rate * ratio for ratio in ratios(self.optimizer, "initial_lr")]


def ratios(optimizer: Optimizer, key: str) -> list[float]:
    """Each parameter group's rate over the first one's, under that key of the group.

    Raises ValueError where the first is not positive.
    """
    rates = [float(group[key]) for group in optimizer.param_groups]
    if not rates[0] > 0:
        rule = "the other groups keep their ratio to the rate of the first parameter group"
        raise ValueError(f"{rule}, which must be positive, got {rates[0]}")
    return [rate / rates[0] for rate in rates]


def set_rates(optimizer: Optimizer, rates: Sequence[float | torch.Tensor]) -> None:
    """Give each parameter group its rate; one that is a tensor is filled, not replaced."""
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def _parameters(optimizer: Optimizer) -> int:
    if not isinstance(optimizer, Optimizer):
        raise ValueError(f"optimizer must be a torch Optimizer, got {optimizer!r:.60}")
    return max(sum(p.numel() for group in optimizer.param_groups for p in group["params"]), 1)
