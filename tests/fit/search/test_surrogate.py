"""Intervals over tasks from a parabola through scattered laws."""

import numpy as np
import pytest

from psi.fit.search.surrogate import scattered, task_intervals


def test_intervals_over_tasks_are_those_of_the_mean():
    """Task t wants x = m_t: the best over tasks is the mean of m, known to ± 1.96 s/√n."""
    rng = np.random.default_rng(0)
    wanted = rng.normal(0.2, 0.3, size=(25, 2))
    lanes = scattered(np.array([0.2, 0.2]), 64, 0.3)
    regrets = ((lanes[None] - wanted[:, None]) ** 2).sum(-1)
    low, high = task_intervals(regrets, lanes)
    middle, error = wanted.mean(0), 1.96 * wanted.std(0) / 5
    np.testing.assert_allclose((low + high) / 2, middle, atol=0.05)
    np.testing.assert_allclose((high - low) / 2, error, rtol=0.35)


def test_where_a_parabola_opens_downwards_it_is_the_best_that_was_tried():
    lanes = scattered(np.zeros(1), 64, 0.3)
    low, high = task_intervals(np.zeros((8, 64)) - lanes[:, 0] ** 2, lanes)
    assert low[0] == high[0] == pytest.approx(lanes[np.abs(lanes).argmax(), 0])
