"""`psi ideal`: what it refuses, its tables, and that it goes on where it was stopped."""

import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from psi.commands.ideal import IdealCommand
from psi.ideal.estimate import PRODUCTS
from tests.commands.conftest import SAMPLE


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["EMPTY", "--out", "x"], ["EMPTY is no data set"]),
        ([SAMPLE, "--out", "x", "--horizon", "7"], ["<= 6 epochs", "got 7"]),
        ([SAMPLE, "--out", "x", "--horizon", "0"], [">= 1 epoch", "got 0"]),
        ([SAMPLE, "--out", "x", "--tasks", "iris"], ["iris", "wine, teacher-0"]),
        ([SAMPLE, "--out", "x", "--continuation", "up"], ["'up'", "constant, linear"]),
        ([SAMPLE, "--out", "x", "--continuation", "FILE"], ["not a law file"]),
        ([SAMPLE, "--out", "x", "--rates", "2"], ["rates must be >= 3, got 2"]),
        ([SAMPLE, "--out", "EMPTY/../FILE/x"], ["cannot write"]),
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_line_and_exit_2(arguments, words, refused):
    refused(["ideal", *arguments], words)


def test_a_dry_run_says_how_much_it_would_be_and_writes_nothing(run, tmp_path):
    code, out, err = run("ideal", SAMPLE, "--out", "x", "--dry-run")
    assert (code, err) == (0, "")
    found = IdealCommand(Path(SAMPLE), tmp_path / "x", dry_run=True, json=True).run()
    assert f"{found['tables']} tables, {found['epochs']:,} epochs of training" in out
    assert "nothing was written" in out
    assert not (tmp_path / "x").exists()


@pytest.mark.slow
def test_ideal_makes_its_tables_and_goes_on_where_it_was_stopped(run, tmp_path):
    asked = ["ideal", SAMPLE, "--out", tmp_path / "i", "--cells=3", "--states=2", "--orders=2",
             "--rates=4", "--horizon", "1", "end"]  # fmt: skip
    command = [sys.executable, "-m", "psi", *map(str, asked)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    parts = []
    while not parts and process.poll() is None:
        time.sleep(0.1)
        parts = list(tmp_path.glob("i/.work-*/parts/branched-0000-1.parquet"))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    first = parts[0].stat().st_mtime_ns, parts[0].read_bytes()
    assert not (tmp_path / "i" / "summary.json").exists()
    code, out, err = run(*asked, "--json")
    assert code == 0, err
    summary = json.loads(out)
    assert summary == json.loads((tmp_path / "i" / "summary.json").read_text())
    assert summary["cells"] == 2 * 2 * 3
    assert set(summary["identifiability"]) == {"linear-1", "linear-end"}
    assert "no data" in summary["identifiability"]["linear-1"]["verdict"]
    ideal = pd.read_parquet(tmp_path / "i" / "ideal.parquet")
    assert (ideal.lr > 0).all()
    assert set(ideal.label) == {"linear-1", "linear-end"}
    found = ideal[(ideal.task == "wine") & (ideal.label == "linear-1")]
    table = pd.read_parquet(io.BytesIO(first[1]))
    assert set(table.loss.round(9)) == set(found.loss.round(9))
    for name in ("surface", "relief", "outcomes", "ideal"):
        picture = tmp_path / "i" / "figures" / f"{name}.png"
        assert picture.read_bytes().startswith(b"\x89PNG")
    made = {path.name for path in (tmp_path / "i").iterdir() if not path.name.startswith(".")}
    assert made == set(PRODUCTS) - {"bias.parquet", "headroom.parquet"}
    assert not list((tmp_path / "i").glob(".work-*"))
