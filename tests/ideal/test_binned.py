"""Surfaces of records against naive references, and what must not be made up."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from psi.ideal.binned import Bins, at_point, binned_surface, to_visits
from psi.ideal.grid import Grid, binned, medians, runs_in, weights
from psi.ideal.identify import identifiability
from psi.ideal.outcomes import outcome_surface
from psi.ideal.smooth import smooth_surface
from psi.ideal.surface import response_surface
from psi.lab.data.store import read_records, read_tasks

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
SMALL = Bins(loss=4, epoch=3, lr=4, least=3)


@pytest.fixture(scope="module")
def sample():
    return read_records(SAMPLE), read_tasks(SAMPLE)


def made(runs=400, epochs=4, seed=0, rate=lambda loss, lr: loss * (0.3 + (np.log(lr) + 1) ** 2)):
    """Records of one task: the loss goes from ε to rate(ε, α), with noise of 10 %."""
    rng = np.random.default_rng(seed)
    rows = []
    for run in range(runs):
        loss = np.exp(rng.normal(0, 0.5))
        for i in range(epochs):
            lr = np.exp(rng.uniform(-2.5, 0.5))
            after = rate(loss, lr) * np.exp(rng.normal(0, 0.1))
            rows.append(
                {
                    "task": "a", "run": run, "seed": run % 8, "epoch": i, "lr": lr,
                    "cell": -1, "branch": -1,
                    "loss_running": loss, "loss_full": loss, "loss_next": after,
                    "val_loss": after, "test_accuracy": 0.9 if lr < 0.3 else 0.5,
                }
            )  # fmt: skip
            loss = min(after, 3.0)
    tasks = pd.DataFrame(
        {"task": ["a"], "domain": ["d"], "floor": [0.0], "chance_loss": [50.0], "epochs": [epochs],
         "criterion": [0.2], "steps": [7], "network": ["mlp"]}
    )  # fmt: skip
    return pd.DataFrame(rows), tasks


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
    assert at_point(table, 1e-9, 0, 0.1) is None
    hit = table[table.visited].iloc[0]
    found = at_point(table, hit.loss, hit.epoch, hit.lr, hit.group)
    assert found is not None
    assert found.runs == hit.runs
    assert at_point(table, hit.loss, hit.epoch, hit.lr, "another") is None


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


def test_a_smooth_model_finds_the_peak_and_predicts_only_where_runs_have_been():
    """ε' = ε (0.3 + (log α + 1)²): the best rate is e^−1 at every loss and epoch."""
    records, tasks = made()
    bins = Bins(loss=4, epoch=2, lr=8, least=3)
    table = binned_surface(records, tasks, "raw", "task", bins)
    table, choices = smooth_surface(records, tasks, table, "raw", "task", bins)
    assert set(choices) == {"a"}
    errors = dict(choices["a"].held_out_error)
    assert choices["a"].model == min(errors, key=lambda name: errors[name])
    assert np.isfinite(table.smooth[table.visited]).all()
    assert table.smooth[~table.visited].isna().all()
    for _, cell in table[table.visited].groupby(["loss_low", "epoch_low"]):
        if len(cell) == 8:
            best = cell.iloc[int(np.argmax(cell.smooth))]
            assert best.lr_low / 1.5 < np.exp(-1) < best.lr_high * 1.5


def test_too_few_bins_for_a_model_are_left_empty():
    records, tasks = made(runs=6)
    bins = Bins(loss=2, epoch=2, lr=2, least=2)
    table = binned_surface(records, tasks, "raw", "task", bins)
    table, choices = smooth_surface(records, tasks, table, "raw", "task", bins)
    assert not choices
    assert table.smooth.isna().all()


def test_outcomes_against_a_loop(sample):
    records, tasks = sample
    table = outcome_surface(records, tasks, Bins(loss=2, epoch=3, lr=4, least=3))
    facts = tasks.set_index("task")
    assert table.visited.sum() > 5
    for row in table[table.visited].itertuples():
        row: Any = row
        own = records[records.task == row.task].astype({"lr": float})
        here = own[
            (own.epoch >= row.epoch_low) & (own.epoch < row.epoch_high)
            & (own.lr >= row.lr_low) & (own.lr < row.lr_high)
        ]  # fmt: skip
        ends = dict(iter(own.groupby("run")))
        times, accuracies, met = [], [], []
        for run in here.run:
            reached = ends[run].val_loss <= facts.criterion[row.task]
            times.append(ends[run].epoch[reached].min() + 1 if reached.any() else np.inf)
            met.append(reached.any())
            accuracies.append(ends[run].test_accuracy.iloc[-1])
        assert row.reliability == pytest.approx(np.mean(met))
        assert row.accuracy == pytest.approx(np.mean(accuracies), abs=1e-6)
        assert row.time == np.sort(times)[(len(times) - 1) // 2]
        assert row.steps == row.time * facts.steps[row.task]
        assert row.reliability_low <= row.reliability <= row.reliability_high


def test_a_task_without_a_criterion_has_no_time_but_an_accuracy(sample):
    records, tasks = sample
    table = outcome_surface(records, tasks.assign(criterion=[np.nan, 0.5]))
    lost, known = (table[table.visited & (table.task == name)] for name in tasks.task)
    assert lost[["time", "time_low", "steps", "reliability", "reliability_high"]].isna().all().all()
    assert lost.accuracy.notna().all()
    assert known.reliability.notna().all()


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


def table_of(loss, epoch, lr, tasks=6):
    return pd.DataFrame(
        {
            "task": [f"t{k % tasks}" for k in range(len(loss))], "loss": loss, "initial_loss": 1.0,
            "epoch": epoch, "epochs": 10, "lr": lr, "log_lr_error": 0.05, "sure": True,
        }
    )  # fmt: skip


def test_one_curve_tells_nothing_apart_and_a_cloud_does():
    rng = np.random.default_rng(0)
    epoch = rng.integers(0, 10, 120)
    curve = 1 / (1 + epoch)
    told = identifiability(table_of(curve, epoch, curve))
    assert told.condition == np.inf
    assert "not told apart" in told.verdict
    loss = np.exp(rng.uniform(-3, 0, 120))
    told = identifiability(table_of(loss, epoch, 0.3 * loss**0.7 * (1 - epoch / 12)))
    assert told.condition < 1.5
    assert told.error_both < 0.5 * min(told.error_loss, told.error_epoch)
    assert told.error_loss < told.error_epoch < 1.05 * told.error_constant
    assert told.left_out == "task"
    assert told.verdict.endswith("best from both")


def test_noise_is_not_predicted():
    rng = np.random.default_rng(1)
    loss, epoch = np.exp(rng.uniform(-3, 0, 120)), rng.integers(0, 10, 120)
    told = identifiability(table_of(loss, epoch, np.exp(rng.normal(size=120)), tasks=2))
    assert told.left_out == "cell"
    assert told.error_constant < 1.1 * min(told.error_loss, told.error_epoch, told.error_both)


def test_what_cannot_be_told():
    loss, epoch = np.linspace(0.1, 1, 30), np.arange(30) % 10
    with pytest.raises(ValueError, match="got 0 of 30"):
        identifiability(table_of(loss, epoch, loss).assign(sure=False))
    with pytest.raises(ValueError, match="all 30 cells are at one epoch"):
        identifiability(table_of(loss, 3, loss))
