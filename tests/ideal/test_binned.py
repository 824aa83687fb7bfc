"""Surfaces of records against naive references, and what must not be made up."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from psi.ideal.binned import Bins, binned_surface, to_visits
from psi.ideal.outcomes import outcome_surface
from psi.ideal.surface import response_surface
from tests.ideal.walks import SMALL, made


def test_the_mean_is_taken_before_the_log_in_every_bin(sample):
    """Against a loop over bins and rows."""
    records, tasks = sample
    table = binned_surface(records, tasks, "relative", "pooled", SMALL)
    visits = to_visits(records, tasks, "relative", "pooled")
    assert table.visited.sum() > 10
    for row in table.itertuples():
        row: Any = row
        here = (
            (visits.loss >= row.loss_low) & (visits.loss < row.loss_high)
            & (visits.epoch >= row.epoch_low) & (visits.epoch < row.epoch_high)
            & (visits.lr >= row.lr_low) & (visits.lr < row.lr_high)
        )  # fmt: skip
        assert row.visits == here.sum()
        assert row.runs == len(set(visits.run[here]))
        assert row.visited == (row.runs >= 3)
        if row.visited and np.isfinite(row.rate):
            after = visits.after[here].mean()
            assert row.rate == pytest.approx(np.log(visits.before[here].mean() / after))
            middle = np.sort(visits.after[here])[(here.sum() - 1) // 2]
            assert row.median == pytest.approx(-np.log(middle))


def test_what_was_not_visited_is_empty_and_says_so(sample):
    records, tasks = sample
    table = binned_surface(records, tasks, "raw", "task", SMALL)
    empty = table[~table.visited]
    assert len(empty) > 10
    names = ["return", "return_low", "return_high", "rate", "rate_low", "median", "median_high"]
    assert empty[names].isna().all().all()


def test_diverged_visits_are_bounded_and_blown_up_states_left_out():
    records, tasks = made(runs=50)
    hurt = records.copy()
    hurt.loc[hurt.index[10], "loss_next"] = np.nan
    hurt.loc[hurt.index[11], ["loss_running", "loss_full"]] = 1e9
    hurt.loc[hurt.index[12], ["loss_running", "loss_full"]] = np.nan
    visits = to_visits(hurt, tasks, "raw", "task")
    assert len(visits.loss) == len(records) - 2
    assert visits.after.max() == 100.0


def test_groups():
    records, tasks = made(runs=60)
    second = records.assign(task="b", run=records.run + 1000)
    both = pd.concat([records, second], ignore_index=True)
    facts = pd.concat([tasks, tasks.assign(task="b")], ignore_index=True)
    by_task = binned_surface(both, facts, "raw", "task", SMALL)
    assert set(by_task.group) == {"a", "b"}
    by_domain = binned_surface(both, facts, "raw", "domain", SMALL)
    assert set(by_domain.group) == {"d"}
    one = by_task[by_task.group == "a"]
    np.testing.assert_array_equal(by_domain.visits, 2 * np.asarray(one.visits))
    same = np.asarray(one.visited) & np.isfinite(np.asarray(one.rate))
    np.testing.assert_allclose(by_domain.rate[same], np.asarray(one.rate)[same])


def test_intervals_of_a_bin_cover_the_truth():
    """The mean of ε' in a bin of 400 runs: 95 % intervals of 40 data sets; fewer than 32 right
    ones of 40 are once in 10,000 (binomial)."""
    right = 0
    for seed in range(40):
        records, tasks = made(runs=200, epochs=1, seed=seed, rate=lambda _, lr: 1.0 + 0 * lr)
        records = records.assign(loss_running=1.0, loss_full=1.0)
        bins = Bins(loss=2, epoch=2, lr=2, least=3)
        table = binned_surface(records, tasks, "raw", "task", bins)
        row = table[table.visited].iloc[0]
        truth = -np.log(np.exp(0.1**2 / 2))
        right += row.return_low <= truth <= row.return_high
    assert right >= 32


def test_records_of_one_trajectory_only():
    records, tasks = made(runs=20)
    one = records.assign(lr=0.1 / (1 + records.epoch))
    with pytest.raises(ValueError, match="one trajectory only"):
        binned_surface(one, tasks)


def test_tasks_without_the_needed_features(sample):
    records, tasks = sample
    for estimate in (binned_surface, outcome_surface, response_surface):
        with pytest.raises(ValueError, match="the task table lacks epochs"):
            estimate(records, tasks.drop(columns="epochs"))
    with pytest.raises(ValueError, match="no chance_loss for wine"):
        binned_surface(records, tasks.assign(chance_loss=[np.nan, 1.0]))


def test_bins_that_make_no_sense():
    with pytest.raises(ValueError, match="lr must be >= 2, got 1"):
        Bins(lr=1)


def test_candidates_of_a_cell_are_one_visit_before_they_part(sample):
    records, tasks = sample
    shared = (records.cell >= 0) & (records.epoch < records.branch)
    once = records[~shared | ~records.duplicated(["task", "cell", "seed", "epoch"])]
    assert len(once) == len(records) - shared.sum() * 4 / 5
    for all_of, kept in zip(
        to_visits(records, tasks, "raw", "task"), to_visits(once, tasks, "raw", "task"), strict=True
    ):
        assert np.array_equal(np.unique(all_of, return_inverse=True)[1],
                              np.unique(kept, return_inverse=True)[1])  # fmt: skip


def test_nothing_but_blown_up_networks_is_no_data(sample):
    records, tasks = sample
    with pytest.raises(ValueError, match="no data"):
        binned_surface(records.assign(loss_full=100.0), tasks)


def test_no_epoch_is_lost_between_relative_bins():
    records, tasks = made(runs=30, epochs=20)
    table = binned_surface(records, tasks, "relative", "task", Bins(loss=2, epoch=5, lr=2))
    visits = table.groupby("epoch_low").visits.sum()
    assert visits.max() < 1.2 * visits.min()
