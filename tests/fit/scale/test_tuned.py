"""Scores, references, targets and grids of an atlas, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from psi.fit.scale.regret import regret_at
from psi.fit.scale.table import Atlas, read_atlas
from psi.fit.scale.tuned import Target, tuned_tasks
from tests.fit.scale.planted import EXTRA, OFFSETS, RATES, planted

SMALL = planted(0, domains=3, each=4)


def saved(folder, atlas):
    for name, table in atlas._asdict().items():
        table.to_parquet(folder / f"{name}.parquet")
    return folder


def test_best_rates_are_those_planted():
    """Without noise, and with the valley as steep above as below, the parabola is exact."""
    made = planted(0, domains=6, each=20, noise=1e-4)
    tasks = tuned_tasks(made.atlas, "adam", "validation")
    for schedule, offset in OFFSETS.items():
        best = tasks.best[schedule]
        off = best.log_rate - made.log_rate - offset
        # Three times as steep above: the parabola's least lies below, by a third of a step.
        assert np.abs(off[best.interior] + 0.2).max() < 0.2


def test_the_reference_is_the_best_of_all_schedules():
    made = planted(0, domains=6, each=20, noise=1e-4)
    tasks = tuned_tasks(made.atlas, "adam", "validation")
    for schedule, extra in EXTRA.items():
        least = tasks.best[schedule].score - tasks.best["linear"].score
        assert np.median(least) == pytest.approx(extra, abs=0.01)
        lost = regret_at(tasks.curves[schedule], made.log_rate + OFFSETS[schedule])
        assert np.median(lost) == pytest.approx(extra, abs=0.06)


def test_what_diverged_counts_with_the_cap():
    """y = log(2Δ + 0.01Δ) against a reference of about log(0.1 Δ): log(2.01/0.1) = 3.0 nats."""
    for bad in (np.inf, np.nan, 1e9):
        runs = SMALL.atlas.runs.copy()
        runs.loc[np.isinf(runs.val_loss), "val_loss"] = bad
        tasks = tuned_tasks(Atlas(SMALL.atlas.tasks, runs), "adam", "validation")
        lost = regret_at(tasks.curves["linear"], np.full(12, np.log(RATES[-1])))
        over = SMALL.log_rate + 2.5 < np.log(RATES[-1])
        np.testing.assert_allclose(lost[over], np.log(2.01 / 0.1), atol=0.2)
        assert over.sum() == 8


def test_the_target_decides_which_loss_and_streams_have_one():
    runs = SMALL.atlas.runs.copy()
    runs["train_loss"] = runs.groupby(["task", "schedule"]).val_loss.shift(1)
    runs.loc[runs.train_loss.isna(), "train_loss"] = 99.0
    atlas = Atlas(SMALL.atlas.tasks, runs)
    by = {target: tuned_tasks(atlas, "adam", target) for target in ("train", "validation")}
    stream = SMALL.atlas.tasks.stream.to_numpy()
    step = np.log(RATES[1] / RATES[0])
    moved = by["train"].best["linear"].log_rate - by["validation"].best["linear"].log_rate
    np.testing.assert_allclose(moved[~stream], step, atol=0.1)  # the errors stay where they were
    np.testing.assert_allclose(moved[stream], 0, atol=1e-9)


def test_grids_may_be_longer_for_some_tasks():
    """A task that was extended and one that was not stand on one grid; what was not tried is held
    at the edge and rises by a nat for each nat."""
    runs = SMALL.atlas.runs
    short = runs[~((runs.task == 103) & (runs.rate < RATES[5]))]
    tasks = tuned_tasks(Atlas(SMALL.atlas.tasks, short), "adam", "validation")
    whole = tuned_tasks(SMALL.atlas, "adam", "validation")
    edge = np.full(12, np.log(RATES[5]))
    lost = regret_at(tasks.curves["linear"], edge - 1.5) - regret_at(tasks.curves["linear"], edge)
    assert lost[3] == pytest.approx(1.5, abs=0.02)
    others = np.arange(12) != 3
    for t, w in zip(tasks.best["linear"], whole.best["linear"], strict=True):
        np.testing.assert_allclose(t[others], w[others])


def rounded(tasks, runs):
    return tasks, runs.assign(rate=runs.rate * (1 + 1e-5 * np.sin(np.arange(len(runs)))))


TABLES = {
    "rates of single precision": lambda t, r: (t, r.astype({"rate": "float32"})),
    "rates written with rounding": rounded,
    "rows in any order": lambda t, r: (t, r.sample(frac=1, random_state=0)),
    "names as categories": lambda t, r: (
        t.astype({"domain": "category"}),
        r.astype({"schedule": "category", "optimizer": "category"}),
    ),
    "stream as a number": lambda t, r: (t.astype({"stream": int}), r),
    "counts of small integers": lambda t, r: (
        t.astype({"task": "int32", "parameters": "int32", "batch": "int16"}),
        r.astype({"task": "int32"}),
    ),
    "single precision losses": lambda t, r: (t, r.astype({"val_loss": "float32"})),
    "another index": lambda t, r: (t.set_index(t.index + 50), r.set_index(r.index * 2)),
    "columns and schedules that nobody asked for": lambda t, r: (
        t.assign(description="{}"),
        pd.concat([r, r[r.schedule == "linear"].assign(schedule="one_cycle")]),
    ),
    "runs of other optimizers": lambda t, r: (
        t,
        pd.concat([r, r.assign(optimizer="sgd", rate=r.rate * 3.3)]),
    ),
    "runs of tasks that are not in the table": lambda t, r: (
        t,
        pd.concat([r, r[r.task == 101].assign(task=999)]),
    ),
    "losses without errors": lambda t, r: (t, r.assign(train_error=np.nan)),
    "diverged to nothing": lambda t, r: (t, r.replace({"val_loss": {np.inf: np.nan}})),
}


@pytest.mark.parametrize("kind", TABLES)
def test_kind_of_tables(tmp_path, kind):
    """However the same numbers are written, the same regrets are read."""
    found = read_atlas(saved(tmp_path, Atlas(*TABLES[kind](*SMALL.atlas))))
    one, other = (tuned_tasks(each, "adam", "validation") for each in (SMALL.atlas, found))
    assert len(other.curves["linear"].knots) == 17 + 4
    for x in (-6.0, -3.3, 0.0):
        np.testing.assert_allclose(
            *(regret_at(t.curves["cosine"], np.full(12, x)) for t in (one, other)), atol=1e-4
        )
    np.testing.assert_allclose(one.facts, other.facts)
    assert one.domain.tolist() == other.domain.tolist()


def test_rates_on_no_common_grid_are_refused():
    runs = SMALL.atlas.runs
    apart = runs.assign(rate=runs.rate * np.exp(0.05 * (runs.task - 100)))
    with pytest.raises(ValueError, match="one grid of at most 200 rates, got 204"):
        tuned_tasks(Atlas(SMALL.atlas.tasks, apart), "adam", "validation")


def test_a_task_with_too_few_rates_is_refused():
    runs = SMALL.atlas.runs
    few = runs[(runs.task != 105) | (runs.schedule != "cosine") | (runs.rate < RATES[4])]
    with pytest.raises(ValueError, match="task 105 has 4 of cosine"):
        tuned_tasks(Atlas(SMALL.atlas.tasks, few), "adam", "validation")
    without = runs[(runs.task != 105) | (runs.schedule != "linear")]
    with pytest.raises(ValueError, match="has 0 of linear"):
        tuned_tasks(Atlas(SMALL.atlas.tasks, without), "adam", "validation")


def test_tasks_without_runs_of_an_optimizer_are_not_among_its_tasks():
    """Which leaves the others as they are; an optimizer that no task has is unknown."""
    runs = SMALL.atlas.runs
    fewer = tuned_tasks(Atlas(SMALL.atlas.tasks, runs[runs.task != 105]), "adam", "train")
    whole = tuned_tasks(SMALL.atlas, "adam", "train")
    kept = SMALL.atlas.tasks.task.to_numpy() != 105
    np.testing.assert_array_equal(fewer.reference, whole.reference[kept])
    assert len(fewer.facts) == kept.sum() < len(kept)
    with pytest.raises(ValueError, match="unknown optimizer 'sgd'"):
        tuned_tasks(SMALL.atlas, "sgd", "validation")


def test_a_floor_that_nobody_knows_lies_below_the_best_run_of_the_domain():
    tasks = SMALL.atlas.tasks.copy()
    tasks.loc[1, "floor"] = np.nan
    made = tuned_tasks(Atlas(tasks, SMALL.atlas.runs), "adam", "validation")
    alike = SMALL.atlas.runs.task.isin([100, 101, 102, 103])
    least = SMALL.atlas.runs[alike].val_loss.min()
    own = SMALL.atlas.runs[SMALL.atlas.runs.task == 101].val_loss.min()
    assert least < own
    floor = least - 0.1 * (tasks.chance_loss[1] - least)
    span = tasks.chance_loss[1] - floor
    best = min(each.score[1] for each in made.best.values())
    assert best == pytest.approx(np.log(own - floor + 0.01 * span), abs=0.1)


def test_fixed_rows_can_be_learnt_by_heart_whatever_the_floor_of_others():
    tasks = SMALL.atlas.tasks.copy()
    tasks.loc[5, "floor"] = np.nan
    made = tuned_tasks(Atlas(tasks, SMALL.atlas.runs), "adam", "train")
    same = tuned_tasks(SMALL.atlas, "adam", "train")
    assert tasks.stream[5] == 0
    np.testing.assert_array_equal(made.best["linear"].score, same.best["linear"].score)


def test_a_chance_loss_below_the_floor_is_refused():
    tasks = SMALL.atlas.tasks.assign(floor=9.0)
    with pytest.raises(ValueError, match=r"above the floor, got .* and 9 of task 100"):
        tuned_tasks(Atlas(tasks, SMALL.atlas.runs), "adam", "validation")


def test_each_target_has_the_chance_loss_of_its_rows():
    atlas = planted(0, domains=6, each=4).atlas
    higher = atlas.tasks.assign(train_chance_loss=3 * atlas.tasks.train_chance_loss)
    other = atlas._replace(tasks=higher)
    expected: tuple[tuple[Target, bool], ...] = (("validation", True), ("train", False))
    for target, same in expected:
        one, two = (tuned_tasks(each, "adam", target).curves["linear"] for each in (atlas, other))
        assert np.array_equal(one.coefficients, two.coefficients) == same
