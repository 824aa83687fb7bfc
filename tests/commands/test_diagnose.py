"""`psi diagnose` in words, in JSON and as a picture."""

import json

import pytest

from psi.commands.diagnose import DiagnoseCommand


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["MISSING.csv"], ["MISSING.csv", "No such file"]),
        (["FILE"], ["no column is a loss: name one with --loss"]),
        (["FILE", "--law", "no-such"], ["no-such: no such file, nor a shipped law"]),
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_line_and_exit_2(arguments, words, refused):
    refused(["diagnose", *arguments], words)


def test_diagnose_says_it_in_words_and_draws_it(run, tmp_path):
    losses = [2.3, 1.6, 1.2, 1.0, 0.9, 0.85, 0.84, 0.9, "nan", "nan"]
    lines = [f"{k},{loss},0.5" for k, loss in enumerate(losses)]
    (tmp_path / "run.csv").write_text("epoch,loss,lr\n" + "\n".join(lines))
    code, out, err = run("diagnose", "run.csv", "--law", "sgd", "--epochs", "12")
    assert (code, err) == (0, "")
    assert "rate too high: The loss is not finite in 2 of 10 lines, first at epoch 8" in out
    assert "(sgd, T = 12) along these losses: " in out
    assert out.endswith("picture: run.diagnosis.png\n")
    assert (tmp_path / "run.diagnosis.png").stat().st_size > 10_000
    code, out, err = run("diagnose", "run.csv", "--out", "a.png", "--json")
    found = json.loads(out)
    assert found["findings"][0]["span"] == [8, 9]
    assert len(found["psi"]["rates"]) == found["psi"]["epochs"] == 10
    assert all(0 < rate < 10 for rate in found["psi"]["rates"])
    assert (tmp_path / "a.png").exists()


def test_the_picture_is_a_png(tmp_path):
    with pytest.raises(ValueError, match=r"must end in .png, got a.svg"):
        DiagnoseCommand(tmp_path / "log.csv", out=tmp_path.relative_to(tmp_path) / "a.svg").run()
