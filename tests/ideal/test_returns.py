"""Scores and returns of mean losses at their corners."""

import numpy as np
import pytest

from psi.ideal.returns import cap, capped, returned, score


def test_score_at_its_corners():
    """Δ = 2: at the floor log(0.02), at chance log(2.02), never above log(4.02)."""
    y = score(np.array([0.5, 2.5, 1e9]), 0.5, 2.5)
    np.testing.assert_allclose(y, np.log([0.02, 2.02, 4.02]))


def test_a_diverged_run_counts_as_twice_the_chance_loss():
    np.testing.assert_array_equal(capped(np.array([0.3, np.nan, np.inf, 7.0]), 1.0), [0.3, 2, 2, 2])


def test_the_cap_is_twice_the_chance_loss_of_a_network_and_far_above_it_of_a_problem():
    assert (cap("mlp"), cap("none")) == (2.0, 1e6)
    assert capped(np.array([7.0]), 1.0, cap("none"))[0] == 7.0


def test_a_mean_within_three_standard_errors_of_the_floor_has_no_return():
    found = returned(np.array([0.6, 0.6, 9.0]), np.array([0.03, 0.04, 0.1]), 0.5, 2.5)
    assert found[0] == pytest.approx(-np.log(0.1))
    assert np.isnan(found[1])
    assert found[2] == pytest.approx(-np.log(4.0))  # at most 2 (L_chance − L*)
