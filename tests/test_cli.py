"""The command line as a person meets it: each test runs `psi` in a process of its own."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import psi
from psi.cli import COMMANDS
from psi.law.expression import Apply, Constant, Variable
from psi.law.law import Law, Range

TINY = ["--draws=1", "--epochs=3", "--cells=12", "--candidates=4", "--seeds=2"]
GENERATE = ["--tasks", "wine", "teacher-0", "--epochs=4", "--candidates=4", "--seeds=2"]


@pytest.fixture(scope="module", autouse=True)
def compile_once(tmp_path_factory):
    """Programs compiled by one command of this file are read back by the next."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


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


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "demo"
    code, said, error = run("demo", "--out", out, "--json", *TINY)
    assert code == 0, error
    return out, said


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
        (["generate"], ["--out"]),
        (["fit", "EMPTY", "--out", "x.json"], ["EMPTY", "no records"]),
        (["fit", "EMPTY", "--out", "x.json", "--kind", "oracle"], ["oracle", "curve"]),
        (["show", "MISSING.json"], ["MISSING.json", "No such file"]),
        (["show", "CUT.json"], ["CUT.json", "not a law file"]),
        (["show", "FILE"], ["FILE", "not a law file"]),
        (["show", "sgd"], ["sgd", "none yet"]),
        (["report", "EMPTY"], ["EMPTY", "no finished demo"]),
        (["bench"], ["not there yet"]),
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


def test_demo_writes_everything(demo):
    out, said = demo
    summary = json.loads((out / "summary.json").read_text())
    assert json.loads(said) == summary
    listed = {p.name for p in out.iterdir() if not p.name.startswith(".")}
    assert listed == {
        "records", "manifest", "tasks.parquet", "laws", "figures", "summary.json", "report.html",
    }  # fmt: skip
    assert {p.name for p in (out / "figures").iterdir()} == {
        "surface.png", "psi.png", "curves.png", "rates.png"}  # fmt: skip
    assert not list(out.glob(".work-*"))
    for entry in summary["laws"]:
        law = psi.load(out / entry["file"])
        assert 0 < law([0.5, 0.5]) < 100
        assert any("held out" in score.name for score in law.scores)
        assert law.provenance is not None


def test_summary_holds_what_was_promised_for_every_method(demo):
    summary = json.loads((demo[0] / "summary.json").read_text())
    methods = {m["name"]: m for m in summary["methods"]}
    assert len(methods) == 8
    for name, method in methods.items():
        seeds = len(method["seeds"])
        assert seeds == 10
        for key in ("final_train_losses", "final_val_losses", "accuracies", "epochs_to_criterion"):
            assert len(method[key]) == seeds
        assert method["tuned"] == name.endswith(", tuned")
        assert (method["tuning_runs"] > 0) == method["tuned"]
        assert all(0 <= a <= 1 for a in method["accuracies"])
        assert len(method["mean_rates"]) == 3
    assert methods["linear, tuned"]["regret"] == {"mean": 0.0, "low": 0.0, "high": 0.0}


def test_held_out_digits_enter_no_fit(demo):
    summary = json.loads((demo[0] / "summary.json").read_text())
    assert summary["data"]["tasks"][0] == summary["task"]["name"] == "digits"
    for law in summary["laws"]:
        left_out = [s["name"] for s in law["scores"] if "left out" in s["name"]]
        assert left_out
        assert not any("digits" in name for name in left_out)


def test_the_report_is_one_self_contained_page(demo):
    page = (demo[0] / "report.html").read_text()
    assert page.count("<img") == 4
    assert page.count("data:image/png;base64,") == 4
    assert not re.search(r"(src|href)\s*=\s*['\"](?!data:)", page)
    assert "<script" not in page
    assert "Ψ closed form" in page


def test_a_rerun_gives_the_same_numbers_and_replaces_them(demo):
    out, _ = demo
    first = json.loads((out / "summary.json").read_text())
    (out / "figures" / "surface.png").write_bytes(b"old")
    code, table, error = run("demo", "--out", out, *TINY)
    assert code == 0, error
    second = json.loads((out / "summary.json").read_text())
    first.pop("seconds"), second.pop("seconds")
    assert first == second
    assert (out / "figures" / "surface.png").read_bytes() != b"old"
    assert "linear, tuned" in table
    assert "training networks" in error  # the bar, where --json cannot meet it


def test_fit_and_report_from_a_demo_folder(demo, tmp_path):
    out, _ = demo
    law = tmp_path / "law.json"
    code, said, error = run("fit", out, "--out", law, "--hold-out", "digits", "--json")
    assert code == 0, error
    again = psi.load(law)
    assert json.loads(said) == again.document()
    mine = psi.load(out / "laws" / "curve.json")
    grid = np.array([[0.5, 0.1], [0.3, 0.6]])
    np.testing.assert_array_equal(again(grid), mine(grid))
    before = (out / "report.html").read_text()
    assert run("report", out)[0] == 0
    assert (out / "report.html").read_text() == before
    code, _, error = run("fit", out, "--out", law, "--hold-out", "cifar")
    assert (code, error.count("\n")) == (2, 1)
    assert "cifar" in error


def test_demo_leaves_a_folder_of_other_files_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    code, _, error = run("demo", "--out", tmp_path)
    assert (code, error.count("\n")) == (2, 1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["thesis.tex"]


@pytest.mark.parametrize("wait", [1.5, 8.0])
def test_ctrl_c_leaves_within_five_seconds_and_a_rerun_goes_on(tmp_path, wait):
    """During the imports, and in the middle of training or compiling."""
    out = tmp_path / "data"
    process = start("generate", "--out", out, *GENERATE, "--cells=400")
    time.sleep(wait)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    asked = time.monotonic()
    process.communicate(timeout=30)
    assert time.monotonic() - asked < 5
    assert process.returncode == 130
    files = [p for p in out.rglob("*") if p.is_file() and not p.name.startswith(".")]
    for file in files:
        assert file.stat().st_size > 0
    if files:
        done, said, error = run("generate", "--out", out, *GENERATE, "--cells=400", "--json")
        assert done == 0, error
        assert json.loads(said)["records"] == 4 * (2 * 225 + 2 * 400 * 4 * 2)


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
