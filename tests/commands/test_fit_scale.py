"""`psi fit runs.csv --kind scale`: the groups and the law it prints, draws and writes."""

import json
import shlex

import numpy as np
import pandas as pd
import pytest

import psi
from psi.cli import command_of
from psi.commands.fit import FitCommand
from psi.commands.fit_scale import FitScaleCommand
from tests.fit.planted import planted_sweep

ASKED = ("--kind", "scale", "--rate", "lr", "--loss", "loss", "--resamples", 200)


@pytest.fixture
def runs(tmp_path):
    """A planted sweep, two seeds a setting, and a run that crashed."""
    table = planted_sweep(np.random.default_rng(0), seeds=2)
    table = pd.concat([table, table.iloc[:1].assign(loss=np.nan)])
    table.to_csv(tmp_path / "runs.csv", index=False)
    return table


def test_groups_and_law_are_printed_drawn_and_given_as_json(run, runs, tmp_path):
    code, out, err = run("fit", "runs.csv", *ASKED, "--facts", "N", "D", "--figure", "a.png")
    assert code == 0, err
    assert err == "psi: runs.csv: rows without a rate, a fact or a loss, left out: 1\n"
    for text in ("best lr", "lr = ", " * N^-0.", "exponent of D = 0.", "95 % over groups",
                 "groups: 12"):  # fmt: skip
        assert text in out
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert not list(tmp_path.glob("*.json"))
    code, out, _ = run("fit", "runs.csv", *ASKED, "--facts=N", "D", "--json")
    found = json.loads(out)
    assert code == 0
    assert len(found["groups"]) == found["law"]["groups"] == 12
    assert found["law"]["exponents"][0]["value"] == pytest.approx(-0.6, abs=0.05)
    assert found["groups"][0]["runs"] == 40
    first = runs[(runs.N == 1e7) & (runs.D == 1e9)]
    assert found["groups"][0]["diverged"] == np.isinf(first.loss).sum() > 0


def test_groups_that_are_not_in_the_law_are_counted(run, runs, tmp_path):
    """One has two rates alone, one its best at the lowest."""
    sizes = runs.N.unique()
    few = (sizes[0] != runs.N) | (runs.D != 1e9) | runs.lr.isin(runs.lr.unique()[:2])
    cut = (sizes[3] != runs.N) | (runs.D != 1e9) | (runs.lr > 1e-3)
    runs[few & cut].to_parquet(tmp_path / "cut.parquet")
    code, out, err = run("fit", "cut.parquet", *ASKED, "--facts", "N", "D")
    assert code == 0
    assert "groups of fewer than 3 rates, or all diverged, left out: 1" in err
    assert "groups whose best run is at an edge, left out of the law: 1" in err
    assert "lowest lr" in out
    assert "groups: 10" in out


def test_the_law_file_has_the_command_that_makes_it_again(run, runs, tmp_path):
    runs[runs.D == 4e9].to_csv(tmp_path / "one.csv", index=False)
    asked = (*ASKED, "--facts", "N", "--map", "N=parameters", "--optimizer=adam", "--schedule",
             "linear", "--out", "law.json")  # fmt: skip
    code, _, err = run("fit", "one.csv", *asked)
    assert code == 0, err
    law = psi.load(tmp_path / "law.json")
    assert law.features == ("parameters", "progress")
    assert law.optimizer == "adam"
    assert float(law([1e8, 0.5])) == pytest.approx(0.5 * 2e-3 * 0.4**0.3, rel=0.1)
    assert law.provenance is not None
    before = (tmp_path / "law.json").read_bytes()
    assert run(*shlex.split(law.provenance.command)[1:])[0] == 0
    assert (tmp_path / "law.json").read_bytes() == before
    code, out, err = run("show", "law.json")
    assert (code, err) == (0, "")
    assert "exponent of parameters" in out


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (["--facts", "N", "width"], ["runs.csv: unknown column 'width'; allowed: N, D, lr, loss"]),
        (["--facts", "N", "lr"], ["must be distinct: 'lr' is twice"]),
        (["--facts"], ["--facts needs a value"]),
        (["--facts", "N", "--tuned", ""], ["--tuned needs a value"]),
        (["--facts", "N", "--resamples", "1"], ["resamples must be >= 100, got 1"]),
        (["--facts", "N", "--seed", "-1"], ["seed must be >= 0"]),
        (["--facts", "N", "--figure", "a.pdf"], ["figure must end in .png"]),
        (["--facts", "N", "--out", "law.yaml"], ["out must end in .json"]),
        (["--facts", "N", "--out", "x.json"], ["cannot hold the fact 'N'", "parameters", "--map"]),
        (["--facts", "N", "--out", "x.json", "--map", "N=loss"], ["cannot hold the fact 'loss'"]),
        (["--facts", "N", "--out", "x.json", "--map", "D=parameters"], ["map must", "got 'D'"]),
        (["--facts", "N", "--out", "x.json", "--map", "N"], ["map must be COLUMN=FEATURE"]),
        (["--facts", "N", "--out", "x.json", "--map", "N=parameters"], ["--optimizer"]),
        (
            ["--facts", "N", "--out", "x.json", "--map=N=parameters", "--optimizer", "A b"],
            ["optimizer must be a name"],
        ),
        (["--facts", "N", "--where", "N=7"], ["runs.csv: unknown value of 'N' '7'"]),
        (["--facts", "N", "--family", "constant"], ["--family"]),
    ],
    ids=str,
)  # fmt: skip
def test_a_mistake_is_one_line_and_exit_2(changed, words, runs, refused):
    refused(["fit", "runs.csv", *ASKED, *changed], words)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("few.csv", ["a law of N, D needs >= 4 groups", "got 3"]),
        ("empty.csv", ["empty.csv: the file is empty"]),
        ("none.csv", ["none.csv: there is no such file"]),
    ],
)
def test_a_file_without_a_law_is_a_line_and_exit_2(file, words, runs, run, tmp_path):
    runs[runs.N == 1e7].to_csv(tmp_path / "few.csv", index=False)
    (tmp_path / "empty.csv").write_text("")
    code, out, err = run("fit", file, *ASKED, "--facts", "N", "D")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert all(word in err for word in words)


def test_a_kind_chooses_the_command():
    fit = command_of("fit")
    for options in (["--kind", "scale"], ["runs.csv", "--kind=scale"]):
        assert fit.variant(options) is FitScaleCommand
    for options in ([], ["scale"], ["--kind", "curve"], ["--out", "scale"]):
        assert fit.variant(options) is FitCommand
