"""What runs of a suite came to, from records that are made by hand."""

import numpy as np
import pandas as pd
import pytest

from psi.bench.contestants import TUNED
from psi.bench.regrets import scores_of
from psi.bench.standing import standings_of
from psi.bench.suite_runs import OWN, REFERENCE, final_runs, left_out, medians
from psi.lab.data import store
from tests.bench.suite_folder import DOMAINS, NEW, NOISE, SEEDS, by_hand, part


@pytest.fixture
def folder(tmp_path):
    return by_hand(tmp_path)


def test_the_reference_is_chosen_on_the_tuning_seeds_alone(folder):
    """Here that choice is the worse one: its score on the tuning seeds is the lowest."""
    ends = final_runs(folder)
    reference = ends[ends.method == REFERENCE]
    assert len(reference) == DOMAINS * SEEDS
    np.testing.assert_allclose(reference.val_loss, 0.3 + NOISE.reshape(-1))
    assert set(reference.tuning_runs) == {300}
    assert set(reference.kind) == {"reference"}


def test_a_method_that_missed_a_task_has_no_row(folder):
    ends = final_runs(folder)
    some = ends[(ends.method != "Ψ half") | (ends.task != 3)]
    assert "Ψ half" not in scores_of(some).methods
    assert left_out(some) == {"adam: Ψ half": DOMAINS - 1, "adam: Ψ once": 1}
    assert "dog" in scores_of(some).methods


def test_an_optimizer_whose_reference_misses_a_task_is_named_and_the_others_stay(folder):
    with store.locked(folder):
        for task in range(DOMAINS):
            part(folder, task, "Ψ half", 0.1, "sgd")
            if task:
                part(folder, task, "linear" + TUNED, 0.3, "sgd", tuning_score=-1, runs=9)
    ends = final_runs(folder)
    assert {row.optimizer for row in standings_of(ends)} == {"adam"}
    missing = left_out(ends)
    assert missing["sgd: " + REFERENCE] == DOMAINS - 1
    sgd = ends[(ends.optimizer == "sgd") & (ends.method == "Ψ half")]
    assert len(sgd) == DOMAINS * SEEDS  # no task is dropped


def test_a_task_is_compared_when_all_of_its_tuned_schedules_are_there(tmp_path):
    """One that a run was stopped in has no reference: the best of a part is none."""
    folder = by_hand(tmp_path / "run")
    with store.locked(folder):
        loss = np.full(SEEDS, 0.3)
        part(folder, DOMAINS, "constant" + TUNED, loss, tuning_score=-0.3, runs=100)
        part(folder, DOMAINS, "Ψ half", loss)
    ends = final_runs(folder)
    assert set(ends[ends.method == REFERENCE].task) == set(range(DOMAINS))


def test_without_a_tuned_schedule_there_is_nothing_to_compare_with(tmp_path):
    with store.locked(tmp_path):
        store.open_config(tmp_path, {"suite": "by hand"})
        part(tmp_path, 0, "Ψ half", 0.1)
    with pytest.raises(ValueError, match="holds no tuned schedule to compare with"):
        final_runs(tmp_path)


def run_of(folder, runs, seconds=()):
    """Runs on six tasks beside a tuned schedule that ends at 0.3; method → losses of a task."""
    with store.locked(folder):
        store.open_config(folder, {"suite": "by hand"})
        for task in range(DOMAINS):
            part(folder, task, "linear" + TUNED, np.full(SEEDS, 0.3), runs=340,
                 tuning_score=np.log(0.31))  # fmt: skip
            for method, (loss, columns) in runs(task).items():
                part(folder, task, method, loss, **columns)
    if seconds:
        columns = ["optimizer", "task", "method", "seconds"]
        pd.DataFrame(seconds, columns=columns).to_csv(folder / "seconds.csv", index=False)
    return final_runs(folder)


def test_the_criterion_is_a_tenth_above_the_reference_on_the_tuning_seeds(tmp_path):
    """0.31 e^0.1 − 0.01 = 0.33260: 0.332 is there after two epochs, 0.333 never."""
    at = np.full(SEEDS, 1.0)
    curves = {"early": [0.3 * at, 9 * at, np.nan * at], "just": [at, 0.332 * at],
              "never": [at, 0.333 * at], "dead": [np.nan * at, np.nan * at]}  # fmt: skip
    ends = run_of(tmp_path, lambda _: {f"Ψ {name}": (curve, {}) for name, curve in curves.items()})
    assert set(ends.criterion.round(5)) == {0.33260}
    found = ends.groupby("method").epochs_to.agg(["min", "max"])
    wanted = {"early": 1, "just": 2, "never": np.inf, "dead": np.inf}
    assert {name: tuple(found.loc[f"Ψ {name}"]) for name in wanted} == {
        name: (epochs, epochs) for name, epochs in wanted.items()
    }


def test_costs_are_those_by_hand(tmp_path):
    """3 steps of 8 rows an epoch, 100 parameters: a gradient is 4,800 operations."""
    reached = np.full((4, SEEDS), 0.2)
    rows = {"Ψ probed": (reached, {"gradients": 5}), "search, 7 runs": (reached, {"runs": 7})}
    seconds = [("adam", task, "Ψ probed", 8.0) for task in range(DOMAINS)]
    ends = run_of(tmp_path, lambda _: rows, seconds=seconds)
    found = ends.drop_duplicates("method").set_index("method").to_dict("index")
    probed, search = found["Ψ probed"], found["search, 7 runs"]
    took = [probed[name] for name in ("epochs", "epochs_to", "steps_to", "seconds_to")]
    assert took == [4, 1, 3, 2.0]
    assert probed["operations_to"] == 4800 * (3 + 5)
    assert probed["operations"] == 4800 * (12 + 5)
    assert search["operations"] == 4800 * 12 * 8
    assert search["kind"] == "search"
    assert np.isnan(search["seconds_to"])


def test_a_law_and_the_baseline_of_its_name_are_two_rows(tmp_path):
    """The shipped laws adam and momentum have the names of baselines with their own optimizer."""
    rows = {"dead": (0.3, {})}
    with store.locked(tmp_path):
        store.open_config(tmp_path, {"suite": "by hand"})
        for task in range(DOMAINS):
            part(tmp_path, task, "adam", 0.9, OWN)
    ends = run_of(tmp_path, lambda _: rows | {"Ψ adam": (0.2, {})})
    found = ends.groupby("method")[["val_loss", "epochs_to"]].median()
    assert found.val_loss["adam"] == pytest.approx(0.9, abs=0.02)
    assert found.val_loss["Ψ adam"] == pytest.approx(0.2, abs=0.02)
    assert (found.epochs_to["adam"], found.epochs_to["Ψ adam"]) == (np.inf, 2)
    assert ends.groupby("method").kind.first()[["adam", "Ψ adam"]].tolist() == ["rule", "law"]


def test_the_median_is_the_time_by_which_half_of_the_weight_was_there(tmp_path):
    """Three tasks of one domain count as much as one of another, and never as infinite."""
    at, late = np.full((1, SEEDS), 0.2), np.full((3, SEEDS), 9.0)
    late[2] = 0.2
    shared = {"domain": "shared"}

    def runs(task):
        some = (late, shared) if task < 3 else (at, {})
        rare = (at, {}) if task > 3 else (np.full((1, SEEDS), 9.0), shared if task < 3 else {})
        return {"Ψ some": some, "Ψ rare": rare}

    ends = run_of(tmp_path, runs)
    found = medians(ends[ends.method.str.startswith("Ψ")])
    assert found.epochs_to["Ψ some"] == 1  # 3 of 4 domains, though half of the tasks alone
    assert found.epochs_to["Ψ rare"] == 1  # 2 of 4 domains: by then half were there
    three = ends[(ends.method == "Ψ rare") & (ends.task < 5)]
    assert medians(three).epochs_to["Ψ rare"] == np.inf


def test_folders_without_the_later_columns_are_read(folder):
    before = final_runs(folder)
    for path in (folder / "records").iterdir():
        frame = pd.read_parquet(path).drop(columns=NEW)
        path.unlink()
        (folder / "manifest" / f"{path.stem}.json").unlink()
        store.write_part(folder, path.stem, frame)
    after = final_runs(folder)
    assert after[["steps_to", "operations", "seconds_to"]].isna().all(axis=None)
    pd.testing.assert_series_equal(after.epochs_to, before.epochs_to)
