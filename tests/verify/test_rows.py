"""Rows of psi verify: when an estimate is near enough to the truth."""

import numpy as np
import pytest

from psi.verify.rows import absolute, at_least, at_most, many, relative, with_seconds


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
    assert at_least("G4", "x", 1.01, 1.0).ok
    assert not at_least("G4", "x", 0.99, 1.0).ok


def test_the_median_and_the_worst_of_many():
    rows = many("G1", "x", np.array([1.0, 1.02, 1.5]), np.ones(3), 0.03, 0.1)
    assert [row.ok for row in rows] == [True, False]
    assert [row.estimate for row in rows] == [1.02, 1.5]
    assert rows[1].relative_error == pytest.approx(0.5)


def test_the_first_row_has_the_seconds():
    rows = with_seconds(lambda: [absolute("a", what, 0.0, 0.0, 1.0) for what in "xy"])
    assert rows[0].seconds >= 0
    assert rows[1].seconds == 0
