"""`psi search`: from an atlas to a law with feedback, on the smallest tasks."""

import json
from pathlib import Path

import pytest

import psi
from psi.cli import run
from psi.commands.search import PRESETS
from psi.fit.feedback import fit

ATLAS = str(Path(__file__).parents[2] / "data" / "atlas")
SMALL = ["--preset", "smoke", "--operations", "1.1e7"]


@pytest.mark.slow
def test_a_search_makes_a_law_and_goes_on(tmp_path, capsys, monkeypatch) -> None:
    # Fits of the scale have tests of their own, and take a minute each on the whole atlas.
    monkeypatch.setattr(fit, "facts_law", lambda _, name, *_more: psi.load(name))
    words = ["search", ATLAS, "--optimizer", "adam", "--out", str(tmp_path), *SMALL, "--json"]
    assert run(words) == 0
    found = json.loads(capsys.readouterr().out)
    law = psi.load(tmp_path / "law.json")
    assert law.document() == found["law"]
    assert law.provenance is not None
    assert "psi search" in law.provenance.command
    assert {row["candidate"] for row in found["summary"]} >= {"facts alone", "by hand"}
    kept = (tmp_path / "law.json").read_bytes()
    assert run(words) == 0
    assert (tmp_path / "law.json").read_bytes() == kept


def test_a_dry_run_says_how_much_and_writes_nothing(tmp_path, capsys) -> None:
    out = tmp_path / "none"
    words = ["search", ATLAS, "--optimizer", "adam", "--out", str(out), *SMALL, "--dry-run"]
    assert run([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    size = PRESETS["smoke"]["generations"] * PRESETS["smoke"]["lanes"]
    assert told["trainings"] == 2 * size * told["each_generation"]  # and level and shape
    assert run([*words, "--method", "gradient", "--json"]) == 0
    fewer = json.loads(capsys.readouterr().out)["trainings"]
    assert fewer == told["trainings"] / PRESETS["smoke"]["lanes"]
    assert run([*words, "--no-budget", "--json"]) == 0  # whose inputs need no T
    assert json.loads(capsys.readouterr().out) == told
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--seeds", "0"], "seeds must be 1"),
        (["--inputs", "v_abov"], "unknown input 'v_abov'"),
        (["--no-budget", "--inputs", "v_late"], "without T there is no v_late"),
        (["--optimizer", "lion"], "unknown optimizer 'lion'"),
        (["--operations", "10"], "take at most 10 operations"),
        (["--method", "openes", "--lanes", "9"], "takes lanes in pairs, got 9"),
        (["--generations", "1"], "generations must be >= 2"),
    ],
)
def test_mistakes_are_one_line(words, said, tmp_path, capsys) -> None:
    optimizer = [] if "--optimizer" in words else ["--optimizer", "adam"]
    assert run(["search", ATLAS, "--out", str(tmp_path / "o"), *SMALL, *optimizer, *words]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
