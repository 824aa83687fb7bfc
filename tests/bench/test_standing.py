"""The table of a run of a suite, from records that are made by hand."""

import numpy as np
import pandas as pd
import pytest

from psi.bench.contestants import OWN, TUNED
from psi.bench.standing import REFERENCE, final_runs, scores_of, standings
from psi.lab.data import store

SEEDS, DOMAINS = 10, 6
RNG = np.random.default_rng(0)
NOISE = RNG.normal(0, 0.02, (DOMAINS, SEEDS))  # shared by methods, as runs share their seeds


def part(folder, task, method, loss, optimizer="adam", tuning_score=np.nan, runs=0):
    """Two epochs of every seed; the last one ends at `loss` + noise, the first at 5."""
    end = loss + NOISE[task] if isinstance(loss, float) else loss
    frame = pd.DataFrame(
        {
            "optimizer": optimizer, "task": task, "method": method, "name": f"task-{task}",
            "domain": f"domain-{task}", "floor": 0.0, "chance_loss": 1.0, "rate": 0.1,
            "tuning_runs": runs, "tuning_score": tuning_score,
            "seed": np.repeat(np.arange(SEEDS), 2), "epoch": np.tile([0, 1], SEEDS), "lr": 0.1,
            "train_loss": 1.0, "val_loss": np.stack([np.full(SEEDS, 5.0), end], 1).reshape(-1),
            "accuracy": 0.5,
        }
    )  # fmt: skip
    store.write_part(folder, f"part-{optimizer}-{task:03d}-{method.replace(', ', '_')}", frame)


@pytest.fixture
def folder(tmp_path):
    with store.locked(tmp_path):
        store.open_config(tmp_path, {"suite": "by hand"})
        for task in range(DOMAINS):
            best = "linear" if task % 2 else "cosine"
            for name in ("constant", "linear", "cosine"):
                loss = 0.2 if name == best else 0.3
                part(tmp_path, task, name + TUNED, loss, tuning_score=-loss, runs=100)
            part(tmp_path, task, "half", 0.1)
            part(tmp_path, task, "twice", 0.4, OWN)
            part(tmp_path, task, "dead", np.full(SEEDS, np.nan))
    return tmp_path


def test_the_reference_is_chosen_on_the_tuning_seeds_alone(folder):
    """Here that choice is the worse one: its score on the tuning seeds is the lowest."""
    ends = final_runs(folder)
    reference = ends[ends.method == REFERENCE]
    assert len(reference) == DOMAINS * SEEDS
    np.testing.assert_allclose(reference.val_loss, 0.3 + NOISE.reshape(-1))
    assert set(reference.tuning_runs) == {300}


def test_regrets_and_shares_are_those_by_hand(folder):
    rows = {row.method: row for row in standings(folder)}

    def y(loss):
        return np.log(np.clip((loss + NOISE).mean(1), 0, 2) + 0.01)

    np.testing.assert_allclose(rows["half"].regret, (y(0.1) - y(0.3)).mean(), rtol=1e-9)
    assert rows["half"].low < rows["half"].regret < rows["half"].high < 0
    assert rows["half"].p < 0.05
    assert rows["half"].better == 1.0
    assert rows["twice"].regret > 0  # it brings its own optimizer, and stands here all the same
    assert rows["dead"].reliability == 0
    np.testing.assert_allclose(rows["dead"].regret, np.log(2.01) - y(0.3).mean(), rtol=1e-9)
    assert rows[REFERENCE].regret == 0
    assert np.isnan(rows[REFERENCE].p)
    regrets = [row.regret for row in standings(folder)]
    assert regrets == sorted(regrets)


def test_a_method_that_missed_a_task_has_no_row(folder):
    ends = final_runs(folder)
    some = ends[(ends.method != "half") | (ends.task != 3)]
    assert "half" not in scores_of(some).methods
    assert "twice" in scores_of(some).methods


def test_few_domains_give_figures_without_intervals(folder):
    for path in [*folder.rglob("part-*-00[0-2]-*")]:
        path.unlink()
    rows = {row.method: row for row in standings(folder)}
    assert rows["half"].regret < 0
    assert np.isnan([rows["half"].low, rows["half"].high, rows["half"].p]).all()


def test_without_a_tuned_schedule_there_is_nothing_to_compare_with(tmp_path):
    with store.locked(tmp_path):
        store.open_config(tmp_path, {"suite": "by hand"})
        part(tmp_path, 0, "half", 0.1)
    with pytest.raises(ValueError, match="holds no tuned schedule to compare with"):
        standings(tmp_path)
