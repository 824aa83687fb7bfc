"""Lanes × seeds cut into units and calls: every run once, padding known as such."""

import numpy as np
import pytest

from psi.lab.engine.work import Layout, calls_of, cut, units_of


@pytest.mark.parametrize(("lanes", "seeds"), [(1, 1), (3, 2), (4, 5), (9, 3), (17, 1)])
def test_every_run_is_in_one_call(lanes, seeds):
    shape, own = Layout(width=4, units=3), np.arange(10, 10 + seeds)
    work = cut(np.arange(lanes), own, shape)
    assert (work.units, work.calls) == (
        units_of(lanes, seeds, shape),
        calls_of(lanes, seeds, shape),
    )
    runs = [work.runs(call) for call in range(work.calls)]
    found = [(lane, seed) for lane, seed, _ in runs for lane, seed in zip(lane, seed, strict=True)]
    assert sorted(found) == [(lane, seed) for lane in range(lanes) for seed in own]


def test_positions_are_those_among_all_lanes_and_the_last_lane_is_the_padding():
    work = cut(np.arange(5) * 10, np.array([7, 8]), Layout(width=4, units=2))
    np.testing.assert_array_equal(work.lanes, [[0, 10, 20, 30], [40, 40, 40, 40]])
    lane, seed, position = work.runs(1)
    np.testing.assert_array_equal(lane, [0, 1, 2, 3, 4])
    np.testing.assert_array_equal(seed, [8] * 5)
    np.testing.assert_array_equal(position, [0, 1, 2, 3, 4])
