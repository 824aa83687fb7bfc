"""What `psi bench` refuses, and when its answer is no."""

import json

import pytest

from psi.commands.bench import BenchCommand


def test_an_unknown_benchmark_is_refused(refused):
    refused(["bench", "fits"], ["fits", "engine"])


def test_a_row_that_is_not_ok_is_exit_1():
    assert BenchCommand.failed({"rows": [{"ok": True}, {"ok": False}]})
    assert not BenchCommand.failed({"rows": [{"ok": True}]})
    assert not BenchCommand.failed({"runs_per_second": 300.0})


def test_methods_are_listed(capsys):
    from psi.bench.baselines import BASELINES
    from psi.cli import run

    assert run(["bench", "methods", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["methods"]
    assert {row["name"] for row in rows} >= {"linear", "prodigy", "lbfgs", "range_test"}
    assert len(rows) == len(BASELINES.names)
    assert run(["bench", "methods"]) == 0
    assert "α (1 − i/T)" in capsys.readouterr().out


@pytest.mark.slow
def test_a_suite_is_run_and_its_table_read_again(tmp_path, capsys):
    from psi.cli import run

    out = str(tmp_path / "run")
    asked = ["bench", "suite", "smoke", "--out", out, "--methods", "step", "--optimizers", "adam"]
    assert run([*asked, "--laws", "adam", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    tuned = {f"{name}, tuned" for name in ("constant", "linear", "cosine")}
    names = {row["method"] for row in first["standings"]}
    assert names == {"tuned reference", "adam", "step", *tuned}
    assert run(["bench", "table", out, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == first
    assert run(["bench", "table", out]) == 0
    assert "tuned reference" in capsys.readouterr().out
