"""The picture of a data set, where some runs diverged or all of them did."""

from pathlib import Path

import numpy as np
import pytest

from psi.lab.data.store import read_records, read_tasks
from psi.report.records import OUTCOMES, records_figure

SAMPLE = Path(__file__).parents[2] / "data" / "sample"


@pytest.mark.parametrize("criterion", [None, np.nan, 0.0])
def test_a_run_is_a_dot_whatever_the_criterion(criterion, drawn, tmp_path):
    tasks, records = read_tasks(SAMPLE), read_records(SAMPLE)
    if criterion is not None:
        tasks["criterion"] = criterion
    records_figure(tasks, records, tmp_path / "data.png")
    axes = drawn().axes
    assert [axis.get_title() for axis in axes] == [*tasks.task, "", ""]
    for axis, name in zip(axes, tasks.task, strict=False):
        lines = {line.get_label(): len(line.get_xdata()) for line in axis.lines}
        assert ("criterion" in lines) == (criterion is None)
        top = sum(len(each.get_offsets()) for each in axis.collections)
        runs = records[records.task == name].groupby("run").outcome.first()
        assert sum(lines.get(outcome, 0) for outcome, _ in OUTCOMES) + top == len(runs)
        for outcome in ("exhausted", "converged"):
            assert lines.get(outcome, 0) <= (runs == outcome).sum() <= lines.get(outcome, 0) + top
    median = records[records.task == "wine"].groupby("epoch").lr.median()
    np.testing.assert_allclose(axes[2].lines[0].get_ydata(), median)


def test_where_every_run_of_a_task_diverged(drawn, tmp_path):
    tasks, records = read_tasks(SAMPLE), read_records(SAMPLE)
    lost = records.task == "wine"
    records.loc[lost, ["loss_next", "val_loss"]] = np.nan
    records.loc[lost, "outcome"] = "diverged"
    tasks.loc[tasks.task == "wine", "criterion"] = np.nan
    records_figure(tasks, records, tmp_path / "data.png")
    axis = drawn().axes[list(tasks.task).index("wine")]
    top = 2 * tasks[tasks.task == "wine"].chance_loss.iloc[0]
    runs = records[lost].run.nunique()
    assert len(axis.lines) == 0
    (triangles,) = axis.collections
    np.testing.assert_allclose(triangles.get_offsets()[:, 1], np.full(runs, top), rtol=1e-6)
