"""A law as a PyTorch learning-rate scheduler."""

import math
from typing import Any, Literal
from weakref import ref

import numpy as np
import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from psi.law.checks import whole_number
from psi.law.clock import Clock, ClockState, measured, start
from psi.law.domain import Outside, outside_loss, outside_run
from psi.law.facts import UNKNOWN, Facts
from psi.law.law import Law
from psi.schedulers import host
from psi.schedulers.counting import awaits_gradient, completed, measures
from psi.schedulers.kin import outside_optimizer
from psi.schedulers.told import Told
from psi.schedulers.torch_groups import (
    checked_ratios,
    joined,
    parameters,
    rates_of,
    recognised,
    reference_group,
    set_rates,
    show_first_gradient,
    weight_rms,
)

PENDING = 256  # losses kept on their device before they are read, as reading waits for it
COUNTS = ("calls", "observed")
KEYS = {"clock", "last_epoch", *COUNTS}
LATER_KEYS = {"ratios", "in_force"}  # which states of 0.1.0 lack
UNENDED = 100_000  # minibatches without the end of an epoch, where none is known to be as long
UNENDED_LINE = "{} losses were observed and no epoch ended: step() ends one, then they are used"
UNUSED_LINE = "step(loss) ended an epoch in which losses were observed: step() takes their mean"


class PsiLR(Told, LRScheduler):
    """Set the rate of each epoch from the losses before it, α_i = Ψ(ε, i).

    The first parameter group gets α, whatever rate it had before; the others keep the ratio to it
    that they had when they joined. A rate that is a tensor is filled. Another schedule beside this
    one is warned of once. Construction sets α_0. Then call either

    * `step(loss)` after every epoch, with its mean training loss in nats, or
    * `observe(loss)` for every minibatch before its update, and `step()` after every epoch.

    Who measures a validation loss passes it on, for a law that sees it: `step(…, val_loss=v)`, or
    `validate(v)` where it comes after `step`.

    A loss that is not finite keeps the rate and warns once. For a law that sees facts, the number
    of parameters and the weights' root mean square are counted; `facts` gives others. Several
    processes have the same rate if all of them are given the same, reduced loss. A run outside of
    what the law has seen is warned of once, `outside` holds what is.

    Args:
        optimizer: the optimizer that the law is for; its rate is replaced.
        law: the law.
        epochs: T, the budget in epochs; None only for a law that sees neither it nor i/T.
        initial_loss: ε_0 in nats, log(classes) for cross-entropy; None: the first observed loss, or
            the law's typical one where none is observed.
        scale: α_0 of a law that is scale × shape; None: the law's own.
        min_lr: lower limit of α, which always holds.
        max_lr: upper limit of α, which always holds.
        steps_per_epoch: minibatches of an epoch, for a trainer that calls `step()` or `step(loss)`
            after each.
        warmup: epochs of a ramp: α_i is multiplied by min((i + 1)/(warmup + 1), 1).
        max_change: the factor by which α_i may differ from α_{i−1}, up or down; None: any.
        reference: the parameter group that gets α: the "first", or the one of the "largest" rate.
        facts: what is known of the training, for a law that sees it: `psi.Facts.of(model, loader)`.
        strict: raise where the run is outside of what the law has seen, instead of warning.

    Raises:
        ValueError: a setting makes no sense; with `strict`, also a run outside.

    Example:
        >>> import psi, torch
        >>> from psi.schedulers import PsiLR
        >>> w = torch.full((100,), 0.2, requires_grad=True)
        >>> facts = psi.Facts(rows=800, batch=8, steps_per_epoch=100, classes=2)
        >>> optimizer = torch.optim.SGD([w], lr=1.0, momentum=0.9)  # the scheduler replaces 1.0
        >>> scheduler = PsiLR(optimizer, psi.load("momentum"), 5, initial_loss=4.0, facts=facts)
        >>> for epoch in range(5):
        ...     loss = (w**2).sum()
        ...     optimizer.zero_grad()
        ...     loss.backward()
        ...     optimizer.step()
        ...     scheduler.step(loss)
        >>> scheduler.last_epoch, scheduler.skipped, bool(loss < 4)
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
        reference: Literal["first", "largest"] = "first",
        facts: Facts = UNKNOWN,
        strict: bool = False,
    ) -> None:
        counted = {"parameters": parameters(optimizer), "steps_per_epoch": steps_per_epoch}
        clock = Clock(law, epochs, initial_loss, min_lr, max_lr, scale, facts, warmup, max_change)
        steps_per_epoch = 1 if steps_per_epoch is None else steps_per_epoch
        self._per_epoch = whole_number("steps_per_epoch", steps_per_epoch)
        self._clock = completed(clock, counted, lambda: weight_rms(optimizer))
        self._reference = reference_group(optimizer, reference)
        self._ratios: list[float] = []
        self._state = start(self._clock, np)
        self._pending: list[Any] = []
        self._calls = self._observed = 0
        self._notices = host.Notices(strict)
        found = (each for rule in recognised(optimizer) for each in outside_optimizer(law, rule))
        self._unmeasured = measures(law) and facts.initial_grad_norm is None
        if self._unmeasured:
            show_first_gradient(optimizer, ref(self))
        self._notices.tell(*found, *self._outside_run())
        super().__init__(optimizer)

    def step(self, loss: Any = None, val_loss: Any = None) -> None:  # type: ignore
        """End an epoch, with its mean training loss, or else the mean of the observed losses.

        `val_loss` is the mean loss on held-out rows as the network is now, where it was measured.

        An int is not a loss but torch's own `step(epoch)`, by which its SequentialLR begins this
        schedule at epoch 0. With `steps_per_epoch` above 1 a loss is that of one minibatch. Raises
        ValueError for another int and for what is not one number.
        """
        if isinstance(loss, int) and not isinstance(loss, bool):
            self._update_lr(loss)
            return
        if loss is not None and self._per_epoch > 1:
            self.observe(loss)
            loss = None
        held = math.nan if val_loss is None else host.as_float(val_loss)
        self._end(None if loss is None else host.as_float(loss), held)

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

    def validate(self, val_loss: Any) -> None:
        """Take the loss on held-out rows as the network is now.

        After `step()` it chooses the rate of the epoch that begins; where losses have been observed
        since, it waits for their `step()`. Before the first epoch it is passed over. Who gives
        epochs' losses to `step` and measures before it calls `step(loss, val_loss=v)`.
        """
        self._read()
        self._choose(host.validated(self._clock, self._state, host.as_float(val_loss)))

    @property
    def awaits(self) -> bool:
        """Whether the first gradient has still to be seen: for `show_first_gradient`."""
        return self._unmeasured and bool(awaits_gradient(self._state))

    def measure(self, norm: float) -> None:
        """Take ‖g_0‖, as the optimizer steps first: for `show_first_gradient`."""
        state = measured(self._clock, self._state, norm, np)
        self._choose(state)
        self._notices.tell(*self._outside_run())

    def extend(self, epochs: int) -> None:
        """Change the budget T to `epochs`, from the next epoch on."""
        self._state = host.extend(self._clock, self._state, epochs)
        self._notices.tell(*self._outside_run())

    def get_lr(self) -> list[float | torch.Tensor]:
        """The rate of each parameter group in the current epoch."""
        return self._rates(self._state)

    def state_dict(self) -> dict[str, Any]:
        """The state in plain numbers, without the law: `torch.load(weights_only=True)` reads it."""
        self._read()
        return {
            "clock": host.state_dict(self._state), "last_epoch": self.last_epoch,
            "calls": self._calls, "observed": self._observed,
            "ratios": list(self._ratios), "in_force": not self._foreign(),
        }  # fmt: skip

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave, and put its rates in force if they were.

        The optimizer's state may be loaded before or after. A T that is newly given wins over the
        saved one, with a warning. Raises ValueError with the key's name where one is missing,
        unknown or of no use.
        """
        if not isinstance(state_dict, dict):
            raise ValueError(f"state of a PsiLR: a dict, got {type(state_dict).__name__}")
        if named := sorted(map(str, (set(state_dict) | LATER_KEYS) ^ (KEYS | LATER_KEYS))):
            raise ValueError(f"state of a PsiLR: missing or unknown keys {named}")
        state = host.resumed(self._clock, state_dict["clock"], self._clock.epochs)
        last = whole_number("last_epoch", state_dict["last_epoch"], least=-1)
        ratios = checked_ratios(state_dict.get("ratios", self._ratios))
        self._calls, self._observed = (whole_number(k, state_dict[k], least=0) for k in COUNTS)
        self._state, self.last_epoch, self._pending, self._ratios = state, last, [], ratios
        self._last_lr = self.get_lr()
        if state_dict.get("in_force", last >= 0):  # else it is another's of a SequentialLR
            set_rates(self.optimizer, self._last_lr)
        self._notices.tell(*self._outside_run())

    def _initial_step(self) -> None:
        # Called by torch's constructor, and again by a SequentialLR that begins with this schedule.
        self.last_epoch, self._step_count = 0, 1
        self._set(self._state)

    def _update_lr(self, epoch: int | None = None) -> None:
        # SequentialLR calls this where the schedule's turn comes.
        if epoch != 0:
            raise ValueError(
                f"a PsiLR goes on epoch by epoch from 0, cannot go to {epoch}; a loss is a float"
            )
        self._read()
        self.last_epoch = 0
        self._set(host.restart(self._clock, self._state))

    def _end(self, loss: float | None, val_loss: float) -> None:
        self._step_count += 1
        self._calls += 1
        if loss is None and self._calls % self._per_epoch:
            if not math.isnan(val_loss):
                self.validate(val_loss)
            return
        self._read()
        for rate, own in self._foreign():
            self._notices.once("foreign", host.FOREIGN.format(rate, own))
        self.last_epoch += 1
        self._observed += loss is not None
        if loss is not None and self._state.count:
            self._notices.once("unused", UNUSED_LINE)
        self._set(host.end_epoch(self._clock, self._state, loss, val_loss))
        if self._unmeasured and self.last_epoch == 1:  # a gradient that was not seen never will be
            self._notices.tell(*self._outside_run())
        self._notices.tell(*outside_loss(self._clock.law, self._state))

    def _read(self) -> None:
        """Move the pending losses into the state."""
        for loss in map(host.as_float, self._pending):
            self._state = host.observe(self._clock, self._state, loss, begins=self._observed == 0)
            self._observed += 1
        self._pending = []
        longest = 2 * self._per_epoch if self._per_epoch > 1 else UNENDED
        if self._state.count > longest:
            self._notices.once("unended", UNENDED_LINE.format(int(self._state.count)))

    def _choose(self, state: ClockState) -> None:
        if self.last_epoch < 0 or self._foreign():  # the rate in force is another's, and stays
            self._state = state
        else:
            self._set(state)

    def _set(self, state: ClockState) -> None:
        self._state, self._last_lr = state, self._rates(state)
        set_rates(self.optimizer, self._last_lr)

    def _rates(self, state: ClockState) -> list[float | torch.Tensor]:
        self._ratios += joined(self.optimizer, self._ratios, self._reference)
        groups = len(self.optimizer.param_groups)
        return [float(state.learning_rate) * ratio for ratio in self._ratios[:groups]]

    def _foreign(self) -> list[tuple[float, float]]:
        """Rates in force that Ψ has not set, each with Ψ's."""
        own = map(float, self._last_lr)
        pairs = zip(rates_of(self.optimizer), own, strict=False)  # one that just joined: later
        return [pair for pair in pairs if not math.isclose(*pair, rel_tol=1e-6)]

    def _outside_run(self) -> tuple[Outside, ...]:
        seen = self._state._asdict()
        if self.awaits:
            del seen["initial_grad_norm"]
        return outside_run(self._clock.law, seen)
