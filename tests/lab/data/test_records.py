"""From runs to rows, against a table written out by hand."""

from typing import Any

import numpy as np
import pytest

from psi.lab.data.records import to_frame
from psi.lab.data.trajectories import Plan
from psi.lab.engine.population import Epochs
from psi.lab.hyper import Hyper
from psi.lab.tasks.table import make_task

NAN = float("nan")


def frame(loss_next, val_loss, criterion=0.5):
    """Two lanes of two epochs, from one seed."""
    task = make_task("wine", Hyper(2))
    plan = Plan(np.ones((2, 2)), ["linear", "walk"], np.array([-1, 3]), np.array([-1, 1]))
    column: Any = np.ones((2, 2), np.float32)
    measured: list[Any] = [2 * column, np.array(loss_next), np.array(val_loss)]
    runs = Epochs(*[column] * 2, *measured, *[column] * 4)
    lane = np.array([0, 1])
    return to_frame(task, plan, lane, np.zeros(2, int), np.array([7, 8]), runs, criterion)


def test_a_row_a_run_and_epoch():
    rows = frame([[1.0, 0.5], [1.0, 0.5]], [[0.9, 0.4], [0.9, 0.6]])
    assert rows.run.tolist() == [7, 7, 8, 8]
    assert rows.epoch.tolist() == [0, 1, 0, 1]
    assert rows.family.tolist() == ["linear", "linear", "walk", "walk"]
    assert rows.cell.tolist() == [-1, -1, 3, 3]
    assert rows.branch.tolist() == [-1, -1, 1, 1]
    assert rows.outcome.tolist() == ["converged"] * 2 + ["exhausted"] * 2
    assert rows.first_bad_epoch.tolist() == [-1] * 4
    assert rows.rate.tolist() == pytest.approx([np.log(2), np.log(4)] * 2)  # the floor is 0


def test_a_run_that_diverges_is_a_row_with_its_first_bad_epoch():
    rows = frame([[1.0, NAN], [NAN, NAN]], [[0.4, NAN], [0.9, 0.1]])
    assert rows.outcome.tolist() == ["diverged"] * 4
    assert rows.first_bad_epoch.tolist() == [1, 1, 0, 0]
