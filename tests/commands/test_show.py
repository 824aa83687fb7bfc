"""`psi show`: a law as formula, picture and for other readers."""

import json
import re

import numpy as np
import pytest

import psi
from psi.commands.facts import facts_of
from psi.commands.show import ShowCommand
from tests.law.conftest import LAWS


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["MISSING.json"], ["MISSING.json", "No such file"]),
        (["CUT.json"], ["CUT.json", "not a law file"]),
        (["FILE"], ["FILE", "not a law file"]),
        (["no-such"], ["no-such: no such file, nor a shipped law"]),
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_line_and_exit_2(arguments, words, refused):
    refused(["show", *arguments], words)


def test_show_prints_the_law(run, law_file, tmp_path):
    code, out, err = run("show", law_file)
    assert (code, err) == (0, "")
    assert "0.25*(1 - progress)" in out
    code, out, err = run("show", law_file, "--json", "--png", tmp_path / "law.png")
    assert json.loads(out) == psi.load(law_file).document()
    assert (tmp_path / "law.png").read_bytes().startswith(b"\x89PNG")


def test_show_writes_the_formula_for_other_readers(run, law_file):
    code, out, err = run("show", law_file, "--latex", "--python")
    assert (code, err) == (0, "")
    assert re.search(r"^LaTeX +0\.25 ?\\,\\left\(1 - i/T\\right\)$", out, re.M)
    assert re.search(r"^Python +0\.25\*\(1\.0 - progress\)$", out, re.M)


def test_a_law_with_feedback_has_one_line_more_and_a_picture(run, tmp_path):
    LAWS["feedback"]().save(tmp_path / "law.json")
    code, out, _ = run("show", "law.json", "--latex", "--python", "--png", "law.png")
    assert code == 0
    assert re.search(
        r"^Ψ = 0\.2\*\(1 - progress\)\*exp\(feedback\)\nfeedback ← min\(max\(0\.98", out, re.M
    )
    assert re.search(r"^LaTeX .*e\^\{u\}\n +u \\leftarrow \\min", out, re.M)
    (python,) = re.findall(r"^Python .*\n +feedback = (np\.minimum\(.*)$", out, re.M)
    names = {"np": np, **dict.fromkeys(LAWS["feedback"]().features, 0.0), "loss_trend": 0.5}
    assert eval(python, names | {"feedback": 0.1}) == pytest.approx(0.98 * 0.1 + 0.3 * 0.5)
    assert (tmp_path / "law.png").read_bytes().startswith(b"\x89PNG")


def test_a_law_is_drawn_for_facts(run, tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr("psi.report.figures.law_figure", lambda *given: told.append(given))
    out = tmp_path / "law.png"
    assert run("show", "adam", "--png", out, "--epochs", "7", "--facts", "rows=900")[0] == 0
    assert told == [(psi.load("adam"), 7, out, psi.Facts(rows=900))]


FACTS = {
    "rows": "facts must be NAME=VALUE, each once, got 'rows'",
    "rows=1 rows=2": "each once, got 'rows=2'",
    "row=5": "unknown fact 'row'",
    "rows=many": "the fact rows must be a whole number, got 'many'",
    "batch=1.5": "the fact batch must be a whole number, got '1.5'",
    "weight_rms=big": "the fact weight_rms must be a number, got 'big'",
    "rows=inf": "the fact rows must be a whole number, got 'inf'",
    "stream=maybe": "the fact stream must be yes or no, got 'maybe'",
    "rows=0": "rows must be a whole number >= 1, got 0",
}


@pytest.mark.parametrize("words", FACTS)
@pytest.mark.parametrize("command", ["show", "diagnose"])
def test_what_is_no_fact_is_one_line(command, words, refused, tmp_path):
    refused([command, "adam", "--facts", *words.split()], [FACTS[words]])


def test_words_are_facts():
    found = facts_of(["rows=1e3", "chance_loss=0.5", "weight_rms=0.1", "parameters=7"])
    assert found == psi.Facts(rows=1000, chance_loss=0.5, weight_rms=0.1, parameters=7)
    assert facts_of(["stream=yes"]) == psi.Facts(stream=True)
    assert facts_of([]) == psi.Facts()


def test_a_budget_is_a_number_of_epochs(law_file):
    with pytest.raises(ValueError, match="epochs must be >= 1, got 0"):
        ShowCommand(str(law_file), epochs=0).run()
