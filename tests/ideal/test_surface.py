"""The response surface of branched records: the mean before the log, and what is no data."""

import numpy as np
import pandas as pd
import pytest

from psi.ideal.surface import GROUPS, candidates, response_surface
from tests.ideal.records import TASKS, branched_records


def test_the_mean_is_taken_before_the_log():
    final = np.array([[0.1, 0.1, 1.3], [0.4, 0.4, 0.4], [0.5, 0.5, np.nan]])
    surface = response_surface(branched_records(final, [0.1, 0.2, 0.4]), TASKS)
    np.testing.assert_allclose(surface.final_loss, [0.5, 0.4, (0.5 + 0.5 + 4.0) / 3])
    np.testing.assert_allclose(surface.score, np.log(surface.final_loss + 0.02))
    # The first and the last mean are within 3 of their standard errors of the floor.
    np.testing.assert_allclose(surface["return"], [np.nan, -np.log(0.4), np.nan])
    assert list(surface.epoch) == [4, 4, 4]
    np.testing.assert_allclose(surface.loss, 1.1)
    np.testing.assert_allclose(surface.initial_loss, 1.5)
    # A median, or a mean of logs, would have preferred the first rate.
    assert surface.score.idxmin() == 1


def test_cells_whose_prefix_diverged_are_left_out():
    records = branched_records(np.ones((3, 2)), [0.1, 0.2, 0.4])
    dead = records.assign(cell=1, run=records.run + 6, loss_running=np.nan)
    surface = response_surface(pd.concat([records, dead]), TASKS)
    assert set(surface.cell) == {0}


def test_no_branched_runs_is_an_error():
    with pytest.raises(ValueError, match="no branched run"):
        response_surface(branched_records(np.ones((3, 2)), [1, 2, 3]).assign(cell=-1), TASKS)


def test_every_prefix_diverged_is_no_data():
    records = branched_records(np.ones((3, 2)), [0.1, 0.2, 0.4]).assign(loss_running=np.nan)
    with pytest.raises(ValueError, match="no data: the prefix of every branched cell"):
        response_surface(records, TASKS)


def test_groups_are_resampled_together_and_are_at_most_64():
    """Of two groups a resample's mean is that of the first, the second, or both."""
    fact = next(TASKS.itertuples())
    losses = np.array([[0.2, 0.4], [0.6, 1.0]])
    table = candidates(fact, "a", np.array([0.1, 0.2]), losses)
    resampled = np.stack(table.resampled.to_list())
    assert {tuple(pair) for pair in np.round(resampled.T, 9)} == {(0.2, 0.4), (0.4, 0.7), (0.6, 1)}
    many = candidates(fact, "a", np.array([0.1]), np.ones((1000, 1)))
    assert set(many.groups) == {GROUPS}
    assert set(many.runs) == {1000}
