"""A law as a callback of a Lightning trainer, of `lightning` and of `pytorch_lightning`."""

import math
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

try:
    import torch
    from torch.optim import Optimizer
except ModuleNotFoundError as error:
    needs = f"PsiCallback needs {error.name}: pip install lightning"
    raise ModuleNotFoundError(needs, name=error.name) from error

from psi.law.law import Law
from psi.schedulers.torch import PsiLR
from psi.schedulers.trainer import Plan, counted

PACKAGES = ("lightning.pytorch", "pytorch_lightning")
MODULES = [import_module(name) for name in PACKAGES if find_spec(name.partition(".")[0])]
if not MODULES:
    needs = "PsiCallback needs lightning: pip install lightning"
    raise ModuleNotFoundError(needs, name="lightning")
MONITORS = tuple(module.callbacks.LearningRateMonitor for module in MODULES)
if TYPE_CHECKING:
    from lightning.pytorch import Callback, LightningModule, Trainer
else:
    # A trainer takes only its own package's callbacks, and which package it is from is not known.
    Callback = type("Callback", tuple(module.Callback for module in MODULES), {})


class PsiCallback(Callback):
    """Let Ψ set the rate of a Lightning training: `Trainer(callbacks=[PsiCallback("adam")])`.

    The rate is that of `PsiLR` on the losses that `training_step` returns, of all processes on
    average, and replaces the optimizer's own. An epoch ends with its last minibatch, before
    validation and before anything is saved. The rate is logged as `LearningRateMonitor` calls it,
    `lr-Adam`, or left to it where the trainer has one. Its state is saved in checkpoints.

    Args:
        law: a law, a shipped law's name or a law file's path; for the model's optimizer.
        epochs: T in decision periods; None: what `max_epochs` and `max_steps` of the trainer give.
        every: optimizer steps of a decision period; None: those of an epoch.
        monitor: the name under which the model logs its validation loss, for a law that sees it.
        settings: any of `PsiLR`'s `initial_loss`, `scale`, `min_lr`, `max_lr`, `warmup`, ….

    Raises:
        ValueError: a setting makes no sense; or, when training begins, T is not known, the model
            has a scheduler of its own or several optimizers, or `training_step` returns no loss.

    Example:
        >>> from psi.schedulers.lightning import PsiCallback
        >>> callback = PsiCallback("adam", warmup=2)  # Trainer(max_epochs=20, callbacks=[callback])
        >>> callback.scheduler is None  # a PsiLR from when training begins
        True
    """

    def __init__(
        self,
        law: Law | str | Path,
        epochs: int | None = None,
        *,
        every: int | None = None,
        monitor: str = "val_loss",
        **settings: Any,
    ) -> None:
        super().__init__()
        self._plan = Plan(law, epochs, every, settings)
        self._monitor = monitor
        self._saved: dict[str, Any] = {}
        self._steps = 0  # of the optimizer, so far
        self._begun = False  # whether the epoch has had a minibatch
        self.scheduler: PsiLR | None = None

    def on_train_start(self, trainer: "Trainer", pl_module: "LightningModule") -> None:
        """Set the first rate, or the one that a checkpoint or an earlier `fit` ended with."""
        del pl_module
        self._steps, self._begun = trainer.global_step, False
        if not self._saved and self._steps:  # `fit` was called again
            self._saved = self.state_dict()
        optimizer, epochs = _optimizer(trainer), _epochs(trainer, self._plan)
        known = _counted(trainer)
        self.scheduler = self._plan.begin(optimizer, epochs, self._saved, self._steps, known)
        self._saved = {}

    def on_train_batch_end(
        self,
        trainer: "Trainer",
        pl_module: "LightningModule",
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Take the minibatch's loss, and end the period if it was the last."""
        del batch
        assert self.scheduler is not None
        if (loss := _loss(trainer, pl_module, outputs)) is not None:
            self.scheduler.observe(trainer.strategy.reduce(loss, reduce_op="mean"))
        before, self._steps, self._begun = self._steps, trainer.global_step, True
        if every := self._plan.every:
            self._log(trainer, pl_module)
            if self._steps // every > before // every:
                self.scheduler.step()
        elif trainer.is_last_batch or batch_idx + 1 >= trainer.num_training_batches:
            self._end_epoch(trainer, pl_module)

    def on_train_epoch_end(self, trainer: "Trainer", pl_module: "LightningModule") -> None:
        """End an epoch that `on_train_batch_start` cut short."""
        if self._begun and trainer.is_last_batch and not self._plan.every:
            self._end_epoch(trainer, pl_module)

    def on_validation_end(self, trainer: "Trainer", pl_module: "LightningModule") -> None:
        """Take the validation loss, if the model has logged it, for the next period's rate."""
        del pl_module
        held, fits = trainer.callback_metrics.get(self._monitor), trainer.state.fn == "fit"
        if fits and held is not None and self.scheduler and not trainer.sanity_checking:
            self.scheduler.validate(trainer.strategy.reduce(held, reduce_op="mean"))

    def state_dict(self) -> dict[str, Any]:
        """The state in plain numbers, without the law."""
        return self.scheduler.state_dict() if self.scheduler else self._saved

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep a saved state until training begins."""
        self._saved, self.scheduler = state_dict, None

    def _end_epoch(self, trainer: "Trainer", pl_module: "LightningModule") -> None:
        assert self.scheduler is not None
        self._log(trainer, pl_module)
        self._begun = False
        self.scheduler.step()

    def _log(self, trainer: "Trainer", pl_module: "LightningModule") -> None:
        if any(isinstance(each, MONITORS) for each in trainer.callbacks):  # pyright: ignore
            return
        # One value an epoch, the same in all processes: the largest of them is it, to the bit.
        by_step = self._plan.every is not None
        more = {"reduce_fx": "max", "batch_size": 1, "sync_dist": not by_step}
        optimizer = trainer.optimizers[0]
        for name, group in zip(_names(optimizer), optimizer.param_groups, strict=True):
            rate = float(group["lr"])
            pl_module.log(name, rate, on_step=by_step, on_epoch=not by_step, **more)


def _optimizer(trainer: "Trainer") -> Optimizer:
    # Where the model gives none, the trainer has one without parameters.
    optimizers = [each for each in trainer.optimizers if each.param_groups]
    if len(optimizers) != 1:
        raise ValueError(
            f"Ψ sets the rate of one optimizer, configure_optimizers gives {len(optimizers)}"
        )
    if schedulers := len(trainer.lr_scheduler_configs):
        raise ValueError(
            "Ψ is the schedule: configure_optimizers must give the optimizer alone, got "
            f"{schedulers} scheduler(s) with it; for a warm-up: PsiCallback(…, warmup=3)"
        )
    return optimizers[0]


def _epochs(trainer: "Trainer", plan: Plan) -> float:
    """T in decision periods, as given or as the trainer has it; infinite where neither knows."""
    if plan.epochs is not None:
        return plan.epochs
    if plan.every is None and trainer.max_steps == -1:
        return math.inf if trainer.max_epochs in (None, -1) else trainer.max_epochs
    steps, batches = trainer.estimated_stepping_batches, trainer.num_training_batches
    if math.inf in (steps, batches) and (plan.every is None or trainer.max_steps == -1):
        return math.inf
    return steps / (plan.every or math.ceil(batches / trainer.accumulate_grad_batches))


def _counted(trainer: "Trainer") -> dict[str, Any]:
    """Facts that the trainer's loader shows."""
    loader, together = trainer.train_dataloader, trainer.accumulate_grad_batches
    replicas = getattr(getattr(loader, "sampler", None), "num_replicas", 1)
    micro_batches = together * trainer.world_size // replicas
    return counted(loader, micro_batches, trainer.num_training_batches / together)


def _loss(trainer: "Trainer", pl_module: "LightningModule", outputs: Any) -> torch.Tensor | None:
    """The minibatch's loss as `training_step` returned it; None where the step was skipped."""
    loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
    automatic = pl_module.automatic_optimization
    if loss is None:
        if automatic:
            return None
        raise ValueError("Ψ sees the loss that training_step returns: return it, or {'loss': it}")
    # Lightning has divided it by the number of minibatches that it accumulates.
    return loss.detach().float() * (trainer.accumulate_grad_batches if automatic else 1)


def _names(optimizer: Optimizer) -> list[str]:
    """What Lightning's LearningRateMonitor calls the rates of the parameter groups."""
    name, groups = f"lr-{type(optimizer).__name__}", optimizer.param_groups
    if len(groups) == 1 and "name" not in groups[0]:
        return [name]
    return [f"{name}/{group.get('name', f'pg{k}')}" for k, group in enumerate(groups, 1)]
