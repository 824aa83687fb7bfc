"""Names that trainers and their users give columns."""

import pytest

from psi.advice.column_names import ranked, words
from psi.advice.optimizer_named import law_for, optimizer_named
from psi.advice.table import Table, count, number, of_rows

LOSSES = (
    "loss", "Loss", "LOSS", "train_loss", "trainLoss", "TrainLoss", "trainloss", "Training Loss",
    "train/loss", "Loss/train", "loss_train", "train_total_loss", "total_loss", "loss_total",
    "TotalLoss", "train_loss_epoch", "train/loss_step", "loss_running", "avg_loss", "mean loss",
    "run-1 - train/loss", "training.loss", "train-loss", "epoch_loss", "batch_loss", "train_losses",
)  # fmt: skip
VALIDATIONS = (
    "val_loss", "ValLoss", "valid_loss", "validation_loss", "Validation Loss", "eval_loss",
    "eval/loss", "test_loss", "Test Loss", "dev_loss", "valloss", "Loss/val", "loss_val",
    "val_total_loss", "run-1 - eval/loss", "validation/loss_epoch",
)  # fmt: skip
RATES = (
    "lr", "LR", "learning_rate", "LearningRate", "learningRate", "learning rate", "learningrate",
    "Learning Rate", "train/lr", "train/learning_rate", "lr-Adam", "lr-AdamW", "lr-Lion",
    "lr-LBFGS", "lr-LAMB", "lr-Muon", "lr-SGD/pg1", "lr-Prodigy/pg2", "x/lr0", "x/lr2", "lr/pg0",
    "lr0", "lr_0", "lr_group0", "base_lr", "optimizer/lr", "current_lr", "lr_backbone",
    "run-1 - train/learning_rate", "params/lr",
)  # fmt: skip
NORMS = (
    "grad_norm", "gradient_norm", "GradNorm", "train/grad_norm", "gradNorm", "gnorm", "gradnorm",
    "grad_2.0_norm_total", "total_grad_norm", "gradients/norm", "grad norm",
)  # fmt: skip
NONE = (
    "val_acc", "accuracy", "loss_scale", "best_val_loss", "loss_std", "train_loss_min", "closs",
    "lr_mult", "lr_decay", "lr_scheduler", "lr-SGD-momentum", "lr-Adam-weight_decay", "eta",
    "time", "min_lr", "max_grad_norm", "glossary", "run-1 - train/loss__MIN", "drop_rate",
)  # fmt: skip


@pytest.mark.parametrize(
    ("role", "name"),
    [
        *(("loss", name) for name in LOSSES),
        *(("validation", name) for name in VALIDATIONS),
        *(("rate", name) for name in RATES),
        *(("gradient_norm", name) for name in NORMS),
        *((None, name) for name in NONE),
    ],
)
def test_kind_of_name(role: str | None, name: str) -> None:
    for each in ("loss", "validation", "rate", "gradient_norm"):
        assert bool(ranked(each, [name])) is (each == role)


def test_the_best_name_stands_first() -> None:
    losses = ["train_loss_step", "train_loss_epoch", "train_loss", "loss"]
    assert ranked("loss", losses) == losses[::-1]
    assert ranked("rate", ["x/lr0", "lr-Adam", "lr"]) == ["lr", "lr-Adam", "x/lr0"]
    assert ranked("validation", ["test_loss", "val_loss"]) == ["val_loss", "test_loss"]
    assert ranked("step", ["iter", "batch", "trainer/global_step"])[0] == "trainer/global_step"
    assert ranked("epoch", ["Epoch", "epoch_time"]) == ["Epoch"]


def test_words() -> None:
    assert words("TrainLoss") == words("train_loss") == words("trainloss") == ("train", "loss")
    assert words("lr-AdamW/pg1") == ("lr", "adam", "w", "pg", "1")
    assert words("LearningRate") == ("lr",)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("0.1", 0.1), ("[0.1]", 0.1), ("[0.1, 0.01]", 0.1), ("(0.1,)", 0.1), ([0.1, 0.2], 0.1),
        ("tensor(0.1)", 0.1), ("tensor([0.1], device='cuda:0')", 0.1), ("np.float64(1e-3)", 1e-3),
        ("array([1e-3])", 1e-3), (" 1e-3 ", 1e-3), (0.1, 0.1), (3, 3.0), ("-inf", float("-inf")),
        ("None", None), ("", None), (None, None), ("No log", None), ([], None), ("N/A", None),
    ],
)  # fmt: skip
def test_kind_of_cell(cell: object, expected: float | None) -> None:
    assert number(cell, "x") == expected


@pytest.mark.parametrize("cell", ["cosine", "1/10", "0.1 0.2", "0,5,", "1e-3x", {}])
def test_kind_of_cell_that_is_no_number(cell: object) -> None:
    with pytest.raises(ValueError, match="lr must be a number, got"):
        number(cell, "lr")


@pytest.mark.parametrize(
    ("names", "text", "optimizer", "law"),
    [
        (["lr-Adam"], "", "Adam", "adam"),
        (["lr-AdamW/pg1"], "", "AdamW", "adam"),
        (["train/lr-SGD"], "", "SGD(momentum=0)", "sgd"),
        (["lr-SGD", "lr-SGD-momentum"], "", "SGD(momentum=0.9)", "momentum"),
        (["lr"], "optimizer: SGD(lr=0.1, momentum=0.9)", "SGD(momentum=0.9)", "momentum"),
        (["lr"], "optimizer=sgd, momentum=0.0", "sgd(momentum=0)", "sgd"),
        (["lr"], "SGD(lr=0.1, momentum=0.5)", "SGD(momentum=0.5)", None),
        (["lr"], "Adam (lr: 2e-4, betas: (0.5, 0.999))", "Adam(betas=(0.5, 0.999))", None),
        (["lr"], "--optim adamw_torch --seed 1", "adamw", "adam"),
        (["lr"], "Using AdamW", "AdamW", "adam"),
        (["lr-Lion"], "", "Lion", None),
        (["lr"], "seed 3", None, None),
    ],
)
def test_kind_of_optimizer_that_a_log_names(
    names: list[str], text: str, optimizer: str | None, law: str | None
) -> None:
    table = Table({name: [] for name in names}, [], words=text)
    found = optimizer_named(table)
    assert (found and found.said) == optimizer
    name, why = law_for(found)
    assert name == (law or "adam")
    assert ("assumed" in why) is (law is None)


def test_rows_that_name_their_cells() -> None:
    table = of_rows([{"a": 1, "b": "x"}, {"a": None}], [3, 9])
    assert table.cells == {"a": [1, None], "b": ["x", None]}
    assert table.numbers("a").logged.tolist() == [True, False]
    with pytest.raises(ValueError, match="line 3: b must be a number, got 'x'"):
        table.numbers("b")
    assert (count(1, "line"), count(1200, "line")) == ("1 line", "1,200 lines")
