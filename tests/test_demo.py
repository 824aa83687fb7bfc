"""A tiny demo from end to end, twice: what it writes, and that it writes it again."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest

import psi

TINY = ["--draws=1", "--epochs=3", "--cells=12", "--candidates=4", "--seeds=2"]


@pytest.fixture(scope="module")
def run():
    def run(*arguments):
        command = [sys.executable, "-m", "psi", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.fixture(scope="module")
def demo(run, tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "demo"
    code, printed, error = run("demo", "--out", out, "--json", *TINY)
    assert code == 0, error
    return out, printed


def test_demo_writes_everything(demo):
    out, printed = demo
    summary = json.loads((out / "summary.json").read_text())
    assert json.loads(printed) == summary
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


@pytest.mark.slow
def test_a_rerun_gives_the_same_numbers_and_replaces_them(run, demo):
    out, _ = demo
    first = json.loads((out / "summary.json").read_text())
    (out / "figures" / "surface.png").write_bytes(b"old")
    code, table, error = run("demo", "--out", out, *TINY)
    assert code == 0, error
    second = json.loads((out / "summary.json").read_text())
    assert first.pop("seconds")["total"] > 0
    assert second.pop("seconds")["total"] > 0
    assert first == second
    assert (out / "figures" / "surface.png").read_bytes() != b"old"
    assert "linear, tuned" in table
    assert "training networks" in error  # the bar, where --json cannot meet it


@pytest.mark.slow
def test_fit_and_report_from_a_demo_folder(run, demo, tmp_path):
    out, _ = demo
    law = tmp_path / "law.json"
    code, printed, error = run(
        "fit", out, "--out", law, "--hold-out", "digits", "--family", "loss_power*polynomial",
        "--no-schedule", "--json",
    )  # fmt: skip
    assert code == 0, error
    again = psi.load(law)
    assert json.loads(printed) == again.document()
    mine = psi.load(out / "laws" / "curve.json")
    grid = np.array([[0.5, 0.1], [0.3, 0.6]])
    np.testing.assert_array_equal(again(grid), mine(grid))
    before = (out / "report.html").read_text()
    assert run("report", out)[0] == 0
    assert (out / "report.html").read_text() == before
    code, _, error = run("fit", out, "--out", law, "--hold-out", "cifar")
    assert (code, error.count("\n")) == (2, 1)
    assert "cifar" in error
