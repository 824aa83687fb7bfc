"""Time, accuracy and reliability against a loop over runs."""

from typing import Any

import numpy as np
import pytest

from psi.ideal.binned import Bins
from psi.ideal.outcomes import outcome_surface


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
