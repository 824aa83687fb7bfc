"""Reading users' logs: the names and gaps that trainers write, and what is refused."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from psi.advice.choosing import Columns
from psi.advice.log import Log, read_log


def read(tmp_path: Path, text: str, columns: Columns | None = None) -> Log:
    path = tmp_path / "log.csv"
    path.write_bytes(text.encode())
    return read_log(path, columns)


def test_the_log_of_keras_s_csv_logger(tmp_path: Path) -> None:
    log = read(
        tmp_path, "epoch,accuracy,learning_rate,loss,val_loss\n0,0.1,0.1,2.0,9\n1,0.2,0.05,1.0,9\n"
    )
    assert log.unit == "epoch"
    assert log.at.tolist() == [0, 1]
    assert log.loss.tolist() == [2, 1]
    assert log.rate.tolist() == [0.1, 0.05]
    assert log.epoch is not None
    assert np.isnan(log.update_ratio).all()


def test_the_log_of_lightning_s_csv_logger(tmp_path: Path) -> None:
    """The rate stands in lines of its own, the epoch's loss at its end."""
    text = (
        "epoch,lr-SGD,step,train_loss\n,0.1,0,\n0,,4,2.5\n0,,9,2.0\n1,,14,1.5\n,0.05,14,\n1,,19,1\n"
    )
    log = read(tmp_path, text)
    assert log.unit == "step"
    assert log.at.tolist() == [4, 9, 14, 19]
    assert log.rate.tolist() == [0.1, 0.1, 0.1, 0.05]
    assert log.epoch is not None
    assert log.epoch.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("head", "unit"),
    [
        ("step,train/loss,optimizer/lr,update_to_weight", "step"),
        ("\ufeffGlobal Step,Training Loss,LR,Update/Weight Ratio", "Global Step"),
        ("iter,loss,lr_group0,update_ratio", "iter"),
    ],
)
def test_usual_names_are_found(tmp_path: Path, head: str, unit: str) -> None:
    columns = Columns(rate="optimizer/lr") if "optimizer" in head else None
    log = read(tmp_path, f"{head}\n1,2.0,0.1,1e-3\n\n5,1.0,0.2,2e-3\n", columns)
    assert log.unit == unit
    assert (log.at.tolist(), log.loss.tolist()) == ([1, 5], [2, 1])
    assert log.rate.tolist() == [0.1, 0.2]
    assert log.update_ratio.tolist() == [1e-3, 2e-3]


def test_semicolons_and_no_count(tmp_path: Path) -> None:
    log = read(tmp_path, "loss;note\n2.5;a, b\n1.5;c\n")
    assert (log.unit, log.at.tolist(), log.loss.tolist()) == ("line", [1, 2], [2.5, 1.5])
    assert np.isnan(log.rate).all()


def test_a_count_that_is_never_told_is_none(tmp_path: Path) -> None:
    log = read(tmp_path, "epoch,loss\n,2.5\n,1.5\n")
    assert (log.unit, log.at.tolist(), log.epoch) == ("line", [1, 2], None)


def test_an_empty_cell_is_nothing_and_nan_is_a_loss(tmp_path: Path) -> None:
    log = read(tmp_path, "epoch,loss\n0,2\n1,\n2,nan\n3,-inf\n4,None\n5,1e400\n")
    assert log.at.tolist() == [0, 2, 3, 5]
    assert math.isnan(log.loss[1])
    assert log.loss[[0, 2, 3]].tolist() == [2, -math.inf, math.inf]


def test_named_columns_stand_before_usual_ones(tmp_path: Path) -> None:
    text = "epoch,step,loss,nll,lr,alpha\n0,7,9,1,9,0.3\n"
    log = read(tmp_path, text, Columns(at="epoch", loss="nll", rate="alpha"))
    assert (log.at[0], log.loss[0], log.rate[0]) == (0, 1, 0.3)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("epoch,val_loss\n0,1\n", r"no column is a loss: name one with --loss; .*'val_loss'"),
        ("epoch,loss\n0,abc\n", "line 2: loss must be a number, got 'abc'"),
        ("epoch,loss\n0,1\n1\n", "line 3: 1 cells under 2 names"),
        (
            "epoch,loss\n" + "5,1\n2,1\n" * 12 + "0,1\n",
            "but epoch falls from 5 to 2",
        ),
        ("epoch,loss\n\n\n0,1\n\n1,abc", "line 6: loss must be a number"),
        ("epoch,loss,loss\n0,1,1", "columns must have different names, got 'loss' twice"),
        ("epoch,loss\n0,\n", "'loss' holds no loss"),
        ("epoch,loss\n", "'loss' holds no loss"),
        ("epoch,loss\n0,1\udc80\n", "line 2: loss must be a number"),
        ("epoch,loss\n0,1\x01\n", "no text: a byte 1 at 14"),
    ],
)
def test_what_is_no_log_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match=reason):
        read_log(path)


def test_a_count_that_falls_gives_way_to_one_that_does_not(tmp_path: Path) -> None:
    log = read(tmp_path, "epoch,batch,loss\n0,0,4\n0,1,3\n1,0,2\n1,1,1\n")
    assert (log.unit, log.at.tolist()) == ("epoch", [0, 0, 1, 1])


def test_what_is_no_number_is_no_count_and_no_rate_unless_named(tmp_path: Path) -> None:
    text = "step,epoch,loss,lr,lr_0,lr_mult\n0,1/10,2,cosine,0.1,1\n1,2/10,1,cosine,0.2,1\n"
    log = read(tmp_path, text)
    assert (log.columns.at, log.columns.rate, log.epoch) == ("step", "lr_0", None)
    assert log.rate.tolist() == [0.1, 0.2]
    with pytest.raises(ValueError, match="line 2: lr must be a number, got 'cosine'"):
        read(tmp_path, text, Columns(rate="lr"))
    with pytest.raises(ValueError, match="column 'at' holds no number"):
        read(tmp_path, "at,loss\n,1\n", Columns(at="at"))


def test_an_unknown_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no column 'nll'; there are \['epoch', 'loss'\]"):
        read(tmp_path, "epoch,loss\n0,1\n", Columns(loss="nll"))
    with pytest.raises(OSError, match="missing"):
        read_log(tmp_path / "missing.csv")


def test_what_was_decided_is_said_a_line_each(tmp_path: Path) -> None:
    text = "# seed 3\nepoch,train_loss,val_loss\n0,2,2.5\n1,1.5,2\n1,1.4,1.9\n0,2.1,2.4\n1,1.3"
    assert read(tmp_path, text).notes == (
        "position: column 'epoch'",
        "training loss: column 'train_loss'",
        "validation loss: column 'val_loss'",
        "learning rate: no column; --rate names one, or a file of it",
        "1 line before the header: left out",
        "line 7, the last, is cut (2 of 3 cells): left out",
        "epoch begins again 1 time: 3 lines of resumed runs left out, the later ones count",
    )


def test_a_rate_that_is_no_number_any_more_stays_so(tmp_path: Path) -> None:
    text = "epoch,loss,lr\n" + "".join(f"{k},1,{0.1 if k < 8 else 'nan'}\n" for k in range(10))
    log = read(tmp_path, text)
    assert np.isnan(log.rate).tolist() == [False] * 8 + [True] * 2


def test_of_validations_nan_between_others_is_a_mark_and_at_the_end_is_none(tmp_path: Path) -> None:
    head = "epoch,loss,val_loss\n"
    every_third = [f"{k},1,{1.5 if k % 3 == 2 else 'nan'}\n" for k in range(32)]
    assert read(tmp_path, head + "".join(every_third)).validation.at.tolist() == [*range(2, 32, 3)]
    ended = [f"{k},1,{1.5 if k < 20 else 'nan'}\n" for k in range(32)]
    value = read(tmp_path, head + "".join(ended)).validation.value
    assert np.isnan(value).sum() == 12
    assert len(value) == 32


def test_reading_a_log_imports_no_jax() -> None:
    code = (
        "import sys, pathlib, psi; from psi.advice.diagnosis import diagnose; "
        "psi.load('adam'); diagnose(pathlib.Path('data/log/digits.csv')); "
        "assert not {'jax', 'pandas', 'torch', 'keras'} & sys.modules.keys()"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True, timeout=60)
