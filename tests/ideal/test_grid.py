"""Bins over several quantities, and weighted estimates in them."""

import numpy as np
import pytest

from psi.ideal.grid import Grid, binned, intervals, means, medians, runs_in, weights


def test_the_grid():
    grid = Grid(("x", "y"), (np.array([0.0, 1, 2]), np.array([0.0, 10, 20, 30])))
    assert (grid.shape, grid.size) == ((2, 3), 6)
    found = grid.bins(np.array([0.5, 1.0, 2.0, -1, 1.9]), np.array([0.0, 29, 5, 5, 30]))
    assert list(found) == [0, 5, -1, -1, -1]
    table = grid.table()
    assert tuple(table.iloc[5]) == (1, 2, 20, 30)


def test_medians_are_weighted():
    points = binned(np.array([0, 0, 0, 1]), np.array([3.0, 1, 2, 9]), np.arange(4), 3)
    assert list(points.value) == [1, 2, 3, 9]
    found = medians(points, np.array([1.0, 1, 5, 0]))
    assert found[0] == 3
    assert np.isnan(found[1:]).all()
    assert list(runs_in(points)) == [3, 1, 0]
    drawn = list(weights(points))
    assert (drawn[0] == 1).all()
    assert np.mean(drawn[1:]) == pytest.approx(1.0, abs=0.2)


def test_means_and_intervals_leave_empty_bins_empty():
    points = binned(np.array([0, 0, 2]), np.array([1.0, 4.0, 5.0]), np.arange(3), 3)
    found = means(points, np.array([1.0, 2.0, 1.0]), points.value)
    np.testing.assert_allclose(found, [3.0, np.nan, 5.0])
    samples = [np.array([k / 100, np.nan, 1.0]) for k in range(101)]
    error, low, high = intervals(samples)
    np.testing.assert_allclose(low, [0.025, np.nan, 1.0])
    np.testing.assert_allclose(high, [0.975, np.nan, 1.0])
    assert error[0] == pytest.approx(np.std(np.arange(101) / 100))
