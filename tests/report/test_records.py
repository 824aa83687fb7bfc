"""The picture of a data set, where some runs diverged or all of them did."""

from pathlib import Path

import numpy as np
import pytest

from psi.lab.data.store import read_records, read_tasks
from psi.report.records import records_figure

SAMPLE = Path(__file__).parents[2] / "data" / "sample"


@pytest.mark.parametrize("criterion", [None, np.nan, 0.0])
def test_a_picture_is_drawn_whatever_the_criterion(tmp_path, criterion):
    tasks, records = read_tasks(SAMPLE), read_records(SAMPLE)
    if criterion is not None:
        tasks["criterion"] = criterion
    path = tmp_path / "data.png"
    records_figure(tasks, records, path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size > 10_000


def test_where_every_run_of_a_task_diverged(tmp_path):
    tasks, records = read_tasks(SAMPLE), read_records(SAMPLE)
    lost = records.task == "wine"
    records.loc[lost, ["loss_next", "val_loss"]] = np.nan
    records.loc[lost, "outcome"] = "diverged"
    tasks.loc[tasks.task == "wine", "criterion"] = np.nan
    records_figure(tasks, records, tmp_path / "data.png")
    assert (tmp_path / "data.png").stat().st_size > 10_000
