"""Logs as trainers write them, and as people do: which columns are read, and what is found."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from psi.advice.choosing import Columns
from psi.advice.diagnosis import diagnose
from psi.advice.log import read_log
from tests.advice.trainers import EPOCHS, TRAINERS, course
from tests.advice.writers import Training, csv

FOUND = {
    "healthy": "healthy",
    "overfit": "overfitting",
    "diverged": "rate too high",
    "nan": "rate too high",
    "zero": "loss is exactly 0",
}
NO_VALIDATION = ("mmdet printed", "torchtune", "paddle", "stable baselines", "percent")


@pytest.mark.parametrize("kind", FOUND)
@pytest.mark.parametrize("name", TRAINERS)
def test_kind_of_trainer(name: str, kind: str, tmp_path: Path) -> None:
    of = course(kind, seed=[*TRAINERS].index(name))
    path = tmp_path / "log"
    path.write_text(TRAINERS[name](of))
    log = read_log(path)
    rounded = 0.006 if name == "timm printed" else 1e-4
    last = np.append(log.at[1:] != log.at[:-1], True) if len(log.at) > EPOCHS else ...
    if name not in ("timm printed", "nanogpt"):
        np.testing.assert_allclose(log.loss[last], of.loss, rtol=rounded)
    if name not in (*NO_VALIDATION, "model card", "json lines with null"):
        np.testing.assert_allclose(log.validation.value, of.validation, rtol=rounded)
    found = diagnose(log)
    if kind != "overfit" or name not in NO_VALIDATION:
        assert found[0].name == FOUND[kind]
    if kind != "healthy":
        assert not {"still falling", "plateau", "noise floor"} & {each.name for each in found}
    if name.startswith(("wandb", "tensorboard")):
        assert any("is read" in note for note in log.notes)


def entries(of: Training) -> list[dict]:
    rows = enumerate(zip(*of, strict=True))
    return [{"epoch": k, "loss": a, "val_loss": b, "lr": c} for k, (a, b, c) in rows]


def document(write: Callable[[Training], object]) -> Callable[[Training], str]:
    return lambda of: json.dumps(write(of), indent=1)


def plain(head: str, line: str) -> Callable[[Training], str]:
    return csv(head, lambda k, a, b, c: line.format(k=k, a=a, b=b, c=c) + "\n")


ODD: dict[str, Callable[[Training], str]] = {
    "by epoch": document(lambda of: {str(each["epoch"]): each for each in entries(of)}),
    "by names of epochs": document(
        lambda of: {
            f"epoch_{k}": {"train": {"loss": a}, "val": {"loss": b}}
            for k, (a, b) in enumerate(zip(of.loss, of.validation, strict=True))
        }
    ),
    "nested columns": document(
        lambda of: {"train": {"loss": [*of.loss]}, "val": {"loss": [*of.validation]}}
    ),
    "losses of steps, validations of epochs": document(
        lambda of: {"loss": np.repeat(of.loss, 5).tolist(), "val_loss": [*of.validation]}
    ),
    "settings beside the history": document(
        lambda of: {"config": {"layers": [8, 8], "lr": 0.1}, "history": entries(of)}
    ),
    "deep history": document(lambda of: {"run": {"args": [1], "log": entries(of)}, "best": 3}),
    "cut list": lambda of: json.dumps([*entries(of), {"epoch": 99, "loss": 9.0}])[:-9],
    "cut in an entry's list": lambda of: json.dumps([*entries(of), {"lr": [0.1, 0.2], "a": 1}])[
        :-9
    ],
    "cut columns": lambda of: json.dumps(
        {"loss": [*of.loss], "val_loss": [*of.validation], "lr": [*of.rate]}
    )[:-20],
    "YAML": plain("", "- epoch: {k}\n  train_loss: {a}\n  val_loss: {b}\n  lr: {c}"),
    "sentences": plain("", "Epoch {k} done. Loss was {a}. Validation loss is {b}. LR now {c}"),
    "tensors": plain("", "Epoch {k}: loss tensor({a}, device='cuda:0') val loss: tensor({b})"),
    "best so far": plain("", "Train Loss: {a} | Val Loss: {b} | Best Val Loss: 0.1 | epoch {k}"),
    "drawn table": plain(
        "┏━━━━━━━┳━━━━━━━━━━━━┳━━━━━━━━━━┓\n┃ Epoch ┃ Train Loss ┃ Val Loss ┃\n"
        "┡━━━━━━━╇━━━━━━━━━━━━╇━━━━━━━━━━┩\n",
        "│ {k} │ {a} │ {b} │",
    ),
    "grid": plain(
        "+---+---+---+\n| epoch | loss | val_loss |\n+===+===+===+\n",
        "| {k} | {a} | {b} |\n+---+---+---+",
    ),
    "ranks": plain("", "0: [rank0] epoch {k} train_loss {a} val_loss {b}"),
    "epochs in lines of their own": plain(
        "", "Epoch {k}/24\n----------\ntrain Loss: {a} Acc: 0.5\nval Loss: {b} Acc: 0.5\n"
    ),
    "JSON in a log": plain("", 'INFO main {{"epoch": {k}, "loss": {a}, "val_loss": {b}}}'),
    "units in names": plain("epoch,loss [nats],val loss [nats],lr [1]\n", "{k},{a},{b},{c}"),
    "capitals": plain("EPOCH,TRAIN_LOSS,VALID_LOSS,LR\n", "{k},{a},{b},{c}"),
    "text in cells": plain("epoch,loss,note,val_loss\n", '{k},{a},"fine, so far",{b}'),
    "comments between": plain("epoch,loss,val_loss\n", "# now, epoch {k}\n{k},{a},{b}"),
    "marks of none": plain("epoch,loss,val_loss,lr\n", "{k},{a},#na#,\n{k},#na#,{b},"),
    "brackets in names": plain("epoch,loss (train),loss (val)\n", "{k},{a},{b}"),
    "columns of outputs": plain(
        "epoch,a_loss,b_loss,loss,val_a_loss,val_b_loss,val_loss\n", "{k},1,1,{a},1,1,{b}"
    ),
}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", ODD)
def test_kind_of_odd_log(name: str, seed: int, tmp_path: Path) -> None:
    """Each overfits; where its validation loss is lowest is told as it was logged."""
    of = course("overfit", 100 * seed + [*ODD].index(name))
    path = tmp_path / "log"
    path.write_text(ODD[name](of))
    log = read_log(path)
    found = diagnose(log)[0]
    np.testing.assert_allclose(log.validation.value, of.validation)
    assert (found.name, len(log.loss) % EPOCHS) == ("overfitting", 0)
    lowest = int(np.argmin(of.validation))
    at = lowest if log.unit.lower() == "epoch" else (lowest + 1) * len(log.loss) // EPOCHS
    assert f"lowest at {log.unit.lower()} {at}, {of.validation[lowest]:.4g}, and" in found.text
    if name.startswith("cut"):
        assert "no whole JSON: read up to its last whole entry" in log.notes


def test_of_several_runs_one_is_read_or_that_of_the_loss_that_is_named(tmp_path: Path) -> None:
    of = course("healthy", 0)
    path = tmp_path / "log"
    path.write_text(TRAINERS["wandb two runs"](of))
    log = read_log(path)
    np.testing.assert_allclose(log.loss, of.loss)
    assert any(note.startswith("2 runs: 'dazzling-lake-3' is read") for note in log.notes)
    other = read_log(path, Columns(loss="icy-sun-9 - train/loss"))
    assert (len(other.loss), other.columns.validation) == (9, "icy-sun-9 - val/loss")
    path.write_text(
        "fold,epoch,loss\n"
        + "".join(f"{fold},{k},{a + fold}\n" for fold in range(3) for k, a in enumerate(of.loss))
    )
    log = read_log(path)
    np.testing.assert_allclose(log.loss, of.loss)
    assert any("column 'fold' tells 3 runs apart: '0' is read" in note for note in log.notes)


@pytest.mark.parametrize("first", [0, 5, EPOCHS])
def test_a_validation_loss_that_is_nan_at_first_was_not_logged(first: int, tmp_path: Path) -> None:
    of = course("healthy", 0)
    lines = [
        f"{k},{a},{b if k >= first else 'nan'}\n"
        for k, a, b in zip(range(EPOCHS), *of[:2], strict=True)
    ]
    path = tmp_path / "log"
    path.write_text("epoch,loss,val_loss\n" + "".join(lines))
    log = read_log(path)
    assert [each.name for each in diagnose(log)] == ["healthy"]
    assert log.validation.at.tolist() == [*range(first, EPOCHS)]
    note = "val_loss is NaN in all lines: taken as not logged"
    assert (note in log.notes) is (first == EPOCHS)
