"""`psi laws` lists what is shipped."""

import json
from dataclasses import replace

import psi
from psi import pretrained
from psi.commands.laws import HEAD
from psi.law.load import shipped
from tests.law.conftest import LAWS


def test_a_feedback_has_a_line_of_its_own(run, tmp_path, monkeypatch):
    LAWS["feedback"]().save(tmp_path / "law.json")
    monkeypatch.setattr(pretrained, "laws", lambda: {"fed": tmp_path / "law.json"})
    lines = run("laws")[1].splitlines()
    at = lines.index("fed: α = 0.2 * (1 - progress) * exp(feedback)")
    assert lines[at + 1].startswith("    feedback ← min(max(0.98 * feedback + ")


def test_laws_lists_what_is_shipped(run, law_file, monkeypatch):
    code, out, err = run("laws", "--json")
    assert (code, err) == (0, "")
    assert [law["name"] for law in json.loads(out)["laws"]] == [name for name, _ in shipped()]
    adam = replace(psi.load("adam@0.1.0"), target="train", extrapolates=("parameters",))
    monkeypatch.setattr(pretrained, "laws", lambda: {"plain": law_file})
    code, table, _ = run("laws")
    assert (code, table.splitlines()[0]) == (0, HEAD)
    assert "plain: α = 0.25 * (1 - progress)" in table.splitlines()
    (row,) = json.loads(run("laws", "--json")[1])["laws"]
    assert row == {
        "name": "plain", "optimizer": "sgd", "features": ["loss_ratio", "progress"],
        "formula": "0.25*(1 - progress)", "domain": [[0.01, 1.0], [0.0, 0.95]],
        "initial_loss": 2.3, "scale": None, "scores": [], "target": None, "facts": [],
    }  # fmt: skip
    assert "Ψ = 0.25*(1 - progress)" in run("show", "plain")[1]
    adam.save(law_file)
    _, table, _ = run("laws")
    assert (
        "    facts: parameters\n    best for the training loss\n    adam: +0.060 on 6 held-out"
        in table
    )
    (row,) = json.loads(run("laws", "--json")[1])["laws"]
    assert (row["target"], row["facts"]) == ("train", ["parameters"])
    shown = run("show", "plain")[1]
    assert "target     training loss\n" in shown
    assert (
        "parameters in [11, 1.87e+04], a fact, typically 453, a power law that goes on beyond\n"
        in shown
    )
    verified = json.loads(run("law", "verify", "plain", "--json")[1])
    assert (verified["target"], verified["facts"]) == ("train", ["parameters"])
    monkeypatch.setattr(pretrained, "laws", dict)
    assert run("laws") == (0, "none yet\n", "")


def test_the_shipped_laws_fit_a_page(run):
    _, table, _ = run("laws")
    lines = table.splitlines()
    assert len(lines) <= 66  # a printed page
    assert max(map(len, lines)) <= 80
    for name, law in shipped():
        whole = f"{name}: α = {'α_0 · ' * bool(law.scale)}{law}".replace(" ", "")
        assert whole in "".join(table.split())
    words = " ".join(table.split())
    assert words.count("on left-out domains, ") == words.count("on 44 sealed tasks") == 6
    assert words.count("stream loss") == 3
    assert table.endswith("Of former versions: adam@0.1.0, momentum@0.1.0, sgd@0.1.0\n")
