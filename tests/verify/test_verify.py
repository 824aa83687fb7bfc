"""psi verify: the rows, a small version of what is quick, and all of it where there is time."""

import numpy as np
import pytest

from psi.commands.verify import VerifyCommand
from psi.verify import greedy, horizons, noiseless
from psi.verify.rows import absolute, at_most, many, relative, timed
from psi.verify.table import CHECKS, PROBLEMS, verify


def test_rows():
    row = relative("G4", "x", 1.1, 1.0, 0.2)
    assert row.relative_error == pytest.approx(0.1)
    assert row.ok
    assert not relative("G4", "x", 1.3, 1.0, 0.2).ok
    assert absolute("G7", "x", 0.01, 0.0, 0.02).ok
    assert not absolute("G7", "x", float("nan"), 0.0, 0.02).ok
    assert at_most("G4", "x", 0.9, 1.0).relative_error == 0
    assert at_most("G4", "x", 0.9, 1.0).ok
    assert not at_most("G4", "x", 1.01, 1.0).ok


def test_the_median_and_the_worst_of_many():
    rows = many("G1", "x", np.array([1.0, 1.02, 1.5]), np.ones(3), 0.03, 0.1)
    assert [row.ok for row in rows] == [True, False]
    assert [row.estimate for row in rows] == [1.02, 1.5]
    assert rows[1].relative_error == pytest.approx(0.5)


def test_the_first_row_has_the_seconds():
    rows = timed(lambda: [absolute("a", "x", 0.0, 0.0, 1.0), absolute("a", "y", 0.0, 0.0, 1.0)])
    assert rows[0].seconds >= 0
    assert rows[1].seconds == 0


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


@pytest.mark.parametrize(
    "check",
    [
        lambda: greedy.linear_regression(4096),
        lambda: greedy.mixture(8192),
        lambda: horizons.noise_floor(65_536),
        noiseless.sign_descent,
        noiseless.exponential_tail,
    ],
    ids=["G2", "G3", "G5", "G8", "G9"],
)
def test_in_small(check):
    for row in check():
        assert row.ok, row


@pytest.mark.slow
def test_all_of_it():
    rows = verify()
    assert len(rows) == 34
    for row in rows:
        assert row.ok, row
