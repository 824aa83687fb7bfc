"""Stagewise search on a state of one number, whose best rate is known in every stage."""

import numpy as np
import pytest

from psi.bench.searches.stagewise import STAGES, stage_ends, stagewise

RATES = np.array([0.125, 0.25, 0.5, 1.0])


def test_each_stage_takes_the_rate_of_its_own_curvature():
    """x ← x − αhx with another h in each stage and search: 1/h ends at 0, then x is set back."""
    curvature = np.array([[8, 4], [1, 2], [2, 8], [8, 1], [4, 4]])

    def advance(states, rates, first, end):
        left = states["x"] * (1 - rates[:, None] * curvature[first // 2]) ** (end - first)
        return left**2, {"x": left + 1 + np.arange(2)}

    plan = stagewise(advance, {"x": np.array([1.0, 3.0])}, RATES, 10)
    np.testing.assert_allclose(plan, np.repeat(1 / curvature.T, 2, axis=1))


def test_a_stage_goes_on_from_the_state_of_the_best():
    """Each rate is added to the state: the best ends nearest to 2."""

    def advance(states, rates, first, end):
        after = states + rates[:, None]
        return abs(after - 2), after

    plan = stagewise(advance, np.zeros(1), RATES, 3)
    np.testing.assert_allclose(plan, [[1.0, 1.0, 0.125]])


def test_where_everything_diverges_the_first_rate_stands():
    def advance(states, rates, first, end):
        losses = np.full((4, 1), np.inf)
        losses[2] = 1.0 if first == 0 else np.inf
        return losses, np.zeros((4, 1))

    np.testing.assert_allclose(stagewise(advance, np.zeros(1), RATES, 2), [[0.5, 0.125]])


@pytest.mark.parametrize("epochs", [1, 2, 4, 5, 6, 23, 200])
def test_stages_cover_the_budget_about_equally(epochs):
    ends = stage_ends(epochs)
    lengths = np.diff(ends)
    assert (ends[0], ends[-1], len(lengths)) == (0, epochs, min(epochs, STAGES))
    assert lengths.min() >= max(1, epochs // STAGES - 1)
    assert lengths.max() - lengths.min() <= 1
