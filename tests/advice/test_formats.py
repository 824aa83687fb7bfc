"""Every format in which a training log comes gives the same log, and what is none is refused."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from psi.advice.choosing import Columns
from psi.advice.csv_log import read_csv
from psi.advice.diagnosis import diagnose
from psi.advice.formats import FORMATS as READERS
from psi.advice.formats import read_table
from psi.advice.log import Log, read_log
from psi.advice.printed_lines import read_printed, role
from psi.advice.reshaping import reshaped
from tests.advice.writers import FORMATS, training

VERDICT = {"healthy": "healthy", "overfit": "overfitting", "diverged": "rate too high"}


def written(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(folder: Path, text: str | bytes) -> Log:
    return read_log(written(folder, "log", text))


@pytest.mark.parametrize("kind", VERDICT)
@pytest.mark.parametrize("name", FORMATS)
def test_kind_of_format(name: str, kind: str, tmp_path: Path) -> None:
    file, write = FORMATS[name]
    of = training(kind)
    log = read_log(written(tmp_path, file, write(of)))
    np.testing.assert_allclose(log.loss, of.loss, rtol=1e-4)
    np.testing.assert_allclose(log.validation.value, of.validation, rtol=1e-4)
    np.testing.assert_allclose(log.rate, of.rate, rtol=5e-3, atol=1e-6)
    assert (np.diff(log.at) >= 0).all()
    assert (np.diff(log.validation.at) >= 0).all()
    found = diagnose(log)
    assert found[0].name == VERDICT[kind]
    if kind == "overfit":
        lowest = int(np.argmin(of.validation))
        # YOLO's is a sum of parts; all others tell what stands in the file.
        assert f"{of.validation[lowest]:.4g}, and rises to {of.validation[-1]:.4g}" in found[0].text
        assert found[0].span is not None
        assert np.searchsorted(log.validation.at, found[0].span[0]) == lowest


LINES = ("keras", "lightning", "notebook", "fairseq", "mmengine", "plain", "yolo", "wandb history")


@pytest.mark.parametrize("name", LINES)
def test_kind_of_a_last_line_that_was_cut(name: str, tmp_path: Path) -> None:
    """Cut anywhere in its last line a log has at most one loss less, and never another one."""
    of = training("healthy")
    whole = FORMATS[name][1](of)
    last = len(whole.rstrip().splitlines()[-1])
    for cut in (2, last // 2, last - 1):
        log = read(tmp_path, whole.rstrip()[:-cut])
        assert len(log.loss) in (39, 40)
        # A number that was cut may be another, but no earlier line is touched.
        np.testing.assert_allclose(log.loss[:39], of.loss[:39], rtol=1e-4)
        if len(log.loss) == 39 and name in ("keras", "fairseq"):
            assert any("the last, is cut" in note for note in log.notes)


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("again", [20, 13, 0])
def test_kind_of_a_resumed_run(name: str, again: int, tmp_path: Path) -> None:
    """The first run stops after 20 epochs, the second begins at `again`: the later lines count."""
    write = FORMATS[name][1]
    one, two = training("healthy", seed=1), training("healthy", seed=2)
    first = write(type(one)(*(each[:20] for each in one)))
    both, blank = write(two), type(two)(*(each[:again] for each in two))
    head = "" if name in ("fairseq", "mmengine", "plain", "wandb history") else (
        both.splitlines(keepends=True)[0])  # fmt: skip
    second = head + both[len(write(blank)) if again or head else 0 :]
    log = read(tmp_path, first + second)
    expected = np.append(one.loss[:again], two.loss[again:])
    if again == 20:
        expected[:20] = one.loss[:20]
    np.testing.assert_allclose(log.loss, expected, rtol=1e-4)
    validation = np.append(one.validation[:again], two.validation[again:])
    np.testing.assert_allclose(log.validation.value, validation, rtol=1e-4)
    np.testing.assert_allclose(log.rate, two.rate, rtol=1e-3)
    said = " ".join(log.notes)
    assert ("begins again 1 time" in said) is (again < 20)
    assert (f"{20 - again} lines of resumed runs left out" in said) is (again < 20)
    assert ("the header stands again 1 time" in said) is bool(head)


def test_a_header_at_the_end_of_a_cut_line_begins_a_resumed_run(tmp_path: Path) -> None:
    rows = [f"{k},{2 - k / 50},0.1" for k in range(40)]
    text = (
        "epoch,loss,lr\n" + "\n".join(rows[:20]) + "\n20,1.5epoch,loss,lr\n" + "\n".join(rows[20:])
    )
    log = read(tmp_path, text)
    assert log.at.tolist() == list(range(40))
    assert any("line 22: 2 cells under 3 names, left out" in note for note in log.notes)


def test_a_resumed_run_may_log_more_columns(tmp_path: Path) -> None:
    log = read(
        tmp_path, "epoch,loss\n0,3\n1,2\nepoch,lr,loss,val_loss\n2,0.1,1.5,1.6\n3,0.1,1,1.2\n"
    )
    assert log.loss.tolist() == [3, 2, 1.5, 1]
    assert (log.validation.at.tolist(), log.validation.value.tolist()) == ([2, 3], [1.6, 1.2])


def test_the_table_of_formats_knows_each() -> None:
    known = {
        name: next(each.name for each in READERS if each.is_it(write(training("healthy"))))
        for name, (_, write) in FORMATS.items()
    }
    assert {known[name] for name in ("trainer state", "keras history")} == {"JSON"}
    assert {known[name] for name in ("mmengine", "mmcv", "fairseq")} == {"JSON lines"}
    assert {known[name] for name in ("plain", "nanogpt", "keras printed")} == {"printed lines"}
    assert {known[name] for name in ("keras", "lightning", "yolo", "blanks")} == {"CSV"}


@pytest.mark.parametrize(
    ("encoding", "comment"), [("utf-16", ""), ("utf-8-sig", ""), ("latin-1", "# für Müller\n")]
)
def test_kind_of_encoding(encoding: str, comment: str, tmp_path: Path) -> None:
    text = comment + FORMATS["keras"][1](training("healthy"))
    assert len(read(tmp_path, text.encode(encoding)).loss) == 40


def test_a_block_of_zeros_at_the_end_is_what_a_crash_leaves(tmp_path: Path) -> None:
    assert len(read(tmp_path, FORMATS["keras"][1](training("healthy")) + "\0" * 512).loss) == 40


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    text = FORMATS["plain"][1](training("healthy")).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert len(read_log(Path("-")).loss) == 40
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(ValueError, match="standard input: is empty"):
        read_log(Path("-"))


TENSORBOARD = "Wall time,Step,Value\n"


@pytest.mark.parametrize("kind", ["TensorBoard", "wandb", "epochs", "lines", "JSON"])
def test_kind_of_rate_in_a_second_file(kind: str, tmp_path: Path) -> None:
    """Of TensorBoard the rate is logged more often; elsewhere in other units or in none."""
    of = training("healthy")
    steps = 10 * np.arange(40)
    loss, rate = tmp_path / "loss", tmp_path / "rate"
    values = list(zip(steps, of.loss, of.rate, strict=True))
    if kind == "TensorBoard":
        loss.write_text(TENSORBOARD + "".join(f"1.7e9,{k},{a}\n" for k, a, _ in values))
        more = "".join(f"1.7e9,{k},{c}\n1.7e9,{k + 5},{c}\n" for k, _, c in values)
        rate.write_text(TENSORBOARD + more)
    elif kind == "wandb":
        head = '"Step","run-1 - train/loss","run-1 - train/loss__MIN"\n'
        loss.write_text(head + "".join(f"{k},{a},{a}\n" for k, a, _ in values))
        head = '"Step","run-1 - train/learning_rate"\n'
        rate.write_text(head + "".join(f"{k},{c}\n" for k, _, c in values))
    elif kind == "epochs":
        loss.write_text("epoch,step,loss\n" + "".join(f"{k // 10},{k},{a}\n" for k, a, _ in values))
        rate.write_text("epoch,lr\n" + "".join(f"{k // 10},{c}\n" for k, _, c in values))
    elif kind == "JSON":
        loss.write_text(json.dumps([[1.7e9, int(k), float(a)] for k, a, _ in values]))
        rate.write_text(json.dumps([[1.7e9, int(k), float(c)] for k, _, c in values]))
    else:
        loss.write_text("loss\n" + "".join(f"{a}\n" for _, a, _ in values))
        rate.write_text("lr\n" + "".join(f"{c}\n" for _, _, c in values))
    log = read_log(loss, Columns(rate=str(rate)))
    np.testing.assert_allclose(log.rate, of.rate)
    assert any(f"lines of {rate}" in note for note in log.notes)
    with pytest.raises(ValueError, match="no column 'missing'"):
        read_log(loss, Columns(rate="missing"))


def test_a_second_file_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    loss, rate = tmp_path / "loss.csv", tmp_path / "rate.csv"
    loss.write_text("loss\n" + "1\n" * 10)
    rate.write_text("lr\n" + "1\n" * 9)
    with pytest.raises(ValueError, match=r"rate.csv: 9 lines, and the log has 10: without a count"):
        read_log(loss, Columns(rate=str(rate)))
    loss.write_text("step,loss\n" + "".join(f"{k},1\n" for k in range(10)))
    rate.write_text("step,lr\n" + "".join(f"{k},1\n" for k in range(50, 60)))
    with pytest.raises(ValueError, match="its step is from 50 to 59, the log's from 0 to 9"):
        read_log(loss, Columns(rate=str(rate)))


def test_the_validation_loss_may_stand_in_a_second_file(tmp_path: Path) -> None:
    of = training("overfit")
    loss, other = tmp_path / "train_loss.csv", tmp_path / "val_loss.csv"
    for path, values in ((loss, of.loss), (other, of.validation)):
        path.write_text(TENSORBOARD + "".join(f"1,{k},{v}\n" for k, v in enumerate(values)))
    assert diagnose(read_log(loss, Columns(validation=str(other))))[0].name == "overfitting"


def test_lines_that_are_no_table_are_refused_if_they_are_many() -> None:
    rows = [f"{k},1" for k in range(60)]
    rows[30] = "30"
    assert "line 32: 1 cells under 2 names, left out" in read_csv(
        "epoch,loss\n" + "\n".join(rows) + "\n").notes  # fmt: skip
    rows[10:15] = ["1"] * 5
    with pytest.raises(ValueError, match="line 12: 1 cells under 2 names"):
        read_csv("epoch,loss\n" + "\n".join(rows) + "\n")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Average loss", ("loss", "")),
        ("training loss is", ("train loss", "train")),
        ("Val. Loss", ("val loss", "val")),
        ("main epoch", ("epoch", "")),
        ("best val loss", None),
        ("time per epoch", None),
        ("val_loss improved from", None),
        ("learning_rate", ("lr", "")),
        ("lr_scale", None),
    ],
)
def test_what_a_printed_name_stands_for(name: str, expected: object) -> None:
    assert role(name) == expected


def test_a_split_that_a_line_names_is_that_of_its_loss() -> None:
    text = "train: loss 0.5 acc 0.9 | val: loss 0.7 acc 0.8\nEpoch(val) [1][5/5] loss: 0.6\n"
    table = read_printed(text)
    assert table.cells["loss"] == ["0.5", None]
    assert table.cells["val loss"] == ["0.7", "0.6"]
    assert table.cells["epoch"] == [None, "1"]


@pytest.mark.parametrize("none", ["-", "--", "n/a", "None", ".", "nan"])
def test_kind_of_value_that_is_not_there_yet(none: str) -> None:
    lines = [f"epoch {k} loss 1.{k} val_loss {0.5 if k % 4 == 3 else none}" for k in range(24)]
    table = read_printed("\n".join(lines))
    assert table.numbers("loss").values.tolist() == [float(f"1.{k}") for k in range(24)]
    known = np.isfinite(table.numbers("val loss").values)
    assert known.tolist() == [k % 4 == 3 for k in range(24)]


def test_a_summary_at_the_end_is_no_loss_of_a_step(tmp_path: Path) -> None:
    """Hugging Face's trainer prints the mean of all losses once more, as train_loss."""
    of = training("healthy")
    text = FORMATS["hugging face printed"][1](of)
    text += "{'train_runtime': 9.5, 'train_loss': 0.6, 'epoch': 40.0}\n"
    np.testing.assert_allclose(read(tmp_path, text).loss, of.loss)


def test_tags_that_come_one_after_the_other_are_put_side_by_side(tmp_path: Path) -> None:
    text = "tag,step,value\n" + "".join(
        f"{tag},{k},{k + offset}\n" for tag, offset in (("loss", 1), ("lr", 5)) for k in range(3)
    )
    table = reshaped(read_table(written(tmp_path, "tags.csv", text)))
    assert (table.cells["loss"], table.cells["lr"]) == (["1", "2", "3"], ["5", "6", "7"])


def test_a_long_table_is_the_same_with_a_header_in_it() -> None:
    """Blocks of rows alone are taken as they are; others are looked at row by row."""
    rows = [f"{k},{loss!r}" for k, loss in enumerate(np.random.default_rng(0).random(70_000))]
    plain = read_csv("step,loss\n" + "\n".join(rows) + "\n")
    again = read_csv("step,loss\n" + "\n".join([*rows[:9], "step,loss", *rows[9:]]) + "\n")
    assert plain.cells == again.cells
    assert (plain.lines[69_999], again.lines[69_999], again.restarts) == (70_001, 70_002, (9,))
