"""The space of schedules: corners are known."""

import numpy as np

from psi.bench.searches.space import schedules


def test_corners_are_constant_and_quadratic_schedules_at_the_bounds():
    corners = np.array([[0, 0], [1, 0], [0, 0.5], [1, 1]])
    rates = schedules(corners, (0.01, 1.0), 4)
    left = np.array([1, 0.75, 0.5, 0.25])
    expected = np.stack([np.full(4, 0.01), np.ones(4), 0.01 * left, left**2])
    np.testing.assert_allclose(rates, expected)
    np.testing.assert_allclose(schedules(np.array([0.5, 0]), (0.01, 1.0), 2), [0.1, 0.1])
