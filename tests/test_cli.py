"""The command line as a person meets it: each test runs `psi` in a process of its own."""

import hashlib
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

import psi
from psi import cli, pretrained
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


def catches(process, number):
    """Whether a handler of the signal is there, as far as the system tells (Linux)."""
    status = Path(f"/proc/{process.pid}/status")
    if not status.exists():
        return True
    (mask,) = re.findall(r"SigCgt:\s*(\w+)", status.read_text())
    return bool(int(mask, 16) >> (number - 1) & 1)


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
        (
            ["fit", SAMPLE, "--out", "x.json", "--family", "parabola"],
            ["unknown family 'parabola' in loss_ratio and progress", "allowed: constant, warmup"],
        ),
        (
            ["fit", SAMPLE, "--out", "x.json", "--features", "raw", "--family", "linear"],
            ["unknown family 'linear' in loss and epoch"],
        ),
        (
            ["fit", SAMPLE, "--out", "x.json", "--kind", "network", "--family", "linear"],
            ["a network has no family"],
        ),
        (["fit", SAMPLE, "--out", "x.json", "--features", "scaled"], ["scaled", "raw", "relative"]),
        (["fit", SAMPLE, "--out", "x.json", "--optimizer", "lion"], ["lion", "momentum"]),
        (
            ["fit", SAMPLE, "--out", "x.json", "--optimizer", "adam"],
            ["was trained with sgd, got optimizer adam"],
        ),
        (
            ["fit", SAMPLE, "--out", "x.json", "--kind", "symbolic"],
            ["needs >= 20 usable cells", "got 8 of 12"],
        ),
        (["fit", SAMPLE, "--out", "x.json", "--hold-out", "cifar"], ["cifar", "teacher, wine"]),
        (["fit", SAMPLE, "--out", "nowhere/x.json"], ["cannot write nowhere/x.json"]),
        (["show", "MISSING.json"], ["MISSING.json", "No such file"]),
        (["show", "CUT.json"], ["CUT.json", "not a law file"]),
        (["show", "FILE"], ["FILE", "not a law file"]),
        (["show", "no-such"], ["no-such: no such file, nor a shipped law"]),
        (["report", "EMPTY"], ["EMPTY", "no finished demo"]),
        (["bench", "fits"], ["fits", "engine"]),
        (["diagnose", "MISSING.csv"], ["MISSING.csv", "No such file"]),
        (["diagnose", "FILE"], ["no column is a loss: name one with --loss"]),
        (["diagnose", "FILE", "--law", "no-such"], ["no-such: no such file, nor a shipped law"]),
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


def test_show_writes_the_formula_for_other_readers(law_file):
    code, out, err = run("show", law_file, "--latex", "--python")
    assert (code, err) == (0, "")
    assert re.search(r"^LaTeX +0\.25 ?\\,\\left\(1 - i/T\\right\)$", out, re.M)
    assert re.search(r"^Python +0\.25\*\(1\.0 - progress\)$", out, re.M)


def test_laws_lists_what_is_shipped(law_file, monkeypatch, capsys):
    code, out, err = run("laws", "--json")
    assert (code, err) == (0, "")
    assert [law["name"] for law in json.loads(out)["laws"]] == list(pretrained.laws())
    monkeypatch.setattr(pretrained, "laws", lambda: {"plain": law_file})
    assert cli.run(["laws"]) == 0
    table = capsys.readouterr().out
    for word in ("plain", "sgd", "loss_ratio, progress", "0.25*(1 - progress)", "2.3"):
        assert word in table
    assert cli.run(["laws", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["laws"]
    assert row == {
        "name": "plain", "optimizer": "sgd", "features": ["loss_ratio", "progress"],
        "formula": "0.25*(1 - progress)", "initial_loss": 2.3, "scale": None, "scores": [],
    }  # fmt: skip
    assert cli.run(["show", "plain"]) == 0
    assert "Ψ = 0.25*(1 - progress)" in capsys.readouterr().out
    monkeypatch.setattr(pretrained, "laws", dict)
    assert cli.run(["laws"]) == 0
    assert capsys.readouterr().out == "none yet\n"


def test_fit_notes_the_command_that_makes_the_same_law_again(tmp_path):
    asked = ["fit", SAMPLE, "--features", "raw", "--family", "loss_power*exponential",
             "--resamples", 20, "--no-schedule"]  # fmt: skip
    code, out, err = run(*asked, "--out", "law.json", cwd=tmp_path)
    assert code == 0, err
    assert "intervals" in err
    law = psi.load(tmp_path / "law.json")
    assert law.features == ("loss", "epoch")
    assert [constant.name for constant in law.constants] == ["a", "p", "d"]
    assert law.provenance is not None
    assert f"made by    {law.provenance.command}" in out
    for said in ("Ψ = ", "95 % over tasks", "domain     epoch in [0, 5]", "error of the scale"):
        assert said in out
    before = (tmp_path / "law.json").read_bytes()
    code, out, _ = run(*shlex.split(law.provenance.command)[1:], "--json", cwd=tmp_path)
    assert code == 0
    assert (tmp_path / "law.json").read_bytes() == before
    assert json.loads(out) == law.document()
    code, _, err = run("show", "law.json", "--png", "raw.png", cwd=tmp_path)
    assert (code, err) == (0, "")
    assert (tmp_path / "raw.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.parametrize("features", ["raw", "relative"])
def test_a_symbolic_fit_keeps_its_whole_front(tmp_path, features):
    code, _, err = run(
        "generate", "--out", "data", "--tasks", "wine", "teacher-0", "--epochs=4", "--seeds=3",
        "--trajectories=0", "--cells=20", "--candidates=6", cwd=tmp_path,
    )  # fmt: skip
    assert code == 0, err
    code, out, err = run(
        "fit", "data", "--kind", "symbolic", "--features", features, "--optimizer", "sgd",
        "--family", "loss_power*exponential", "--runs=1", "--generations=10", "--resamples=10",
        "--out", "law.json", cwd=tmp_path,
    )  # fmt: skip
    assert code == 0, err
    for stage in ("fitting curves", "searching formulas", "training under the formulas"):
        assert stage in err
    law = psi.load(tmp_path / "law.json")
    front = pd.read_csv(tmp_path / "law.front.csv")
    assert {"complexity", "held_out", "formula", "constants", "regret"} <= set(front.columns)
    assert front.regret.notna().all()
    assert front.chosen.sum() == 1
    assert (tmp_path / "law.front.png").read_bytes().startswith(b"\x89PNG")
    assert "law.front.csv" in out
    assert any(score.name == "regret as a scheduler on training tasks" for score in law.scores)


@pytest.mark.slow
def test_a_scaled_fit(tmp_path):
    """The law is scale × shape; its picture is of rates, one colour where these are one."""
    law_file = tmp_path / "law.json"
    code, out, err = run(
        "fit", SAMPLE, "--scaled", "--family", "constant", "--no-schedule", "--out", law_file
    )
    assert code == 0, err
    law = psi.load(law_file)
    assert law.scale is not None
    assert f"typical α_0 {law.scale:.3g}" in out
    assert "α = α_0 · ψ, ψ = " in out
    code, _, err = run("show", law_file, "--png", tmp_path / "law.png")
    assert (code, err) == (0, "")


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
    ("sign", "number", "code"),
    [
        (None, signal.SIGTERM, 143),  # Python itself has a handler of SIGINT from the start
        ("manifest/config.json", signal.SIGINT, 130),
        ("records/part-0000-pilot.parquet", signal.SIGINT, 130),
    ],
    ids=["importing", "compiling", "training"],
)
def test_signals_end_it_within_five_seconds_and_a_rerun_goes_on(tmp_path, sign, number, code):
    """As soon as there is a handler, or the file that tells how far it is."""
    out = tmp_path / "data"
    asked = (*GENERATE, "--cells=1000")
    with start("generate", "--out", out, *asked) as process:
        try:
            until = time.monotonic() + 120  # a first start compiles Python's own files
            while not (out / sign).exists() if sign else not catches(process, number):
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.01)
            process.send_signal(number)
            sent = time.monotonic()
            process.communicate(timeout=30)
        finally:
            process.kill()
    assert time.monotonic() - sent < 5
    assert process.returncode == code
    files = [p for p in out.rglob("*") if p.is_file() and not p.name.startswith(".")]
    for file in files:
        assert file.stat().st_size > 0
    if files:
        done, said, error = run("generate", "--out", out, *asked, "--json")
        assert done == 0, error
        assert json.loads(said)["rows"] == 4 * (2 * 225 + 2 * 1000 * 4 * 2)


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


def test_law_verify_tries_a_law_over_its_domain(tmp_path):
    code, out, err = run("law", "verify", "momentum", "--json")
    found = json.loads(out)
    assert (code, found["ok"], found["kind"]) == (0, True, "formula")
    assert found["points"] == found["finite"] > 10_000
    content = Path(found["file"]).read_bytes()
    assert found["sha256"] == hashlib.sha256(content).hexdigest()
    code, out, err = run("law", "verify", "momentum", "--sha256", "00")
    assert code == 1
    assert out.endswith("NOT OK\n")
    (tmp_path / "law.json").write_bytes(content[:-20])
    code, out, err = run("law", "verify", str(tmp_path / "law.json"))
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "not a law file" in err


def test_diagnose_says_it_in_words_and_draws_it(tmp_path):
    losses = [2.3, 1.6, 1.2, 1.0, 0.9, 0.85, 0.84, 0.9, "nan", "nan"]
    lines = [f"{k},{loss},0.5" for k, loss in enumerate(losses)]
    (tmp_path / "run.csv").write_text("epoch,loss,lr\n" + "\n".join(lines))
    code, out, err = run("diagnose", "run.csv", "--law", "sgd", "--epochs", "12", cwd=tmp_path)
    assert (code, err) == (0, "")
    assert "rate too high: The loss is not finite in 2 of 10 lines, first at epoch 8" in out
    assert "(sgd, T = 12) along these losses: " in out
    assert out.endswith("picture: run.diagnosis.png\n")
    assert (tmp_path / "run.diagnosis.png").stat().st_size > 10_000
    code, out, err = run("diagnose", "run.csv", "--out", "a.png", "--json", cwd=tmp_path)
    found = json.loads(out)
    assert found["findings"][0]["span"] == [8, 9]
    assert len(found["psi"]["rates"]) == found["psi"]["epochs"] == 10
    assert all(0 < rate < 10 for rate in found["psi"]["rates"])
    assert (tmp_path / "a.png").exists()
