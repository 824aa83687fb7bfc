"""Points that a formula can be fitted to, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from psi.fit.formula.families import RAW, RELATIVE, SIZED
from psi.fit.formula.points import points, points_of

GRID = np.stack([np.linspace(0.1, 1, 9), np.arange(9.0)])


@pytest.mark.parametrize(
    ("values", "rate", "weight", "message"),
    [
        (GRID, np.full(9, np.nan), None, "the ideal rate holds no usable number in 9 rows"),
        (GRID, -np.ones(9), None, "the ideal rate holds no usable number"),
        (GRID * [[np.nan], [1]], np.ones(9), None, "column loss holds no usable number"),
        (GRID * [[0], [1]], np.ones(9), None, "column loss has fewer than two distinct values"),
        (GRID * [[1], [0]], np.ones(9), None, "column epoch has fewer than two distinct values"),
        (GRID, np.ones(9), -np.ones(9), "column weight must be >= 0, got -1"),
        (GRID, np.ones(9), np.zeros(9), "column weight is zero throughout"),
        (GRID[:1], np.ones(9), None, r"must have shape \(2, 9\), got \(1, 9\)"),
    ],
)
def test_bad_points(values, rate, weight, message):
    with pytest.raises(ValueError, match=message):
        points(RAW, values, rate, weight)


def test_points_that_are_no_numbers_are_left_out():
    rate = np.ones(9)
    rate[:3] = np.nan, np.inf, 0.0
    values = GRID.copy()
    values[0, 3] = np.nan
    assert len(points(RAW, values, rate).task) == 5


@pytest.mark.parametrize(
    ("names", "first"),
    [(RAW, [0.5, 2.0]), (RELATIVE, [0.25, 0.2]), (SIZED, [0.25, 0.2, 600])],
    ids=("raw", "relative", "sized"),
)
def test_points_of_a_table(names, first):
    ideal = pd.DataFrame(
        {
            "task": ["t", "t", "u"], "loss": [0.5, 1.0, 2.0], "initial_loss": 2.0,
            "epoch": [2, 3, 4], "epochs": 10, "lr": [0.2, 0.4, 0.8],
            "log_lr_error": [0.4, 0.0, 9.0], "sure": [True, True, False], "scale": [0.5, 0.5, 4.0],
            "parameters": [600, 600, 900],
        }
    )  # fmt: skip
    found = points_of(ideal, names)
    np.testing.assert_allclose(found.values[:, 0], first)
    np.testing.assert_allclose(np.exp(found.log_rate), ideal.lr)
    np.testing.assert_allclose(found.weight, [1 / 0.25, 1 / 0.09, 0])
    np.testing.assert_allclose(np.exp(points_of(ideal, names, True).log_rate), [0.4, 0.8, 0.2])
