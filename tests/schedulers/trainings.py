"""Tiny trainings in both trainers, and what the rates that they had are held to."""

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
import transformers

from psi.law.law import Law
from tests.schedulers.drivers import clock_rates

ROWS, BATCH, EPOCHS = 96, 16, 4
STEPS = ROWS // BATCH
Seen = list[tuple[float, float]]
"""(loss, rate in force) of every minibatch."""


def follows_the_clock(
    law: Law, seen: Seen, initial_loss: float | None = None, epochs: int = EPOCHS,
    held: Sequence[float] | None = None,
) -> None:  # fmt: skip
    """Constant within an epoch, and that of its mean losses; ε_0 is the first minibatch's loss.

    `held`: the validation loss after each epoch.
    """
    losses, rates = np.array(seen).reshape(epochs, -1, 2).transpose(2, 0, 1)
    initial_loss = losses[0, 0] if initial_loss is None else initial_loss
    given = None if held is None else np.array(held)
    expected = clock_rates(law, losses.mean(1), epochs, given, initial_loss=initial_loss)[:-1]
    near = 1e-6 if held is None else 1e-5  # tanh(20 …) of losses in float32
    np.testing.assert_allclose(rates, np.broadcast_to(expected[:, None], rates.shape), rtol=near)
    assert len(np.unique(rates)) == epochs


# Lightning


class Regression(lightning.LightningModule):
    """w·x on rows in their order, by SGD with two parameter groups."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = Seen()
        self.weight = torch.nn.Parameter(torch.full((3,), 0.5))
        self.bias = torch.nn.Parameter(torch.zeros(()))

    def training_step(self, batch: Sequence[Any]) -> Any:
        loss = self.loss(batch)
        self.seen.append((loss.item(), self.trainer.optimizers[0].param_groups[0]["lr"]))
        return loss

    def validation_step(self, batch: Sequence[Any]) -> None:
        self.log("val_loss", self.loss(batch))

    def loss(self, batch: Sequence[Any]) -> Any:
        x, y = batch
        return ((x @ self.weight + self.bias - y) ** 2).mean()

    def configure_optimizers(self) -> Any:
        groups = [{"params": [self.weight]}, {"params": [self.bias], "lr": 0.5}]
        return torch.optim.SGD(groups, lr=1.0)


def rows(repeated: bool = False) -> Any:
    """x and x·1 + 1; repeated: all minibatches are the same one."""
    x = torch.randn(ROWS, 3, generator=torch.Generator().manual_seed(0))
    x = x[:BATCH].repeat(STEPS, 1) if repeated else x
    return torch.utils.data.TensorDataset(x, x.sum(1) + 1)


def fit(
    model: Any, *callbacks: Any, data: Any = None, ckpt_path: Any = None, module: Any = lightning,
    val_dataloaders: Any = None, **more: Any,
) -> Any:  # fmt: skip
    """Train it for EPOCHS epochs, unless `more` says otherwise. The trainer."""
    data = torch.utils.data.DataLoader(rows(), batch_size=BATCH) if data is None else data
    quiet = ("logger", "enable_progress_bar", "enable_model_summary", "enable_checkpointing")
    settings = {"max_epochs": EPOCHS, "accelerator": "cpu", **dict.fromkeys(quiet, False)}
    trainer = module.Trainer(callbacks=list(callbacks), **settings | more)
    trainer.fit(model, data, val_dataloaders, ckpt_path=ckpt_path)
    return trainer


# Hugging Face


class Classifier(torch.nn.Module):
    """What the trainer asks of a model: keywords in, a mapping with the loss out."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[float] = []
        self.layer = torch.nn.Linear(3, 2)
        torch.nn.init.constant_(self.layer.weight, 0.1)
        torch.nn.init.zeros_(self.layer.bias)

    def forward(self, x: Any, labels: Any) -> dict[str, Any]:
        logits = self.layer(x)
        loss = torch.nn.functional.cross_entropy(logits, labels)
        if self.training:
            self.losses.append(loss.item())
        return {"loss": loss, "logits": logits}


class Rates(transformers.TrainerCallback):
    """The rate in force at every update."""

    def __init__(self) -> None:
        self.rates: list[float] = []

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        del args, state, control
        self.rates.append(float(kwargs["optimizer"].param_groups[0]["lr"]))


def labelled() -> list[dict[str, Any]]:
    x = torch.randn(ROWS, 3, generator=torch.Generator().manual_seed(0))
    return [{"x": each, "labels": (each.sum() > 0).long()} for each in x]


def train(
    folder: Path, *callbacks: Any, data: Any = None, resume: Any = None, optimizers: Any = None,
    **more: Any,
) -> Any:  # fmt: skip
    """Train it for EPOCHS epochs, unless `more` says otherwise. The trainer, with `seen`."""
    settings = {
        "num_train_epochs": EPOCHS, "per_device_train_batch_size": BATCH, "use_cpu": True,
        "save_strategy": "no", "report_to": [], "disable_tqdm": True, "seed": 3,
    }  # fmt: skip
    arguments = transformers.TrainingArguments(str(folder), **settings | more)
    data, model, watch = labelled() if data is None else data, Classifier(), Rates()
    given = {} if optimizers is None else {"optimizers": optimizers(model)}
    trainer: Any = transformers.Trainer(
        model, arguments, train_dataset=data, eval_dataset=labelled(),
        callbacks=[*callbacks, watch], **given,
    )  # fmt: skip
    trainer.train(resume_from_checkpoint=resume)
    rates = np.repeat(watch.rates, arguments.gradient_accumulation_steps)
    trainer.seen = list(zip(model.losses, rates.tolist(), strict=True))
    return trainer


# Two processes


def two_processes(program: str, *arguments: str) -> list[list[str]]:
    """The words that each of two processes printed, which find each other as under a launcher."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    root = str(Path(__file__).parents[2])
    shared = {
        **os.environ, "PYTHONPATH": root, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
        "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "NODE_RANK": "0", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    both = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", program, *arguments],
            env=shared | {"RANK": rank, "LOCAL_RANK": rank},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in "01"
    ]  # fmt: skip
    ended = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], ended[0][1][-3000:]
    return [printed.split("RESULT")[1].split() for printed, _ in ended]
