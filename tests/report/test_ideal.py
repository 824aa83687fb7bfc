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


def drawn(path):
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size > 8_000


@pytest.fixture(scope="module")
def sample():
    return read_records(SAMPLE), read_tasks(SAMPLE)


def test_surfaces(sample, tmp_path):
    records, tasks = sample
    by_task = binned_surface(records, tasks, "raw", "task", BINS, resamples=2)
    figures.surface_figure(by_task, tmp_path / "surface.png")
    drawn(tmp_path / "surface.png")
    pooled = binned_surface(records, tasks, "relative", "pooled", BINS, resamples=2)
    figures.relief_figure(pooled, tmp_path / "relief.png")
    drawn(tmp_path / "relief.png")


def test_outcomes_also_where_nobody_met_the_criterion(sample, tmp_path):
    records, tasks = sample
    for number, criterion in enumerate((tasks.criterion, 0.0)):
        table = outcome_surface(records, tasks.assign(criterion=criterion), BINS)
        figures.outcomes_figure(table, tmp_path / f"{number}.png")
        drawn(tmp_path / f"{number}.png")


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
def test_ideal_rates_also_where_none_is_sure(sure, tmp_path):
    figures.ideal_figure(ideal_table(sure), tmp_path / "ideal.png")
    drawn(tmp_path / "ideal.png")


def test_bias_of_more_tasks_than_colours_and_headroom(tmp_path):
    names = [f"task-{k}" for k in range(12)]
    rows = [
        {"task": name, "horizon": h, "mean_lr": 0.1 * h, "regret": 1 / h, "regret_low": 0.9 / h,
         "regret_high": 1.2 / h}
        for name in names
        for h in (1, 4, 20)
    ]  # fmt: skip
    figures.bias_figure(pd.DataFrame(rows), tmp_path / "bias.png")
    drawn(tmp_path / "bias.png")
    table = pd.DataFrame(
        {"task": names, "headroom": np.linspace(-0.1, 0.6, 12), "headroom_low": -0.2,
         "headroom_high": 0.7, "score_constant": -1.0, "score_linear": -1.2}
    )  # fmt: skip
    figures.headroom_figure(table, tmp_path / "headroom.png")
    drawn(tmp_path / "headroom.png")
