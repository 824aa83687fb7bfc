"""PsiCallback in a Lightning trainer, on tiny models that are really trained."""

import csv
import logging
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import psi
from psi.law.law import Law
from tests.law.conftest import LAWS
from tests.schedulers.drivers import clock_rates

torch = pytest.importorskip("torch")
lightning = pytest.importorskip("lightning")
pytest.importorskip("transformers")
pytest.importorskip("accelerate")

from psi.schedulers.lightning import PsiCallback  # noqa: E402
from tests.schedulers.trainings import (  # noqa: E402
    BATCH,
    EPOCHS,
    STEPS,
    Regression,
    fit,
    follows_the_clock,
    rows,
    two_processes,
)

pytestmark = pytest.mark.filterwarnings("ignore")  # the trainer's own
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
Saving = lightning.pytorch.callbacks.ModelCheckpoint


def periods(model: Regression) -> list[float]:
    """The rates in force, each once."""
    rates = [rate for _, rate in model.seen]
    return [rate for rate, before in zip(rates, [None, *rates], strict=False) if rate != before]


# Rates


@pytest.mark.parametrize("accumulated", [1, 4])
def test_the_rates_follow_the_clock(law: Law, accumulated: int) -> None:
    model = Regression()
    initial = None if accumulated == 1 else 3.0  # given, the scale of the losses matters
    callback = PsiCallback(law, initial_loss=initial)
    trainer = fit(model, callback, accumulate_grad_batches=accumulated)
    follows_the_clock(law, model.seen, initial)
    first, second = (group["lr"] for group in trainer.optimizers[0].param_groups)
    assert second == pytest.approx(first / 2)


def test_a_trainer_of_the_other_package_has_the_same(formula: Law) -> None:
    other = pytest.importorskip("pytorch_lightning")
    names = ("__init__", "training_step", "loss", "configure_optimizers")

    def begin(self: Any) -> None:
        other.LightningModule.__init__(self)
        self.seen = []
        self.weight = torch.nn.Parameter(torch.full((3,), 0.5))
        self.bias = torch.nn.Parameter(torch.zeros(()))

    same = {name: vars(Regression)[name] for name in names} | {"__init__": begin}
    model, twin = Regression(), type("Twin", (other.LightningModule,), same)()
    fit(model, PsiCallback(formula))
    fit(twin, PsiCallback(formula), module=other)
    assert twin.seen == model.seen  # pyright: ignore


class Watch(lightning.Callback):
    """What the trainer's validations came to, but for the one before training."""

    def __init__(self) -> None:
        self.held: list[float] = []

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        del pl_module
        if not trainer.sanity_checking:
            self.held.append(float(trainer.callback_metrics["val_loss"]))


@pytest.mark.parametrize("monitor", ["val_loss", "nothing of the kind"])
def test_a_law_with_feedback_sees_the_validation_loss(monitor: str) -> None:
    law, model, watch = LAWS["feedback"](), Regression(), Watch()
    x, y = rows().tensors
    worse = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, -y), batch_size=BATCH)
    fit(model, watch, PsiCallback(law, monitor=monitor), val_dataloaders=worse)
    assert len(watch.held) == EPOCHS
    assert watch.held[1] > watch.held[0]
    follows_the_clock(law, model.seen, held=watch.held if monitor == "val_loss" else None)


def test_the_validation_loss_is_the_mean_over_processes() -> None:
    callback, told = PsiCallback(LAWS["feedback"]()), []
    callback.scheduler = SimpleNamespace(validate=told.append)  # pyright: ignore
    strategy = SimpleNamespace(reduce=lambda value, reduce_op: (value, reduce_op))
    trainer: Any = SimpleNamespace(
        callback_metrics={"val_loss": 0.5}, sanity_checking=False, strategy=strategy,
        state=SimpleNamespace(fn="fit"),
    )  # fmt: skip
    callback.on_validation_end(trainer, Regression())
    assert told == [(0.5, "mean")]


def test_a_validation_outside_of_training_is_none_of_the_law_s() -> None:
    callback, model = PsiCallback(LAWS["feedback"]()), Regression()
    loader = torch.utils.data.DataLoader(rows(), batch_size=BATCH)
    trainer = fit(model, callback, val_dataloaders=loader)
    before = callback.state_dict()
    x, y = rows().tensors
    other = torch.utils.data.TensorDataset(x, -5 * y)
    trainer.validate(model, torch.utils.data.DataLoader(other, batch_size=BATCH), verbose=False)
    assert callback.state_dict() == before


def test_a_law_by_its_name_takes_settings() -> None:
    model = Regression()
    fit(model, PsiCallback("momentum@0.1.0", initial_loss=3.0, warmup=1, max_lr=0.05))
    means = np.array(model.seen)[:, 0].reshape(EPOCHS, STEPS).mean(1)
    more = {"initial_loss": 3.0, "warmup": 1, "max_lr": 0.05, "facts": psi.Facts(parameters=4)}
    wanted = clock_rates(psi.load("momentum@0.1.0"), means, EPOCHS, **more)
    np.testing.assert_allclose([rate for _, rate in model.seen[::STEPS]], wanted[:-1], rtol=1e-6)


@pytest.mark.parametrize("every", [None, 5])
def test_the_trainer_s_loader_and_weights_are_counted(every: int | None, facts_law: Law) -> None:
    """w = 0.5, 0.5, 0.5 and b = 0; two minibatches are an update."""
    callback = PsiCallback(facts_law, every=every, facts=psi.Facts(classes=0, steps_per_epoch=9))
    fit(Regression(), callback, accumulate_grad_batches=2)
    clock = callback.state_dict()["clock"]
    wanted = {"parameters": 4, "batch": 2 * BATCH, "rows": STEPS * BATCH, "classes": 1}
    assert {name: clock[name] for name in wanted} == wanted
    assert clock["weight_rms"] == pytest.approx((3 / 16) ** 0.5)
    assert 0 < clock["initial_grad_norm"] < math.inf  # it steps by a closure
    assert clock["steps"] == every or 9  # what is given wins, but a period is what it is
    targets = rows().tensors[1]
    assert clock["chance_loss"] == pytest.approx(float(targets.var(correction=0)) / 2, rel=1e-5)


def test_a_period_of_updates(formula: Law) -> None:
    """Eight minibatches are four updates: 24 of them are three periods, across epochs."""
    model = Regression()
    callback = PsiCallback(formula, every=4)
    fit(model, callback, accumulate_grad_batches=2)
    follows_the_clock(formula, model.seen, epochs=3)


@pytest.mark.parametrize("precision", ["bf16-mixed", "64-true"])
def test_other_precisions(formula: Law, precision: str) -> None:
    model = Regression()
    fit(model, PsiCallback(formula), precision=precision)
    follows_the_clock(formula, model.seen)


class Manual(Regression):
    returned = True

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch: Any) -> Any:
        loss = super().training_step(batch)
        optimizer: Any = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()
        return {"loss": loss} if self.returned else None


def test_manual_optimization(formula: Law) -> None:
    model = Manual()
    fit(model, PsiCallback(formula))
    follows_the_clock(formula, model.seen)


def test_skipped_minibatches_and_losses_that_are_no_number(formula: Law) -> None:
    class Sometimes(Regression):
        def training_step(self, batch: Any) -> Any:
            loss = super().training_step(batch)
            if len(self.seen) == 2:
                return None
            return loss * math.nan if len(self.seen) == STEPS + 2 else loss

    model, callback = Sometimes(), PsiCallback(formula)
    with pytest.warns(UserWarning, match="psi: epoch 1 ended with a mean loss of nan"):
        fit(model, callback, max_epochs=3)
    first = [loss for k, (loss, _) in enumerate(model.seen[:STEPS]) if k != 1]
    wanted = clock_rates(formula, np.array([np.mean(first)]), 3, initial_loss=first[0])
    rates = [rate for _, rate in model.seen[::STEPS]]
    np.testing.assert_allclose(rates, [*wanted, wanted[-1]], rtol=1e-6)
    assert callback.scheduler is not None
    assert callback.scheduler.skipped == 2  # the weights are no numbers after that


def test_an_epoch_that_is_cut_short_ends(formula: Law) -> None:
    class Short(Regression):
        def on_train_batch_start(self, batch: Any, batch_idx: int) -> int | None:
            del batch
            return -1 if batch_idx == 4 else None

    model = Short()
    fit(model, PsiCallback(formula))
    assert len(model.seen) == 4 * EPOCHS
    follows_the_clock(formula, model.seen)


# The budget


BUDGETS: dict[str, tuple[dict[str, Any], dict[str, Any], int]] = {
    "epochs": ({"max_epochs": 3}, {}, 3),
    "steps": ({"max_epochs": -1, "max_steps": 2 * STEPS + 1}, {}, 3),
    "both": ({"max_epochs": 2, "max_steps": 3 * STEPS}, {}, 2),
    "part of the rows": ({"max_epochs": -1, "max_steps": 6, "limit_train_batches": 3}, {}, 2),
    "accumulated": ({"max_epochs": -1, "max_steps": 6, "accumulate_grad_batches": 2}, {}, 2),
    "periods": ({"max_epochs": 2}, {"every": 5}, 3),
    "periods of steps": ({"max_epochs": -1, "max_steps": 9}, {"every": 3}, 3),
    "given": ({"max_epochs": 2}, {"epochs": 7}, 7),
    "a trial": ({"fast_dev_run": True}, {}, 1),
}


@pytest.mark.parametrize("case", BUDGETS)
def test_kind_the_budget_is_the_trainer_s(formula: Law, case: str) -> None:
    trainer, settings, wanted = BUDGETS[case]
    callback = PsiCallback(formula, **settings)
    fit(Regression(), callback, **trainer)
    assert callback.state_dict()["clock"]["budget"] == wanted


class Endless(torch.utils.data.IterableDataset):
    def __iter__(self) -> Any:
        return iter(rows())


def test_rows_without_a_length(formula: Law) -> None:
    data = torch.utils.data.DataLoader(Endless(), batch_size=BATCH)
    model = Regression()
    fit(model, PsiCallback(formula), data=data)
    follows_the_clock(formula, model.seen)
    model = Regression()
    steps = {"max_steps": 8, "max_epochs": -1}
    fit(model, PsiCallback(formula, every=4), data=data, **steps)
    follows_the_clock(formula, model.seen, epochs=2)
    with pytest.raises(ValueError, match="this law sees i/T: epochs must be given"):
        fit(Regression(), PsiCallback(formula), data=data, **steps)
    with pytest.raises(ValueError, match="this law sees i/T: epochs must be given"):
        fit(Regression(), PsiCallback(formula, every=4), data=data)


@pytest.mark.parametrize("before", [1, 2, 3])
def test_kind_a_training_that_is_resumed_for_longer_has_the_longer_one_s_rates(
    formula: Law, tmp_path: Path, before: int
) -> None:
    """From the first epoch after the checkpoint on, though that of a shorter T was in force."""
    first, rest = Regression(), Regression()
    trainer = fit(first, PsiCallback(formula), max_epochs=before)
    trainer.save_checkpoint(tmp_path / "end.ckpt")
    with pytest.warns(UserWarning, match=f"saved run had T = {before}; it goes on with epochs=4"):
        fit(rest, PsiCallback(formula), ckpt_path=tmp_path / "end.ckpt")
    seen = np.array(first.seen + rest.seen).reshape(EPOCHS, STEPS, 2)
    means, initial = seen[:, :, 0].mean(1), first.seen[0][0]
    wanted = clock_rates(formula, means, EPOCHS, initial_loss=initial)[before:-1]
    np.testing.assert_allclose(seen[before:, 0, 1], wanted, rtol=1e-6)


# Logs


@pytest.mark.parametrize("monitored", [False, True])
def test_the_rate_is_logged_as_the_framework_calls_it(
    formula: Law, tmp_path: Path, monitored: bool
) -> None:
    monitor = [lightning.pytorch.callbacks.LearningRateMonitor()] * monitored
    logger = lightning.pytorch.loggers.CSVLogger(tmp_path)
    model = Regression()
    fit(model, PsiCallback(formula), *monitor, logger=logger)
    with open(Path(logger.log_dir) / "metrics.csv", newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["lr-SGD/pg1"]]
    assert [float(line["lr-SGD/pg1"]) for line in lines] == pytest.approx(periods(model))
    assert [float(line["lr-SGD/pg2"]) * 2 for line in lines] == pytest.approx(periods(model))


class Single(Regression):
    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters())


def test_the_rate_of_a_period_is_logged_by_step(formula: Law) -> None:
    model = Single()
    trainer = fit(model, PsiCallback(formula, every=4), log_every_n_steps=1)
    assert trainer.callback_metrics["lr-Adam"].item() == pytest.approx(model.seen[-1][1])


# Checkpoints


SAVINGS: dict[str, tuple[dict[str, Any], bool]] = {
    "after an epoch": ({"every_n_epochs": 1, "save_on_train_epoch_end": True}, False),
    "after validation": ({"every_n_epochs": 1}, True),
    "at an epoch's last step": ({"every_n_train_steps": STEPS}, False),
    "within an epoch": ({"every_n_train_steps": STEPS - 2}, False),
    "at any step": ({"every_n_train_steps": 1}, True),
}


@pytest.mark.parametrize("every", [None, 4])
@pytest.mark.parametrize("saving", SAVINGS)
def test_kind_from_any_checkpoint_the_rest_has_the_same_bits(
    formula: Law, tmp_path: Path, saving: str, every: int | None
) -> None:
    settings, validated = SAVINGS[saving]
    data = torch.utils.data.DataLoader(rows(repeated=True), batch_size=BATCH)
    validation = data if validated else None
    whole = Regression()
    save = Saving(tmp_path, "{step}", save_top_k=-1, **settings)
    more = {"data": data, "val_dataloaders": validation}
    fit(whole, PsiCallback(formula, every=every), save, enable_checkpointing=True, **more)
    found = sorted(tmp_path.glob("*.ckpt"))
    assert len(found) >= EPOCHS
    for file in found[:: max(1, len(found) // 6)]:
        step = int(file.stem.split("=")[1].split("-")[0])
        rest = Regression()
        fit(rest, PsiCallback(formula, every=every), ckpt_path=file, **more)
        assert rest.seen == whole.seen[step:], file.name


def test_a_longer_training_goes_on_with_its_own_budget(formula: Law, tmp_path: Path) -> None:
    file = tmp_path / "half.ckpt"
    fit(Regression(), PsiCallback(formula), max_epochs=2).save_checkpoint(file)
    callback = PsiCallback(formula)
    fit(Regression(), callback, ckpt_path=file)
    clock = callback.state_dict()["clock"]
    assert (clock["epoch"], clock["budget"]) == (EPOCHS, EPOCHS)


def test_a_second_fit_goes_on_and_a_second_trainer_begins(formula: Law) -> None:
    callback, model = PsiCallback(formula), Regression()
    data = torch.utils.data.DataLoader(rows(), batch_size=BATCH)
    trainer = fit(model, callback, data=data, max_epochs=2)
    trainer.fit_loop.max_epochs = EPOCHS
    trainer.fit(model, data)
    assert callback.state_dict()["clock"]["epoch"] == EPOCHS
    fit(Regression(), callback, max_epochs=2)
    assert callback.state_dict()["clock"]["epoch"] == 2


def test_a_checkpoint_without_its_state_is_said(formula: Law, tmp_path: Path) -> None:
    file = tmp_path / "without.ckpt"
    fit(Regression(), max_epochs=2).save_checkpoint(file)
    with pytest.warns(UserWarning, match=f"psi: training goes on after {2 * STEPS} updates and no"):
        fit(Regression(), PsiCallback(formula), ckpt_path=file)


class Unfreeze(lightning.pytorch.callbacks.BaseFinetuning):
    """The bias joins in the second epoch, at a tenth of the rate."""

    def freeze_before_training(self, pl_module: Any) -> None:
        self.freeze(pl_module.layer)

    def finetune_function(self, pl_module: Any, epoch: int, optimizer: Any) -> None:
        if epoch == 1:
            self.unfreeze_and_add_param_group(pl_module.layer, optimizer)
        elif epoch > 1:  # in a resumed training Lightning has frozen it anew
            self.make_trainable(pl_module.layer)


class Frozen(Regression):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 1)
        torch.nn.init.zeros_(self.layer.weight)
        torch.nn.init.zeros_(self.layer.bias)

    def loss(self, batch: Any) -> Any:
        x, y = batch
        return ((x @ self.weight + self.layer(x)[:, 0] - y) ** 2).mean()

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD([self.weight], lr=1.0)


@pytest.mark.parametrize("first", [True, False])
def test_a_group_that_joins_keeps_its_ratio(formula: Law, tmp_path: Path, first: bool) -> None:
    def both() -> tuple[Any, Any]:
        callback = PsiCallback(formula)
        return (callback, Unfreeze()) if first else (Unfreeze(), callback)

    data = torch.utils.data.DataLoader(rows(repeated=True), batch_size=BATCH)
    whole, save = Frozen(), Saving(tmp_path, "{epoch}", save_top_k=-1)
    trainer = fit(whole, *both(), save, data=data, enable_checkpointing=True)
    one, joined = (group["lr"] for group in trainer.optimizers[0].param_groups)
    assert joined == pytest.approx(one / 10)
    for epoch in (0, 1, 2):
        rest = Frozen()
        fit(rest, *both(), data=data, ckpt_path=tmp_path / f"epoch={epoch}.ckpt")
        assert rest.seen == whole.seen[(epoch + 1) * STEPS :]


# What is refused


class Scheduled(Regression):
    def configure_optimizers(self) -> Any:
        optimizer = super().configure_optimizers()
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1)]


class Two(Manual):
    def configure_optimizers(self) -> Any:
        return [torch.optim.SGD([p], lr=1.0) for p in (self.weight, self.bias)]


class Untrained(Regression):
    def configure_optimizers(self) -> Any:
        return None


class Silent(Manual):
    returned = False


@pytest.mark.parametrize(
    ("model", "more", "reason"),
    [
        (Scheduled, {}, "give the optimizer alone, got 1 scheduler.*warmup=3"),
        (Two, {}, "one optimizer, configure_optimizers gives 2"),
        (Untrained, {}, "one optimizer, configure_optimizers gives 0"),
        (Silent, {}, "the loss that training_step returns"),
        (Regression, {"max_epochs": -1}, "epochs must be given"),
    ],
)
def test_kind_a_training_that_has_no_place_for_it(
    formula: Law, model: type[Regression], more: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        fit(model(), PsiCallback(formula), **more)


# Two processes


@pytest.mark.slow
def test_two_processes_have_the_rate_of_the_mean_loss(formula: Law, tmp_path: Path) -> None:
    program = """
import sys, torch, lightning
from psi.schedulers.lightning import PsiCallback
from tests.schedulers.trainings import Regression, fit
model = Regression()
trainer = fit(model, PsiCallback(sys.argv[1]), strategy="ddp", devices=2)
print("RESULT", trainer.global_rank, *(f"{x.hex()}" for pair in model.seen for x in pair))
"""
    formula.save(tmp_path / "law.json")
    printed = two_processes(program, str(tmp_path / "law.json"))
    assert [words[0] for words in printed] == ["0", "1"]
    values = np.array([[float.fromhex(word) for word in words[1:]] for words in printed])
    losses, rates = values.reshape(2, -1, 2).transpose(2, 0, 1)
    assert (losses[0] != losses[1]).all()
    assert (rates[0] == rates[1]).all()
    follows_the_clock(formula, list(zip(losses.mean(0), rates[0], strict=True)))
