"""psi verify as a whole: which problems there are, what its exit code says, and all of it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import psi.verify.table
from psi.commands.verify import VerifyCommand
from psi.verify.rows import absolute
from psi.verify.table import CHECKS, PROBLEMS, verify

PAGE = Path(psi.verify.table.__file__).with_name("problems.md").read_text()


def test_a_row_that_is_not_ok_is_exit_code_1():
    good, bad = absolute("a", "x", 0.0, 0.0, 1.0), absolute("a", "x", 3.0, 0.0, 1.0)
    assert not VerifyCommand.failed({"rows": [good._asdict()]})
    assert VerifyCommand.failed({"rows": [good._asdict(), bad._asdict()]})


def test_an_unknown_problem_is_named():
    with pytest.raises(ValueError, match="'G12'"):
        verify(["G1", "G12"])


def test_every_problem_that_is_asked_for_is_there():
    asked = {"G1", "G2", "G3", "G4", "G5", "G6", "G7", "G8", "G9", "G11", "G13"}
    assert set(PROBLEMS) == asked
    assert len(CHECKS) == 13


def test_every_problem_stands_on_the_page_with_its_checks():
    sections = re.findall(r"^## (G\d+):", PAGE, re.MULTILINE)
    assert sections == [f"G{k}" for k in range(1, 14)]
    rows = dict(re.findall(r"^\| (G\d+) \| .* \| (`.*?) \| .* \|$", PAGE, re.MULTILINE))
    assert set(rows) == set(PROBLEMS)
    for name, check in CHECKS:
        assert check.__name__ in rows[name]


@pytest.mark.long  # five minutes
def test_all_of_it():
    """As its users run it: checks of shapes would take as long again."""
    command = [sys.executable, "-m", "psi", "verify", "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert len(rows) == 34
    for row in rows:
        assert row["ok"], row
