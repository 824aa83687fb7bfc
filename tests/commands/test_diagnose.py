"""`psi diagnose` in words, in JSON and as a picture; and what it refuses."""

import io
import json
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from psi.advice.choosing import Columns
from psi.commands.diagnose import DiagnoseCommand

RNG = np.random.default_rng(0)
ROWS = "".join(f"{k},{2 - k / 50}\n" for k in range(30))
BAD: dict[str, tuple[bytes, list[str], str]] = {
    "nothing": (b"", [], "is empty"),
    "blanks": (b"\n \n\t\n", [], "is empty"),
    "a byte order mark": (b"\xef\xbb\xbf", [], "is empty"),
    "random bytes": (RNG.bytes(20_000), [], "no text"),
    "a PNG": (b"\x89PNG\r\n\x1a\n" + RNG.bytes(500), [], "no text"),
    "gzip": (b"\x1f\x8b\x08\x00" + RNG.bytes(500), [], "no text"),
    "a pickle": (b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00}\x94.", [], "no text"),
    "UTF-16 that is odd": (b"\xff\xfe" + b"e\0p\0o", [], "no text"),
    "UTF-16 without a mark": ("epoch,loss\n0,1\n".encode("utf-16-le"), [], "no text"),
    "zeros": (b"\0" * 1000, [], "is empty"),
    "a header alone": (b"epoch,loss,lr\n", [], "'loss' holds no loss"),
    "a header without its end": (b"epoch,loss", [], "'loss' holds no loss"),
    "no loss": (b"epoch,accuracy\n0,0.5\n1,0.6\n", [], "no column is a loss"),
    "a validation loss alone": (b"epoch,val_loss\n0,0.5\n1,0.6\n", [], "no column is a loss"),
    "several losses": (b"epoch,g_loss,d_loss\n0,1,2\n", [], "name one with --loss"),
    "no header": (b"0,2.3\n1,2.1\n2,2.0\n", [], "no column is a loss"),
    "prose": (b"Dear diary,\ntoday I trained a network.\nIt was fun.\n", [], "cells under"),
    "empty losses": (b"epoch,loss\n0,\n1,None\n", [], "'loss' holds no loss"),
    "text for a loss": (b"epoch,loss\n0,low\n1,lower\n", [], "line 2: loss must be a number"),
    "ragged lines": (b"epoch,loss\n0,1,2\n1\n2,3,4,5\n", [], "cells under 2 names"),
    "two columns of one name": (b"epoch,loss,loss\n0,1,2\n", [], "different names"),
    "JSON that is no log": (b'{"lr": 0.1, "layers": [1, 2]}', [], "no column is a loss"),
    "JSON of settings": (b'{"model": {"width": 8}, "seed": 3}', [], "JSON, but no log"),
    "an empty list": (b"[]", [], "no log"),
    "JSON that is cut": (b'{"log_history": [{"loss": 1.0, "step"', [], "no whole JSON"),
    "JSON that is deep": (b"[" * 100_000, [], "no whole JSON"),
    "an empty history": (b'{"log_history": []}', [], "no log"),
    "lines of JSON without a loss": (b'{"a": 1}\n{"a": 2}\n{"a": 3}\n', [], "no column is a loss"),
    "a count that falls": (b"step,loss\n" + b"5,1\n2,1\n7,1\n" * 40, [], "one run a log"),
    "a wrong --loss": (f"epoch,loss\n{ROWS}".encode(), ["--loss", "nll"], "no column 'nll'"),
    "a wrong --rate": (f"epoch,loss\n{ROWS}".encode(), ["--rate", "alpha"], "no column 'alpha'"),
    "a wrong --at": (f"epoch,loss\n{ROWS}".encode(), ["--at", "hour"], "no column 'hour'"),
    "--rate of another length": (
        "".join(f"{row.split(',')[1]}\n" for row in ["a,loss", *ROWS.splitlines()]).encode(),
        ["--rate", "RATE"], "RATE: 5 lines, and the log has 30",
    ),
    "--rate that is no log": (f"epoch,loss\n{ROWS}".encode(), ["--rate", "FILE"], "no column is a"),
    "--rate that is a folder": (f"epoch,loss\n{ROWS}".encode(), ["--rate", "EMPTY"], "no column"),
    "a wrong --law": (f"epoch,loss\n{ROWS}".encode(), ["--law", "nope"], "nope: no such file"),
    "too few --epochs": (f"epoch,loss\n{ROWS}".encode(), ["--epochs", "3"], "got 3"),
    "a picture that is none": (f"epoch,loss\n{ROWS}".encode(), ["--out", "a.svg"], "end in .png"),
    "a wrong ε_0": (f"epoch,loss\n{ROWS}".encode(), ["--initial-loss", "0"], "must be positive"),
}  # fmt: skip


def bad_log(folder: Path, name: str) -> tuple[list[str], str]:
    data, arguments, words = BAD[name]
    for file, text in (("log", data), ("FILE", b"not a law"), ("RATE", b"lr\n" + b"0.1\n" * 5)):
        (folder / file).write_bytes(text)
    (folder / "EMPTY").mkdir()
    return arguments, words


@pytest.mark.parametrize("name", BAD)
def test_kind_of_bad_log(name, tmp_path, monkeypatch):
    """The command raises what the command line prints in one line; nothing is left behind."""
    monkeypatch.chdir(tmp_path)
    arguments, words = bad_log(tmp_path, name)
    before = sorted(tmp_path.rglob("*"))
    options = {key[2:].replace("-", "_"): value for key, value in pairwise(arguments)}
    columns = {key: options.pop(key) for key in [*options] if key in Columns.__annotations__}
    kinds = {"epochs": int, "initial_loss": float, "out": Path, "law": str}
    more = {key: kinds[key](value) for key, value in options.items()}
    started = time.process_time()
    with pytest.raises((ValueError, OSError)) as error:
        DiagnoseCommand(Path("log"), columns=Columns(**columns), **more).run()
    assert time.process_time() - started < 2
    assert words in str(error.value)
    assert len(str(error.value)) < 300
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.slow
@pytest.mark.parametrize("name", BAD)
def test_kind_of_bad_log_on_the_command_line(name, run, tmp_path):
    arguments, words = bad_log(tmp_path, name)
    before = sorted(tmp_path.rglob("*"))
    code, out, err = run("diagnose", "log", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["MISSING.csv"], ["MISSING.csv", "No such file"]),
        (["EMPTY"], ["EMPTY", "Is a directory"]),
        (["FILE"], ["no column is a loss: name one with --loss"]),
        (["FILE", "--law", "no-such"], ["no-such: no such file, nor a shipped law"]),
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_line_and_exit_2(arguments, words, refused):
    refused(["diagnose", *arguments], words)


def test_diagnose_says_it_in_words_and_draws_it(run, tmp_path):
    losses = [2.3, 1.6, 1.2, 1.0, 0.9, 0.85, 0.84, 0.9, "nan", "nan"]
    lines = [f"{k},{loss},0.5" for k, loss in enumerate(losses)]
    (tmp_path / "run.csv").write_text("epoch,loss,lr\n" + "\n".join(lines))
    code, out, err = run("diagnose", "run.csv", "--law", "sgd", "--epochs", "12", "--out", "a.png")
    assert (code, err) == (0, "")
    assert "run.csv: 10 lines\n  position: column 'epoch'\n" in out
    assert "rate too high: The loss is not finite in 2 of 10 lines, first at epoch 8" in out
    assert "(sgd, T = 12) along these losses: " in out
    assert out.endswith("picture: a.png\n")
    assert (tmp_path / "a.png").stat().st_size > 10_000
    code, out, err = run("diagnose", "run.csv", "--json")
    found = json.loads(out)
    assert found["findings"][0]["span"] == [8, 9]
    assert found["notes"][2] == "learning rate: column 'lr'"
    assert len(found["psi"]["rates"]) == found["psi"]["epochs"] == 10
    assert all(0 < rate < 10 for rate in found["psi"]["rates"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "run.csv"]


@pytest.mark.parametrize(
    ("head", "law", "words"),
    [
        ("epoch,loss,lr-SGD", "sgd", "law: sgd, for the log names SGD(momentum=0)"),
        ("# AdamW\nepoch,loss,lr", "adam", "law: adam, for the log names AdamW"),
        ("epoch,loss,lr-Lion", "adam", "law: adam, assumed, as there is none for Lion"),
        ("epoch,loss,lr", "adam", "law: adam, assumed, as the log names no optimizer"),
    ],
)
def test_the_law_is_that_of_the_optimizer_that_the_log_names(head, law, words, run, tmp_path):
    lines = [f"{k},{2 / (1 + k)},0.5" for k in range(12)]
    (tmp_path / "run.csv").write_text(f"{head}\n" + "\n".join(lines))
    code, out, _ = run("diagnose", "run.csv")
    assert code == 0
    assert words in out
    assert f"Ψ ({law}, T = 12)" in out


def test_standard_input(run, tmp_path, monkeypatch):
    text = "".join(f"epoch {k} loss {2 / (1 + k)} lr 1e-3\n" for k in range(12))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    code, out, err = run("diagnose", "-")
    assert (code, err) == (0, "")
    assert out.startswith("standard input: 12 lines")


def test_psi_is_not_asked_of_a_loss_without_a_floor(run, tmp_path):
    (tmp_path / "run.csv").write_text("loss\n" + "".join(f"{-(k**2)}\n" for k in range(40)))
    code, out, _ = run("diagnose", "run.csv", "--json")
    found = json.loads(out)
    assert (code, found["psi"]["epochs"]) == (0, None)
    assert found["psi"]["words"].startswith("Ψ is not asked")


def test_a_second_file_of_the_rate(run, tmp_path):
    for name, value in (("loss.csv", 2.0), ("rate.csv", 0.1)):
        lines = "".join(f"1,{k},{value / (1 + k)}\n" for k in range(12))
        (tmp_path / name).write_text(f"Wall time,Step,Value\n{lines}")
    code, out, _ = run("diagnose", "loss.csv", "--rate", "rate.csv")
    assert code == 0
    assert "learning rate: 12 lines of rate.csv" in " ".join(out.split())


def test_the_picture_is_a_png(tmp_path):
    with pytest.raises(ValueError, match=r"must end in .png, got a.svg"):
        DiagnoseCommand(tmp_path / "log.csv", out=tmp_path.relative_to(tmp_path) / "a.svg").run()


MILLION = {
    "numbers": ("step,loss,lr\n", "{k},{a:.6g},0.001\n"),
    "empty cells": ("step,loss,lr,val_loss\n", "{k},{a:.6g},,\n"),
    "JSON lines": ("", '{{"step": {k}, "loss": {a:.6g}, "lr": 0.001}}\n'),
    "epochs": ("time,epoch,loss\n", "2024-05-01 10:00:00,{k},{a:.6g}\n"),
    "printed": ("", "step {k} loss {a:.6g} lr 0.001\n"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MILLION)
def test_a_million_lines(name, run, tmp_path):
    """Two to three seconds of one core, after the imports; a bar says how far it is.

    The limit is for what grows faster than a log does: it is no measurement.
    """
    head, line = MILLION[name]
    losses = (2.3 / (1 + np.arange(1_000_000) / 1e5)).tolist()
    text = "".join(line.format(k=k, a=loss) for k, loss in enumerate(losses))
    (tmp_path / "log").write_text(head + text)
    (tmp_path / "short.csv").write_text("loss\n" + "1\n2\n" * 5)
    run("diagnose", "short.csv")  # imports
    started = time.process_time()
    code, out, err = run("diagnose", "log")
    assert code == 0
    assert "1,000,000 lines" in out
    assert "reading" in err
    assert time.process_time() - started < 30
