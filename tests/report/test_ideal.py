"""The figures of psi ideal, from small tables and from awkward ones."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from psi.ideal.binned import Bins, binned_surface
from psi.ideal.outcomes import outcome_surface
from psi.lab.data.store import read_records, read_tasks
from psi.report import ideal as figures

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
BINS = Bins(loss=4, epoch=3, lr=4, least=3)


@pytest.fixture(scope="module")
def sample():
    return read_records(SAMPLE), read_tasks(SAMPLE)


def test_gain_by_task(sample, drawn, tmp_path):
    """A column a task; what was not visited is not drawn; the line joins each loss's best rate."""
    records, tasks = sample
    table = binned_surface(records, tasks, "raw", "task", BINS, resamples=2)
    figures.gain_figure(table, tmp_path / "surface.png")
    *axes, _ = drawn().axes
    assert [axis.get_title() for axis in axes] == ["wine", "teacher-0", "", ""]
    early = table[(table.group == "wine") & (table.epoch_high <= 3)]
    known = early[early.visited & np.isfinite(early.rate)]
    bins = np.ma.filled(axes[0].collections[0].get_array(), np.nan)
    assert np.isfinite(bins).sum() == len(known.drop_duplicates(["loss_low", "lr_low"]))
    assert bins[np.isfinite(bins)].max() <= known.rate.max() + 1e-9


def test_relief_of_the_pooled_surface(sample, drawn, tmp_path):
    records, tasks = sample
    pooled = binned_surface(records, tasks, "relative", "pooled", BINS, resamples=2)
    figures.relief_figure(pooled, tmp_path / "relief.png")
    titles = [axis.get_title() for axis in drawn().axes]
    assert titles[:3] == ["i/T from 0.0 to 0.3", "i/T from 0.3 to 0.7", "i/T from 0.7 to 1.0"]


@pytest.mark.parametrize(("criterion", "met"), [(10.0, True), (0.0, False)])
def test_outcomes_also_where_nobody_met_the_criterion(sample, criterion, met, drawn, tmp_path):
    records, tasks = sample
    table = outcome_surface(records, tasks.assign(criterion=criterion), BINS)
    figures.outcomes_figure(table, tmp_path / "outcomes.png")
    axes = drawn().axes[:6]
    assert {axis.get_title() for axis in axes[:2]} == {"wine", "teacher-0"}
    name = axes[0].get_title()
    never, times = (np.ma.filled(c.get_array(), np.nan) for c in axes[0].collections)
    own = table[table.task == name]
    assert np.isfinite(never).sum() == np.isinf(own.time).sum()
    assert np.isfinite(times).sum() == np.isfinite(own.time).sum()
    assert (np.isfinite(times).sum() > 0) == met


def ideal_table(sure):
    rng = np.random.default_rng(0)
    lr = np.exp(rng.normal(-1, 0.5, 12))
    return pd.DataFrame(
        {
            "task": "a", "label": ["linear-1", "linear-end"] * 6, "sure": sure, "epoch": range(12),
            "epochs": 12, "loss": np.linspace(0.1, 1.2, 12), "initial_loss": 1.0, "lr": lr,
            "lr_low": lr / 1.5, "lr_high": lr * 2,
        }
    )  # fmt: skip


@pytest.mark.parametrize("sure", [True, False])
def test_ideal_rates_also_where_none_is_sure(sure, drawn, tmp_path):
    table = ideal_table(sure)
    figures.ideal_figure(table, tmp_path / "ideal.png")
    axes = drawn().axes[:4]  # then the colour bars
    count = 6 if sure else 0
    titles = [axis.get_title() for axis in axes]
    assert titles == [f"linear-1: {count} of 6 cells", "", f"linear-end: {count} of 6 cells", ""]
    if sure:
        dots = axes[0].collections[-1].get_offsets()
        own = table[table.label == "linear-1"]
        np.testing.assert_allclose(dots, np.c_[own.epoch / own.epochs, own.lr])
    else:
        assert [axis.texts[0].get_text() for axis in axes] == ["no sure cell"] * 4


def test_networks_that_have_blown_up_are_left_out(drawn, tmp_path):
    figures.ideal_figure(ideal_table(True).assign(loss=2.1), tmp_path / "ideal.png")
    assert drawn().axes[0].get_title() == "linear-1: 0 of 6 cells"


NAMES = [f"task-{k}" for k in range(12)]


def test_bias_of_more_tasks_than_colours(drawn, tmp_path):
    rows = [
        {"task": name, "horizon": h, "mean_lr": 0.1 * h, "regret": 1 / h, "regret_low": 0.9 / h,
         "regret_high": 1.2 / h}
        for name in NAMES
        for h in (1, 4, 20)
    ]  # fmt: skip
    figures.bias_figure(pd.DataFrame(rows), tmp_path / "bias.png")
    left, right = drawn().axes
    assert [line.get_label() for line in left.lines] == NAMES
    assert [line.get_linestyle() for line in left.lines] == ["-"] * 10 + ["--"] * 2
    np.testing.assert_allclose(left.lines[0].get_xydata(), [[1, 0.1], [4, 0.4], [20, 2.0]])
    labels = [label.get_text() for label in right.get_xticklabels()]
    assert labels == ["1", "2", "5", "10", "20"]


def test_headroom_is_a_bar_a_task_the_smallest_first(drawn, tmp_path):
    headroom = np.linspace(0.6, -0.1, 12)
    table = pd.DataFrame(
        {"task": NAMES, "headroom": headroom, "headroom_low": -0.2, "headroom_high": 0.7,
         "score_constant": -1.0, "score_linear": -1.2}
    )  # fmt: skip
    figures.headroom_figure(table, tmp_path / "headroom.png")
    (axis,) = drawn().axes
    np.testing.assert_allclose([bar.get_width() for bar in axis.patches], headroom[::-1])
    assert [label.get_text() for label in axis.get_yticklabels()] == NAMES[::-1]
    linear = next(line for line in axis.lines if line.get_label() == "tuned linear")
    np.testing.assert_allclose(linear.get_xdata(), np.full(12, 0.2))
