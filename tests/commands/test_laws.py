"""`psi laws` lists what is shipped."""

import json

from psi import pretrained
from psi.law.load import shipped


def test_laws_lists_what_is_shipped(run, law_file, monkeypatch):
    code, out, err = run("laws", "--json")
    assert (code, err) == (0, "")
    assert [law["name"] for law in json.loads(out)["laws"]] == list(pretrained.laws())
    monkeypatch.setattr(pretrained, "laws", lambda: {"plain": law_file})
    code, table, _ = run("laws")
    assert code == 0
    assert "plain: α = 0.25*(1 - progress)\n    loss_ratio 0.01 to 1, progress 0 to 0.95\n" in table
    (row,) = json.loads(run("laws", "--json")[1])["laws"]
    assert row == {
        "name": "plain", "optimizer": "sgd", "features": ["loss_ratio", "progress"],
        "formula": "0.25*(1 - progress)", "domain": [[0.01, 1.0], [0.0, 0.95]],
        "initial_loss": 2.3, "scale": None, "scores": [],
    }  # fmt: skip
    assert "Ψ = 0.25*(1 - progress)" in run("show", "plain")[1]
    monkeypatch.setattr(pretrained, "laws", dict)
    assert run("laws") == (0, "none yet\n", "")


def test_the_shipped_laws_fit_a_page(run):
    _, table, _ = run("laws")
    lines = table.splitlines()
    assert len(lines) < 40
    assert max(map(len, lines)) <= 80
    for name, law in shipped():
        whole = " ".join(f"{name}: α = {'α_0 · ' * bool(law.scale)}{law}".split())
        assert whole in " ".join(table.split())
    assert table.count("stream loss") == len(shipped())
