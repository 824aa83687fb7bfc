"""`psi show`: a law as formula, picture and for other readers."""

import json
import re

import pytest

import psi
from psi.commands.show import ShowCommand


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


def test_a_law_that_does_not_see_the_size_has_none(law_file):
    with pytest.raises(ValueError, match="does not see the number of parameters"):
        ShowCommand(str(law_file), parameters=100).run()
    with pytest.raises(ValueError, match="epochs must be >= 1, got 0"):
        ShowCommand(str(law_file), epochs=0).run()
