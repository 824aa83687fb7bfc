"""`psi laws` lists what is shipped."""

import json

from psi import pretrained


def test_laws_lists_what_is_shipped(run, law_file, monkeypatch):
    code, out, err = run("laws", "--json")
    assert (code, err) == (0, "")
    assert [law["name"] for law in json.loads(out)["laws"]] == list(pretrained.laws())
    monkeypatch.setattr(pretrained, "laws", lambda: {"plain": law_file})
    code, table, _ = run("laws")
    assert code == 0
    for word in ("plain", "sgd", "loss_ratio, progress", "0.25*(1 - progress)", "2.3"):
        assert word in table
    (row,) = json.loads(run("laws", "--json")[1])["laws"]
    assert row == {
        "name": "plain", "optimizer": "sgd", "features": ["loss_ratio", "progress"],
        "formula": "0.25*(1 - progress)", "initial_loss": 2.3, "scale": None, "scores": [],
    }  # fmt: skip
    assert "Ψ = 0.25*(1 - progress)" in run("show", "plain")[1]
    monkeypatch.setattr(pretrained, "laws", dict)
    assert run("laws") == (0, "none yet\n", "")
