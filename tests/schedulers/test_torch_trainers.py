"""PsiLR in the trainers of Lightning and Hugging Face, on tiny models that are really trained.

What is held to the clock is the rate in force at every minibatch, given the losses that were seen.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from psi.law.law import Law
from tests.schedulers.drivers import clock_rates

torch = pytest.importorskip("torch")
lightning = pytest.importorskip("lightning")
transformers = pytest.importorskip("transformers")
pytest.importorskip("accelerate")

from psi.schedulers.torch import PsiLR  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # the trainers' own warnings
ROWS, BATCH, EPOCHS = 96, 16, 4
STEPS = ROWS // BATCH
Seen = list[tuple[float, float]]
"""(loss, rate in force) of every minibatch."""


def follows_the_clock(law: Law, seen: Seen, initial_loss: float | None = None) -> None:
    """Constant within an epoch, and that of its mean losses; ε_0 is the first minibatch's loss."""
    losses, rates = np.array(seen).reshape(EPOCHS, STEPS, 2).transpose(2, 0, 1)
    initial_loss = losses[0, 0] if initial_loss is None else initial_loss
    expected = clock_rates(law, losses.mean(1), EPOCHS, initial_loss=initial_loss)[:-1]
    np.testing.assert_allclose(rates, np.repeat(expected[:, None], STEPS, 1), rtol=1e-6)
    assert len(np.unique(rates)) == EPOCHS


# Lightning


class Regression(lightning.LightningModule):
    """w·x on rows in their order, with two parameter groups; tells or lets Lightning tell."""

    def __init__(self, law: Law, monitored: bool = False) -> None:
        super().__init__()
        self.law, self.monitored, self.seen = law, monitored, Seen()
        self.weight = torch.nn.Parameter(torch.full((3,), 0.5))
        self.bias = torch.nn.Parameter(torch.zeros(()))

    def training_step(self, batch: Sequence[Any]) -> Any:
        x, y = batch
        loss = ((x @ self.weight + self.bias - y) ** 2).mean()
        if not self.monitored:
            self.lr_schedulers().observe(loss)  # type: ignore
        self.log("loss", loss, on_step=False, on_epoch=True)
        self.seen.append((loss.item(), self.optimizers().param_groups[0]["lr"]))  # type: ignore
        return loss

    def configure_optimizers(self) -> Any:
        groups = [{"params": [self.weight]}, {"params": [self.bias], "lr": 0.5}]
        optimizer = torch.optim.SGD(groups, lr=1.0)
        initial = 2.0 if self.monitored else None
        scheduler: Any = PsiLR(optimizer, self.law, EPOCHS, initial)
        if self.monitored:
            scheduler = {"scheduler": scheduler, "reduce_on_plateau": True, "monitor": "loss"}
        return {"optimizer": optimizer, "lr_scheduler": scheduler}


def lightning_fit(model: Any, epochs: int = EPOCHS, **more: Any) -> Any:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(ROWS, 3, generator=generator)
    rows = torch.utils.data.TensorDataset(x, x.sum(1) + 1)
    batches = torch.utils.data.DataLoader(rows, batch_size=BATCH)
    resumed = more.pop("ckpt_path", None)
    trainer = lightning.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_progress_bar=False,
        enable_model_summary=False, **{"enable_checkpointing": False} | more,
    )  # fmt: skip
    trainer.fit(model, batches, ckpt_path=resumed)
    return trainer


def test_lightning_steps_it_after_every_epoch(formula: Law) -> None:
    model = Regression(formula)
    trainer = lightning_fit(model)
    follows_the_clock(formula, model.seen)
    first, second = (group["lr"] for group in trainer.optimizers[0].param_groups)
    assert second == pytest.approx(first / 2)


def test_lightning_accumulates_gradients(formula: Law) -> None:
    model = Regression(formula)
    lightning_fit(model, accumulate_grad_batches=2)
    follows_the_clock(formula, model.seen)


def test_lightning_hands_over_the_loss_it_monitors(formula: Law) -> None:
    model = Regression(formula, monitored=True)
    lightning_fit(model)
    follows_the_clock(formula, model.seen, initial_loss=2.0)


def test_lightning_goes_on_from_its_checkpoint(formula: Law, tmp_path: Path) -> None:
    whole = Regression(formula)
    every = lightning.pytorch.callbacks.ModelCheckpoint(
        tmp_path, "{epoch}", save_top_k=-1, every_n_epochs=1
    )
    lightning_fit(whole, enable_checkpointing=True, callbacks=[every])
    rest = Regression(formula)
    lightning_fit(rest, ckpt_path=tmp_path / "epoch=1.ckpt")
    assert rest.seen == whole.seen[2 * STEPS :]


# Hugging Face


class Classifier(torch.nn.Module):
    """What the trainer asks of a model: keywords in, a mapping with the loss out."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 2)
        torch.nn.init.constant_(self.layer.weight, 0.1)
        torch.nn.init.zeros_(self.layer.bias)

    def forward(self, x: Any, labels: Any) -> dict[str, Any]:
        logits = self.layer(x)
        return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}


class PsiTrainer(transformers.Trainer):
    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        loss = super().training_step(*args, **kwargs)
        mean = loss * self.current_gradient_accumulation_steps
        self.lr_scheduler.observe(mean)  # type: ignore
        self.seen.append((mean.item(), self.optimizer.param_groups[0]["lr"]))  # type: ignore
        return loss


def hf_train(law: Law, folder: Path, resume: bool = False, accumulated: int = 1) -> Any:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(ROWS, 3, generator=generator)
    rows = [{"x": each, "labels": (each.sum() > 0).long()} for each in x]
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
        model, arguments, train_dataset=rows, optimizers=(optimizer, scheduler)  # type: ignore
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
