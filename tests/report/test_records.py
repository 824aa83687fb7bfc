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
        dots = dict(zip(labels_of(axis), axis.lines, strict=False))
        runs = records[records.task == name].groupby("run").outcome.first()
        assert {o: len(d.get_xdata()) for o, d in dots.items()} == {
            outcome: (runs == outcome).sum() for outcome, _ in OUTCOMES
        }
        assert len(axis.lines) == len(OUTCOMES) + (criterion is None)  # its dotted line
    median = records[records.task == "wine"].groupby("epoch").lr.median()
    np.testing.assert_allclose(axes[2].lines[0].get_ydata(), median)


def labels_of(axis):
    return [line.get_label() for line in axis.lines][: len(OUTCOMES)]


def test_where_every_run_of_a_task_diverged(drawn, tmp_path):
    tasks, records = read_tasks(SAMPLE), read_records(SAMPLE)
    lost = records.task == "wine"
    records.loc[lost, ["loss_next", "val_loss"]] = np.nan
    records.loc[lost, "outcome"] = "diverged"
    tasks.loc[tasks.task == "wine", "criterion"] = np.nan
    records_figure(tasks, records, tmp_path / "data.png")
    axis = drawn().axes[list(tasks.task).index("wine")]
    top = 2 * tasks[tasks.task == "wine"].chance_loss.iloc[0]
    counts = {line.get_label(): len(line.get_xdata()) for line in axis.lines}
    runs = records[lost].run.nunique()
    assert counts == {"exhausted": 0, "converged": 0, "diverged": runs}
    np.testing.assert_allclose(axis.lines[2].get_ydata(), np.full(runs, top), rtol=1e-6)
