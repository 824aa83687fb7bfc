"""PsiLR in the trainers of Lightning and Hugging Face, on tiny models that are really trained.

What is held to the clock is the rate in force at every minibatch, given the losses that were seen.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from psi.law.law import Law

torch = pytest.importorskip("torch")
lightning = pytest.importorskip("lightning")
transformers = pytest.importorskip("transformers")
pytest.importorskip("accelerate")

from psi.schedulers.torch import PsiLR  # noqa: E402
from tests.schedulers.trainings import (  # noqa: E402
    BATCH,
    EPOCHS,
    STEPS,
    Classifier,
    Regression,
    Seen,
    fit,
    follows_the_clock,
    labelled,
)

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # the trainers' own warnings


# Lightning


class Scheduled(Regression):
    """With a PsiLR that is told of every loss, or of what Lightning monitors."""

    def __init__(self, law: Law, monitored: bool = False) -> None:
        super().__init__()
        self.law, self.monitored = law, monitored

    def training_step(self, batch: Sequence[Any]) -> Any:
        loss = super().training_step(batch)
        if not self.monitored:
            self.lr_schedulers().observe(loss)  # type: ignore
            self.seen[-1] = (loss.item(), self.trainer.optimizers[0].param_groups[0]["lr"])
        self.log("loss", loss, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = super().configure_optimizers()
        initial = 2.0 if self.monitored else None
        scheduler: Any = PsiLR(optimizer, self.law, EPOCHS, initial)
        if self.monitored:
            scheduler = {"scheduler": scheduler, "reduce_on_plateau": True, "monitor": "loss"}
        return {"optimizer": optimizer, "lr_scheduler": scheduler}


def test_lightning_steps_it_after_every_epoch(formula: Law) -> None:
    model = Scheduled(formula)
    trainer = fit(model)
    follows_the_clock(formula, model.seen)
    first, second = (group["lr"] for group in trainer.optimizers[0].param_groups)
    assert second == pytest.approx(first / 2)


def test_lightning_accumulates_gradients(formula: Law) -> None:
    model = Scheduled(formula)
    fit(model, accumulate_grad_batches=2)
    follows_the_clock(formula, model.seen)


def test_lightning_hands_over_the_loss_it_monitors(formula: Law) -> None:
    model = Scheduled(formula, monitored=True)
    fit(model)
    follows_the_clock(formula, model.seen, initial_loss=2.0)


def test_lightning_goes_on_from_its_checkpoint(formula: Law, tmp_path: Path) -> None:
    whole = Scheduled(formula)
    every = lightning.pytorch.callbacks.ModelCheckpoint(
        tmp_path, "{epoch}", save_top_k=-1, every_n_epochs=1
    )
    fit(whole, every, enable_checkpointing=True)
    rest = Scheduled(formula)
    fit(rest, ckpt_path=tmp_path / "epoch=1.ckpt")
    assert rest.seen == whole.seen[2 * STEPS :]


# Hugging Face


class PsiTrainer(transformers.Trainer):
    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        loss = super().training_step(*args, **kwargs)
        mean = loss * self.current_gradient_accumulation_steps
        self.lr_scheduler.observe(mean)  # type: ignore
        self.seen.append((mean.item(), self.optimizer.param_groups[0]["lr"]))  # type: ignore
        return loss


def hf_train(law: Law, folder: Path, resume: bool = False, accumulated: int = 1) -> Any:
    model = Classifier()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    updates = STEPS // accumulated
    scheduler = PsiLR(optimizer, law, EPOCHS, steps_per_epoch=updates)
    arguments = transformers.TrainingArguments(
        str(folder), num_train_epochs=EPOCHS, per_device_train_batch_size=BATCH, use_cpu=True,
        gradient_accumulation_steps=accumulated, save_strategy="epoch", report_to=[],
        disable_tqdm=True, logging_strategy="epoch", seed=3,
    )  # fmt: skip
    trainer = PsiTrainer(
        model, arguments, train_dataset=labelled(), optimizers=(optimizer, scheduler)  # type: ignore
    )  # fmt: skip
    trainer.seen = Seen()
    last = str(folder / f"checkpoint-{2 * updates}") if resume else None
    trainer.train(resume_from_checkpoint=last)
    return trainer


@pytest.mark.parametrize("accumulated", [1, 2])
def test_hugging_face_steps_it_after_every_update(
    formula: Law, tmp_path: Path, accumulated: int
) -> None:
    trainer = hf_train(formula, tmp_path, accumulated=accumulated)
    follows_the_clock(formula, trainer.seen)
    logged = [each["learning_rate"] for each in trainer.state.log_history if "loss" in each]
    assert logged == [rate for _, rate in trainer.seen[::STEPS]]  # of the epoch that ended
    assert trainer.lr_scheduler.last_epoch == EPOCHS


def test_hugging_face_goes_on_from_its_checkpoint(formula: Law, tmp_path: Path) -> None:
    whole = hf_train(formula, tmp_path)
    rest = hf_train(formula, tmp_path, resume=True)
    assert rest.seen == whole.seen[2 * STEPS :]
