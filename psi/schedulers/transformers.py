"""A law as a callback of the Hugging Face trainer."""

import math
from pathlib import Path
from typing import Any

try:
    from torch.optim.lr_scheduler import LambdaLR
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
    from transformers.trainer_utils import has_length
except ModuleNotFoundError as error:
    needs = f"PsiCallback needs {error.name}: pip install 'transformers[torch]'"
    raise ModuleNotFoundError(needs, name=error.name) from error

from psi.law.law import Law
from psi.schedulers.torch import PsiLR
from psi.schedulers.trainer import Plan, counted

SAVED = "psi.schedulers.transformers.PsiCallback"
"""Key of the state in `trainer_state.json`, among the trainer's `stateful_callbacks`."""


class PsiCallback(TrainerCallback):
    """Let Ψ set the rate of a Hugging Face training: `Trainer(…, callbacks=[PsiCallback("adam")])`.

    The losses are those that the trainer logs, means over the updates since the last log and over
    all processes; the callback asks for a log where a period ends, before a checkpoint, and after
    the first update, whose loss is ε_0. The rate is that of `PsiLR` and replaces the trainer's
    schedule, which then gives Ψ's rate as `learning_rate`. The state is saved in checkpoints.

    Args:
        law: a law, a shipped law's name or a law file's path; for the trainer's optimizer.
        epochs: T in decision periods; None: what `num_train_epochs` or `max_steps` give.
        every: updates of a decision period; None: those of an epoch.
        monitor: the name of the validation loss among the metrics, for a law that sees it.
        settings: any of `PsiLR`'s `initial_loss`, `scale`, `min_lr`, `max_lr`, `warmup`, ….

    Raises:
        ValueError: a setting makes no sense; or, when training begins, the trainer has a warm-up
            or another schedule than its default, or a data set without length and no `every`.

    Example:
        >>> from psi.schedulers.transformers import PsiCallback
        >>> callback = PsiCallback("adam", warmup=2)  # Trainer(…, callbacks=[callback])
        >>> callback.scheduler is None  # a PsiLR from when training begins
        True
    """

    def __init__(
        self,
        law: Law | str | Path,
        epochs: int | None = None,
        *,
        every: int | None = None,
        monitor: str = "eval_loss",
        **settings: Any,
    ) -> None:
        self._plan = Plan(law, epochs, every, settings)
        self._monitor = monitor
        self._period = 1  # updates
        self._logged = 0  # updates whose loss was logged
        self.scheduler: PsiLR | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Set the first rate, or the one that a checkpoint ended with."""
        del control
        schedule = _checked(kwargs["lr_scheduler"], state.max_steps)
        loader = kwargs["train_dataloader"]
        self._period = self._plan.every or _updates(args, loader)
        self._logged = self._first = state.global_step
        saved = state.stateful_callbacks.get(SAVED)  # pyright: ignore
        epochs = self._plan.epochs or state.max_steps / self._period
        micro_batches = args.gradient_accumulation_steps * args.world_size
        known = counted(loader, micro_batches, self._period)
        known["batch"] = args.train_batch_size * micro_batches
        self.scheduler = self._plan.begin(
            schedule.optimizer, epochs, saved, state.global_step, known
        )
        self._tell(schedule, state)

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Give the trainer the rate that the first gradient has set."""
        del args, control
        if state.global_step == self._first:
            self._tell(kwargs["lr_scheduler"], state)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Ask for a log where the loss is needed now."""
        del args, kwargs
        first = state.global_step == 1 and self._plan.settings.get("initial_loss") is None
        ends = state.global_step % self._period == 0
        control.should_log |= first or ends or control.should_save or control.should_evaluate

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Ask for a log before what is saved at the end of an epoch."""
        del args, state, kwargs
        control.should_log |= control.should_save or control.should_evaluate

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Take the mean loss of the updates since the last log; perhaps end the period."""
        del args, control
        updates = state.global_step - self._logged
        if not logs or not {"loss", "learning_rate"} <= set(logs) or not updates:
            return
        assert self.scheduler is not None
        for _ in range(updates):
            self.scheduler.observe(float(logs["loss"]))
        self._logged = state.global_step
        if state.global_step % self._period == 0:
            self.scheduler.step()
        self._tell(kwargs["lr_scheduler"], state)

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Take the validation loss for the next period's rate."""
        del args, control
        if self.scheduler is not None and metrics and self._monitor in metrics:
            self.scheduler.validate(float(metrics[self._monitor]))
            self._tell(kwargs["lr_scheduler"], state)

    def _tell(self, schedule: LambdaLR, state: TrainerState) -> None:
        """Give the trainer's schedule the rate in force, and the checkpoints Ψ's state."""
        assert self.scheduler is not None
        rates = self.scheduler.get_last_lr()
        # The trainer steps its schedule after each update, and logs the last rate that it gave.
        schedule.lr_lambdas = [lambda _: 1.0] * len(rates)
        schedule.base_lrs, schedule._last_lr = [*rates], [*rates]
        state.stateful_callbacks[SAVED] = self.scheduler.state_dict()  # pyright: ignore


def _checked(schedule: Any, steps: int) -> LambdaLR:
    """The trainer's schedule. Raises ValueError where it is not the one that it has by default."""
    times = range(0, steps + 1, max(1, steps // 8))
    plain = [1.0 for _ in times], [(steps - k) / steps for k in times]  # constant, linear
    if not isinstance(schedule, LambdaLR) or any(
        [f(k) for k in times] not in plain for f in schedule.lr_lambdas
    ):
        raise ValueError(
            "Ψ is the schedule: leave warmup_steps, lr_scheduler_type and the trainer's own "
            f"scheduler at their defaults, got a {type(schedule).__name__} of another shape; for a "
            "warm-up: PsiCallback(…, warmup=3)"
        )
    return schedule


def _updates(args: TrainingArguments, batches: Any) -> int:
    """Updates of an epoch, as the trainer counts them."""
    if not has_length(batches):
        raise ValueError(
            "the data set has no length: PsiCallback(…, every=N) says how many updates make a "
            "decision period, got None"
        )
    return math.ceil(len(batches) / args.gradient_accumulation_steps)
