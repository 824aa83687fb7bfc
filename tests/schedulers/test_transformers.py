"""PsiCallback in a Hugging Face trainer, on a tiny model that is really trained."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import psi
from psi.law.law import Law
from tests.law.conftest import LAWS
from tests.schedulers.drivers import clock_rates

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("lightning")
pytest.importorskip("accelerate")

from psi.schedulers.transformers import PsiCallback  # noqa: E402
from tests.schedulers.trainings import (  # noqa: E402
    BATCH,
    EPOCHS,
    STEPS,
    follows_the_clock,
    labelled,
    train,
    two_processes,
)

pytestmark = pytest.mark.filterwarnings("ignore")  # the trainer's own


def updates(trainer: Any, accumulated: int = 1) -> list[tuple[float, float]]:
    """Mean loss and rate of every update."""
    means = np.array(trainer.seen).reshape(-1, accumulated, 2).mean(1)
    return [(loss, rate) for loss, rate in means]


# Rates


@pytest.mark.parametrize("accumulated", [1, 2])
@pytest.mark.parametrize("logging", ["epoch", "no", "steps"])
def test_kind_the_rates_follow_the_clock(
    formula: Law, tmp_path: Path, accumulated: int, logging: str
) -> None:
    """Whatever the trainer logs; ε_0 is the loss before the first update."""
    more = {"gradient_accumulation_steps": accumulated, "logging_steps": 2}
    initial = None if accumulated == 1 else 0.8  # given, the scale of the losses matters
    callback = PsiCallback(formula, initial_loss=initial)
    trainer = train(tmp_path, callback, logging_strategy=logging, **more)
    follows_the_clock(formula, updates(trainer, accumulated), initial)


@pytest.mark.parametrize("monitor", ["eval_loss", "eval_nothing"])
def test_a_law_with_feedback_sees_the_validation_loss(monitor: str, tmp_path: Path) -> None:
    law = LAWS["feedback"]()
    trainer = train(tmp_path, PsiCallback(law, monitor=monitor), eval_strategy="epoch")
    held = [line["eval_loss"] for line in trainer.state.log_history if "eval_loss" in line]
    assert len(held) == EPOCHS
    follows_the_clock(law, updates(trainer), held=held if monitor == "eval_loss" else None)


def test_the_trainer_logs_its_rate(formula: Law, tmp_path: Path) -> None:
    trainer = train(tmp_path, PsiCallback(formula), logging_steps=4)
    lines = [line for line in trainer.state.log_history if "loss" in line]
    assert [line["step"] for line in lines] == [1, 4, 6, 8, 12, 16, 18, 20, 24]
    assert [line["learning_rate"] for line in lines] == [
        trainer.seen[line["step"] - 1][1] for line in lines
    ]


def test_a_law_by_its_name_takes_settings(tmp_path: Path) -> None:
    callback = PsiCallback("adam@0.1.0", initial_loss=math.log(2), warmup=1, max_lr=0.05)
    trainer = train(tmp_path, callback)
    means = np.array(trainer.seen)[:, 0].reshape(EPOCHS, STEPS).mean(1)
    more = {
        "initial_loss": math.log(2),
        "warmup": 1,
        "max_lr": 0.05,
        "facts": psi.Facts(parameters=8),
    }
    wanted = clock_rates(psi.load("adam@0.1.0"), means, EPOCHS, **more)
    np.testing.assert_allclose([r for _, r in trainer.seen[::STEPS]], wanted[:-1], rtol=1e-6)
    assert trainer.state.log_history[0]["step"] == STEPS  # ε_0 is given: no log for it


def test_the_trainer_s_loader_and_weights_are_counted(facts_law: Law, tmp_path: Path) -> None:
    """A list of rows does not hold its targets as one array: classes are given, or missing."""
    callback = PsiCallback(facts_law, facts=psi.Facts(classes=2))
    train(tmp_path, callback, gradient_accumulation_steps=2, num_train_epochs=2)
    assert callback.scheduler is not None
    clock = callback.scheduler.state_dict()["clock"]
    wanted = {"parameters": 8, "batch": 2 * BATCH, "rows": STEPS * BATCH, "classes": 2}
    wanted |= {"steps": STEPS // 2, "budget": 2, "chance_loss": math.log(2)}
    assert {name: clock[name] for name in wanted} == wanted
    assert clock["weight_rms"] == pytest.approx(0.1 * (6 / 8) ** 0.5)
    assert 0 < clock["initial_grad_norm"] < 1.001  # the trainer clips


def test_it_steps_at_the_rate_of_the_first_gradient(facts_law: Law, tmp_path: Path) -> None:
    """Its own schedule would have put the rate back that was chosen before."""
    callback = PsiCallback(facts_law, initial_loss=0.7, facts=psi.Facts(classes=2))
    trainer = train(tmp_path, callback, num_train_epochs=2, max_grad_norm=0)
    assert callback.scheduler is not None
    first, *others = [rate for _, rate in trainer.seen[:STEPS]]
    norm = callback.scheduler.state_dict()["clock"]["initial_grad_norm"]
    # The law's power is −0.5, and 1 is typical of it.
    assert others == pytest.approx([first * norm**-0.5] * (STEPS - 1), rel=1e-6)
    assert norm != pytest.approx(1.0, abs=0.05)


@pytest.mark.slow
def test_a_period_of_updates(formula: Law, tmp_path: Path) -> None:
    trainer = train(tmp_path, PsiCallback(formula, every=8))
    follows_the_clock(formula, trainer.seen, epochs=3)


class Rows(torch.utils.data.IterableDataset):
    def __iter__(self) -> Any:
        return iter(labelled())


@pytest.mark.slow
def test_rows_without_a_length(formula: Law, tmp_path: Path) -> None:
    trainer = train(tmp_path, PsiCallback(formula, every=4), data=Rows(), max_steps=12)
    follows_the_clock(formula, trainer.seen, epochs=3)
    with pytest.raises(ValueError, match=r"no length: PsiCallback.*every=N.*got None"):
        train(tmp_path, PsiCallback(formula), data=Rows(), max_steps=12)


def test_a_loss_that_is_no_number_keeps_the_rate(formula: Law, tmp_path: Path) -> None:
    rows = labelled()
    rows[0]["x"] = rows[0]["x"] * math.nan
    callback = PsiCallback(formula, initial_loss=0.7)
    with pytest.warns(UserWarning, match="psi: epoch 0 ended with a mean loss of nan"):
        trainer = train(tmp_path, callback, data=rows, logging_nan_inf_filter=False)
    assert len({rate for _, rate in trainer.seen}) == 1
    assert callback.scheduler is not None
    assert callback.scheduler.skipped == EPOCHS


BUDGETS: dict[str, tuple[dict[str, Any], dict[str, Any], int]] = {
    "epochs": ({"num_train_epochs": 3}, {}, 3),
    "a part of one": ({"num_train_epochs": 1.5}, {}, 2),
    "steps": ({"max_steps": STEPS + 1}, {}, 2),
    "accumulated": ({"max_steps": 6, "gradient_accumulation_steps": 3}, {}, 3),
    "periods": ({"num_train_epochs": 2}, {"every": 5}, 3),
    "given": ({"num_train_epochs": 2}, {"epochs": 7}, 7),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", BUDGETS)
def test_kind_the_budget_is_the_trainer_s(formula: Law, tmp_path: Path, case: str) -> None:
    trainer, settings, wanted = BUDGETS[case]
    callback = PsiCallback(formula, **settings)
    train(tmp_path, callback, **trainer)
    assert callback.scheduler is not None
    assert callback.scheduler.state_dict()["clock"]["budget"] == wanted


# Checkpoints


SAVINGS: dict[str, dict[str, Any]] = {
    "epoch": {"save_strategy": "epoch"},
    "within epochs": {"save_strategy": "steps", "save_steps": 4},
    "best": {
        "save_strategy": "best", "metric_for_best_model": "loss", "eval_strategy": "steps",
        "eval_steps": 5,
    },
    "callbacks are restored": {
        "save_strategy": "steps", "save_steps": 5, "restore_callback_states_from_checkpoint": True,
    },
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("accumulated", [1, 2])
@pytest.mark.parametrize("saving", SAVINGS)
def test_kind_from_any_checkpoint_the_rest_has_the_same_bits(
    formula: Law, tmp_path: Path, saving: str, accumulated: int
) -> None:
    more = SAVINGS[saving] | {"gradient_accumulation_steps": accumulated, "logging_steps": 7}
    whole = train(tmp_path / "whole", PsiCallback(formula), **more)
    found = list((tmp_path / "whole").glob("checkpoint-*"))
    assert len(found) >= 2
    for folder in found:
        step = accumulated * int(folder.name.split("-")[1])
        rest = train(tmp_path / "rest", PsiCallback(formula), resume=str(folder), **more)
        assert rest.seen == whole.seen[step:], folder.name


@pytest.mark.slow
def test_a_longer_training_goes_on_with_its_own_budget(formula: Law, tmp_path: Path) -> None:
    train(tmp_path, PsiCallback(formula), save_strategy="epoch", num_train_epochs=2)
    callback = PsiCallback(formula)
    train(tmp_path, callback, resume=True)
    assert callback.scheduler is not None
    clock = callback.scheduler.state_dict()["clock"]
    assert (clock["epoch"], clock["budget"]) == (EPOCHS, EPOCHS)


@pytest.mark.slow
def test_a_second_training_begins(formula: Law, tmp_path: Path) -> None:
    callback = PsiCallback(formula)
    trainer = train(tmp_path, callback)
    trainer.train()
    assert callback.scheduler is not None
    assert callback.scheduler.state_dict()["clock"]["epoch"] == EPOCHS


@pytest.mark.slow
def test_a_checkpoint_without_its_state_is_said(formula: Law, tmp_path: Path) -> None:
    train(tmp_path, save_strategy="epoch", num_train_epochs=2)
    first = str(tmp_path / f"checkpoint-{STEPS}")
    with pytest.warns(UserWarning, match=f"psi: training goes on after {STEPS} updates and no"):
        train(tmp_path, PsiCallback(formula), resume=first)


# What is refused


def cosine(model: Any) -> Any:
    optimizer = torch.optim.AdamW(model.parameters())
    return optimizer, transformers.get_cosine_schedule_with_warmup(optimizer, 0, EPOCHS * STEPS)


def stepwise(model: Any) -> Any:
    optimizer = torch.optim.AdamW(model.parameters())
    return optimizer, torch.optim.lr_scheduler.StepLR(optimizer, 3)


@pytest.mark.parametrize(
    "more",
    [
        {"warmup_steps": 3},
        {"warmup_steps": 0.1},
        {"lr_scheduler_type": "cosine"},
        {"lr_scheduler_type": "constant_with_warmup", "warmup_steps": 3},
        {"lr_scheduler_type": "polynomial", "lr_scheduler_kwargs": {"power": 2.0}},
        {"lr_scheduler_type": "reduce_lr_on_plateau", "eval_strategy": "epoch"},
        {"optimizers": cosine},
        {"optimizers": stepwise},
    ],
)
def test_kind_another_schedule_is_refused(
    formula: Law, tmp_path: Path, more: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"Ψ is the schedule: leave warmup_steps.*warmup=3"):
        train(tmp_path, PsiCallback(formula), **more)


@pytest.mark.slow
def test_a_constant_schedule_is_replaced_like_the_default(formula: Law, tmp_path: Path) -> None:
    constant = train(tmp_path, PsiCallback(formula), lr_scheduler_type="constant")
    assert constant.seen == train(tmp_path, PsiCallback(formula)).seen


# Two processes


@pytest.mark.slow
@pytest.mark.parametrize("accumulated", [1, 3])
def test_two_processes_have_the_rate_of_the_mean_loss(
    formula: Law, tmp_path: Path, accumulated: int
) -> None:
    program = """
import sys, contextlib, os
from psi.schedulers.transformers import PsiCallback
from tests.schedulers.trainings import train
law, folder, accumulated = sys.argv[1:]
trainer = train(
    folder, PsiCallback(law), per_device_train_batch_size=8,
    gradient_accumulation_steps=int(accumulated),
)
rates = [line["learning_rate"] for line in trainer.state.log_history if "loss" in line]
print("RESULT", trainer.args.process_index, rates[-1].hex(),
      *(f"{x.hex()}" for pair in trainer.seen for x in pair))
"""
    formula.save(tmp_path / "law.json")
    arguments = str(tmp_path / "law.json"), str(tmp_path), str(accumulated)
    printed = two_processes(program, *arguments)
    assert [words[0] for words in printed] == ["0", "1"]
    values = np.array([[float.fromhex(word) for word in words[2:]] for words in printed])
    losses, rates = values.reshape(2, -1, 2).transpose(2, 0, 1)
    assert losses.shape[1] == EPOCHS * STEPS
    assert (losses[0] != losses[1])[accumulated:].all()  # before the first update: log 2 in all
    assert (rates[0] == rates[1]).all()
    assert [float.fromhex(words[1]) for words in printed] == [rates[0, -1]] * 2
    mean = losses.mean(0).reshape(-1, accumulated).mean(1)
    follows_the_clock(formula, list(zip(mean, rates[0, ::accumulated], strict=True)))
    assert BATCH == 2 * 8
