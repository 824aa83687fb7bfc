"""The command line as a person meets it: each test runs `psi` in a process of its own."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

import psi
from psi.cli import COMMANDS
from psi.law.expression import Apply, Constant, Variable
from psi.law.law import Law, Range

SAMPLE = str(Path(__file__).parents[1] / "data" / "sample")
GENERATE = ["--tasks", "wine", "teacher-0", "--epochs=4", "--trajectories=0",
            "--candidates=4", "--seeds=2"]  # fmt: skip


def start(*arguments, cwd=None):
    command = [sys.executable, "-m", "psi", *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd
    )


def run(*arguments, cwd=None):
    process = start(*arguments, cwd=cwd)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


@pytest.fixture
def law_file(tmp_path):
    left = Apply("sub", (Constant(1.0), Variable("progress")))
    law = Law(
        Apply("mul", (Constant(0.25), left)), ("loss_ratio", "progress"),
        (Range(0.01, 1.0), Range(0.0, 0.95)), Range(1e-3, 1.0), "sgd", 2.3,
    )  # fmt: skip
    law.save(tmp_path / "law.json")
    return tmp_path / "law.json"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_an_example(name):
    code, out, err = run(name, "--help")
    assert code == 0
    assert re.search(rf"Example: psi {name}\b", " ".join(out.split()))
    assert err == ""


def test_help_lists_every_command():
    code, out, _ = run("--help")
    assert code == 0
    assert all(name in out for name in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nope"], ["nope", "demo"]),
        ([], ["demo"]),
        (["demo", "--epochs", "0"], ["epochs", ">= 1", "got 0"]),
        (["demo", "--epochs", "two"], ["--epochs", "two"]),
        (["demo", "--held-out", "cifar"], ["cifar", "allowed: breast_cancer, digits, wine"]),
        (["demo", "--draws", "0"], ["draws", "got 0"]),
        (["demo", "--out", "FILE/demo"], ["cannot write", "FILE/demo"]),
        (["generate", "--out", "x", "--tasks", "mnist"], ["mnist", "allowed"]),
        (["generate", "--out", "x", "--min-lr", "-1"], ["min_lr", "got -1"]),
        (["generate", "--out", "x", "--epochs", "0"], ["got 0"]),
        (["generate", "--out", "x", "--optimizer", "lion"], ["lion", "allowed"]),
        (["generate", "--out", "x", "--lanes", "0"], ["lanes must be >= 1, got 0"]),
        (["generate", "--out", "x", "--preset", "huge"], ["huge"]),
        (["generate", "--out", "x", "--tasks", "nowhere.csv"], ["nowhere.csv"]),
        (["generate", "--out", "x", "--address", "a:1"], ["--engine ray"]),
        (["records", "EMPTY"], ["holds no records"]),
        (["ideal", "EMPTY", "--out", "x"], ["EMPTY is no data set"]),
        (["ideal", SAMPLE, "--out", "x", "--horizon", "7"], ["<= 6 epochs", "got 7"]),
        (["ideal", SAMPLE, "--out", "x", "--horizon", "0"], [">= 1 epoch", "got 0"]),
        (["ideal", SAMPLE, "--out", "x", "--tasks", "iris"], ["iris", "wine, teacher-0"]),
        (["ideal", SAMPLE, "--out", "x", "--continuation", "up"], ["'up'", "constant, linear"]),
        (["ideal", SAMPLE, "--out", "x", "--continuation", "FILE"], ["not a law file"]),
        (["ideal", SAMPLE, "--out", "x", "--rates", "2"], ["rates must be >= 3, got 2"]),
        (["ideal", SAMPLE, "--out", "EMPTY/../FILE/x"], ["cannot write"]),
        (["verify", "G99"], ["G99", "G1, G2"]),
        (["generate"], ["--out"]),
        (["fit", "EMPTY", "--out", "x.json"], ["EMPTY", "no records"]),
        (["fit", "EMPTY", "--out", "x.json", "--kind", "oracle"], ["oracle", "curve"]),
        (["show", "MISSING.json"], ["MISSING.json", "No such file"]),
        (["show", "CUT.json"], ["CUT.json", "not a law file"]),
        (["show", "FILE"], ["FILE", "not a law file"]),
        (["show", "sgd"], ["sgd", "none yet"]),
        (["report", "EMPTY"], ["EMPTY", "no finished demo"]),
        (["bench", "fits"], ["fits", "engine"]),
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_line_and_exit_2(arguments, words, tmp_path, law_file):
    (tmp_path / "FILE").write_text("not a law")
    (tmp_path / "EMPTY").mkdir()
    (tmp_path / "CUT.json").write_text(law_file.read_text()[:200])
    before = sorted(tmp_path.rglob("*"))
    code, out, err = run(*arguments, cwd=tmp_path)
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1, err
    assert err.startswith("psi: ")
    for word in words:
        assert word in err
    assert sorted(tmp_path.rglob("*")) == before


def test_show_prints_the_law(law_file, tmp_path):
    code, out, err = run("show", law_file)
    assert (code, err) == (0, "")
    assert "0.25*(1 - progress)" in out
    code, out, err = run("show", law_file, "--json", "--png", tmp_path / "law.png")
    assert json.loads(out) == psi.load(law_file).document()
    assert (tmp_path / "law.png").read_bytes().startswith(b"\x89PNG")


def test_verify_says_what_was_estimated_and_what_is_true():
    code, out, err = run("verify", "G8", "G9", "--json")
    assert code == 0, err
    rows = json.loads(out)["rows"]
    assert [row["problem"] for row in rows] == ["G8", "G9"]
    for row in rows:
        assert row["ok"] is True
        assert row["relative_error"] == abs(row["estimate"] - row["truth"]) <= row["tolerance"]
        assert row["seconds"] > 0


@pytest.mark.slow
def test_ideal_makes_its_tables_and_goes_on_where_it_was_stopped(tmp_path):
    asked = ["ideal", SAMPLE, "--out", tmp_path / "i", "--cells=3", "--states=2", "--orders=2",
             "--rates=4", "--horizon", "1", "end"]  # fmt: skip
    process = start(*asked)
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
    assert not list((tmp_path / "i").glob(".work-*"))


def test_demo_leaves_a_folder_of_other_files_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    code, _, error = run("demo", "--out", tmp_path)
    assert (code, error.count("\n")) == (2, 1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["thesis.tex"]


@pytest.mark.parametrize(
    ("wait", "number", "code"), [(1.0, signal.SIGINT, 130), (5.0, signal.SIGTERM, 143)]
)
def test_signals_end_it_within_five_seconds_and_a_rerun_goes_on(tmp_path, wait, number, code):
    """During the imports, and in the middle of training or compiling."""
    out = tmp_path / "data"
    process = start("generate", "--out", out, *GENERATE, "--cells=100")
    time.sleep(wait)
    assert process.poll() is None
    process.send_signal(number)
    asked = time.monotonic()
    process.communicate(timeout=30)
    assert time.monotonic() - asked < 5
    assert process.returncode == code
    files = [p for p in out.rglob("*") if p.is_file() and not p.name.startswith(".")]
    for file in files:
        assert file.stat().st_size > 0
    if files:
        done, said, error = run("generate", "--out", out, *GENERATE, "--cells=100", "--json")
        assert done == 0, error
        assert json.loads(said)["rows"] == 4 * (2 * 225 + 2 * 100 * 4 * 2)


def test_importing_psi_imports_no_framework():
    code = "import psi, sys; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    loaded = {name.split(".")[0] for name in modules.stdout.split()}
    assert "numpy" in loaded
    assert not loaded & {
        "jax", "flax", "pandas", "scipy", "sklearn", "sympy", "torch", "keras", "safetensors"
    }  # fmt: skip


def test_a_missing_lab_is_one_line_with_the_pip_command(tmp_path):
    (tmp_path / "tyro.py").write_text("raise ImportError('No module named tyro')")
    env = os.environ | {"PYTHONPATH": f"{tmp_path}:{Path(psi.__file__).parents[1]}"}
    done = subprocess.run(
        [sys.executable, "-m", "psi", "demo"], env=env, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "pip install 'psi-lr[lab]'" in done.stderr
