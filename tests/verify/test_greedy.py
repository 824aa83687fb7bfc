"""G1, G2 and G3 with fewer runs, and the truths that they are held against."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from psi.verify import greedy


@pytest.mark.parametrize(
    "check",
    [lambda: greedy.linear_regression(4096), lambda: greedy.mixture(8192)],
    ids=["G2", "G3"],
)
def test_in_small(check):
    for row in check():
        assert row.ok, row


def test_the_laws_of_a_mixture_are_minima():
    """Of the mean loss after a step, and of its mean log, over three tasks."""
    h, variance, excess = np.array([0.5, 1.0, 2.0]), np.array([1.0, 0.3, 0.7]), 0.4

    def after(rate):
        return (1 - rate * h) ** 2 * excess + rate**2 * h * variance / 2

    for law, cost in (
        (greedy._mean_law, lambda rate: after(rate).mean()),
        (greedy._log_law, lambda rate: np.log(after(rate)).mean()),
    ):
        found = minimize_scalar(cost, bounds=(1e-3, 2.0), method="bounded")
        assert law(excess, h, variance) == pytest.approx(found.x, rel=1e-4)  # pyright: ignore
