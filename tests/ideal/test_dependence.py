"""Shares and slopes recovered from labels whose sources of variance are known."""

import numpy as np
import pandas as pd
import pytest

from psi.ideal.dependence import PARTS, counted, slopes, state_shares


def labels(seed=0, tasks=60, cells=14, between=1.0, time=2.0, loss=0.5, own=0.4, else_=0.3,
           noise=0.2):  # fmt: skip
    """y = a_task − time τ² + (loss + own_task) l + else + noise, l independent of τ."""
    rng = np.random.default_rng(seed)
    task = np.arange(tasks).repeat(cells)
    tau = rng.integers(0, 20, len(task)) / 20
    fallen = rng.normal(-1, 1, len(task))
    slope = loss + own * rng.normal(size=tasks)
    y = between * rng.normal(size=tasks)[task] - time * tau**2 + slope[task] * fallen
    y += else_ * rng.normal(size=len(task)) + noise * rng.normal(size=len(task))
    return pd.DataFrame({
        "task": task, "domain": task % 7, "epoch": tau * 20, "epochs": 20.0,
        "loss": 2 * np.exp(fallen), "initial_loss": 2.0, "lr": np.exp(y),
        "log_lr_error": noise, "sure": True,
    })  # fmt: skip


def test_each_source_has_its_share():
    found = np.mean([state_shares(labels(seed)).share for seed in range(6)], axis=0)
    tau = np.arange(20) / 20
    # Between tasks, also the mean of their own slope × l, whose mean is −1.
    parts = [1.0 + 0.16, 4 * (tau**2).var(), 0.25, 0.16, 0.04, 0.09]
    assert found == pytest.approx(np.array(parts) / sum(parts), abs=0.03)
    assert found.sum() == pytest.approx(1)


def test_intervals_cover_about_as_often_as_they_say():
    """40 data sets: an interval of 95 % misses more than 6 times once in 300 such tests."""
    tau = np.arange(20) / 20
    parts = np.array([1.0 + 0.16, 4 * (tau**2).var(), 0.25, 0.16, 0.04, 0.09])
    truth = parts / parts.sum()
    tables = [state_shares(labels(100 + seed, tasks=40)) for seed in range(40)]
    missed = sum(not (t.low[2] <= truth[2] <= t.high[2]) for t in tables)
    assert missed <= 6


def test_slopes_have_the_sign_that_they_were_made_with():
    made = slopes(labels(1, own=0.0, loss=-0.8, else_=0.05, noise=0.05))
    assert set(made.sign) == {"−"}
    assert made.slope.mean() == pytest.approx(-0.8, abs=0.02)
    unsure = slopes(labels(2, loss=0.0, own=0.0))
    assert (unsure.sign == "?").mean() > 0.85
    assert list(made.columns[:3]) == ["task", "domain", "cells"]


def test_without_dependence_there_is_none():
    found = state_shares(labels(3, time=0.0, loss=0.0, own=0.0)).set_index("part").share
    assert found["by epoch"] < 0.02
    assert found["by loss"] < 0.02
    assert found["by loss, each task its own"] < 0.03


def test_unsure_labels_and_short_tasks_do_not_count():
    made = labels(4)
    made.loc[made.task == 0, "sure"] = False
    made.loc[(made.task == 1) & (made.index % 14 > 4), "sure"] = False
    made.loc[made.task == 2, "loss"] = np.inf
    assert set(counted(made).task) == set(range(3, 60))
    with pytest.raises(ValueError, match="at least 3 tasks with 6 sure labels, got 2"):
        state_shares(made[made.task.isin([0, 1, 2, 3, 4])])
    assert list(state_shares(made).part) == list(PARTS)


def test_few_cells_a_task_are_not_taken_for_what_tasks_differ_in():
    found = [
        state_shares(labels(seed, cells=8, between=0.0, time=0.0, loss=0.0, own=0.0)).share
        for seed in range(6)
    ]
    means = dict(zip(PARTS, np.mean(found, axis=0), strict=True))
    assert means["between tasks"] < 0.04
    assert means["by loss, each task its own"] < 0.04


def test_labels_that_say_they_are_noisier_than_they_are_leave_nothing_else():
    found = state_shares(labels(6).assign(log_lr_error=9.0)).set_index("part").share
    assert found["else"] == 0
    assert found.sum() == pytest.approx(1)


def test_without_several_epochs_a_task_has_no_slope_beside_them():
    made = labels(7)
    made.loc[made.task == 5, "epoch"] = 3.0
    assert set(slopes(made).task) == {*range(60)} - {5}
