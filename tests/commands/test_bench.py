"""What `psi bench` refuses, and when its answer is no."""

import json

import pandas as pd
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


def test_a_dry_run_says_what_a_suite_would_train(run, tmp_path):
    asked = ["bench", "suite", "smoke", "--out", "x", "--methods", "step", "prodigy", "--dry-run"]
    code, out, err = run(*asked, "--optimizers", "adam", "sgd")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    tuned = "step; constant, tuned; linear, tuned; cosine, tuned"
    assert lines[:4] == [
        f"adam: {tuned}; Ψ adam-scaled; Ψ adam",
        "  on wine, teacher-0, breast_cancer",
        f"sgd: {tuned}; Ψ sgd-scaled; Ψ sgd", "  on wine, teacher-0, breast_cancer",
    ]  # fmt: skip
    runs = 3 * (2 * (6 * 10 + 3 * 17 * 20) + 10)
    assert lines[6] == (
        f"jobs: 9, of which done: 0; networks to train: {runs:,} or more; nothing was written"
    )
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["suite", "smok"], ["unknown suite 'smok'; allowed: smoke, train, validation, sealed"]),
        (["suite", "smoke", "--methods", "liner"], ["unknown baseline 'liner'"]),
        (["suite", "smoke", "--laws", "nope"], ["nope: no such file, nor a shipped law"]),
        (["suite", "smoke", "--laws", "CUT.json"], ["CUT.json"]),
        (["suite", "smoke", "--laws", "adam", "--optimizers", "sgd"], ["law adam is for adam"]),
        (["suite", "smoke", "--address", "a:1"], ["address is for --engine ray alone"]),
        (["suite", "smoke", "--laws"], ["--laws needs a value"]),
        (["suite", "sealed"], ["needs a reason for the ledger"]),
    ],
    ids=lambda each: " ".join(each),
)
def test_a_mistake_in_a_suite_is_one_line(arguments, words, refused):
    refused(["bench", *arguments, "--out", "x"], words)


@pytest.mark.parametrize("option", ["--dry-run", "--engine=ray", "--why=x", "--laws=adam"])
def test_options_of_suites_are_refused_elsewhere(option, refused):
    refused(["bench", "engine", option], ["is for psi bench suite alone"])


def test_a_table_is_printed_drawn_and_written(tmp_path, capsys):
    from psi.bench.standing import Standing
    from psi.bench.suite_runs import Made
    from psi.cli import run
    from tests.bench.suite_folder import by_hand

    by_hand(tmp_path / "run")
    out = tmp_path / "figures"
    asked = ["bench", "table", str(tmp_path / "run")]
    assert run([*asked, "--figures", str(out), "--table", str(tmp_path / "all.csv")]) == 0
    text = capsys.readouterr().out
    assert "Ψ half" in text
    assert "left out, as it ran on 1 tasks only: adam: Ψ once" in text
    assert {path.name for path in out.iterdir()} == {"regrets.png", "prices.png", "profiles.png"}
    table = pd.read_csv(tmp_path / "all.csv")
    assert tuple(table.columns) == (*Standing._fields, *Made._fields)
    assert run([*asked, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["standings"]
    assert [row["method"] for row in rows] == table.method.tolist()
    assert next(row for row in rows if row["method"] == "Ψ dead")["epochs_to"] is None


def test_what_a_table_refuses(refused, tmp_path_factory):
    from tests.bench.suite_folder import by_hand

    folder = by_hand(tmp_path_factory.mktemp("run"))
    asked = ["bench", "table", str(folder)]
    refused([*asked, "--against", "nobody"], ["nobody", "allowed: constant, tuned"])
    refused([*asked, "--figures", str(folder / ".lock")], ["it is a file"])
    refused([*asked, "--table", str(folder / "all.txt")], ["must end in .csv"])
    refused(["bench", "range", "--figures", "out"], ["psi bench table alone"])


@pytest.mark.slow
def test_a_suite_is_run_and_its_table_read_again(tmp_path, capsys):
    from psi.cli import run

    out = str(tmp_path / "run")
    asked = ["bench", "suite", "smoke", "--out", out, "--methods", "step", "--optimizers", "adam"]
    assert run([*asked, "--laws", "adam", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    tuned = {f"{name}, tuned" for name in ("constant", "linear", "cosine")}
    names = {row["method"] for row in first["standings"]}
    assert names == {"tuned reference", "Ψ adam", "step", *tuned}
    assert run(["bench", "table", out, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == first
    assert run(["bench", "table", out]) == 0
    assert "tuned reference" in capsys.readouterr().out
