"""A data set on disk: what is in it, going on after a stop, and damage that is noticed."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from psi.lab import generate as room
from psi.lab import store
from psi.lab.config import GenerateConfig
from psi.lab.generate import generate

CONFIG = GenerateConfig(
    tasks=("wine", "teacher-0"), epochs=3, cells=4, candidates=3, seeds=2, max_lr=3000.0
)
COLUMNS = {
    "task", "run", "family", "cell", "branch", "seed", "epoch", "lr", "loss_running", "loss_full",
    "loss_next", "val_loss", "test_accuracy", "grad_norm", "update_ratio", "rate", "outcome",
    "first_bad_epoch",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("lab") / "data"
    generate(CONFIG, path)
    return path


@pytest.fixture(scope="module")
def records(folder):
    return store.read_records(folder)


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_every_run_has_a_row_an_epoch(records):
    assert set(records.columns) == COLUMNS
    assert len(records) == CONFIG.runs() * CONFIG.epochs
    assert not records.duplicated(["task", "run", "epoch"]).any()
    assert records.groupby(["task", "run"], observed=True).epoch.apply(list).map(len).eq(3).all()


def test_a_run_is_continuous(records):
    """What follows epoch i is what stands before epoch i+1."""
    here = records[records.epoch < 2].reset_index(drop=True)
    after = records[records.epoch > 0].reset_index(drop=True)
    np.testing.assert_array_equal(here.run, after.run)
    np.testing.assert_array_equal(here.loss_next, after.loss_full)
    start = records[records.epoch == 0]
    np.testing.assert_array_equal(start.loss_running, start.loss_full)


def test_rate_of_convergence_is_of_the_excess_loss(folder, records):
    tasks = store.read_tasks(folder).set_index("task")
    fine = records[np.isfinite(records.rate)]
    floor = tasks.floor.loc[fine.task].to_numpy(np.float32)
    expected = np.log((fine.loss_full - floor) / (fine.loss_next - floor))
    np.testing.assert_allclose(fine.rate, expected, rtol=1e-3, atol=1e-4)
    assert tasks.floor["teacher-0"] > 0
    assert tasks.floor["wine"] == 0


def test_diverged_runs_are_rows_with_their_first_bad_epoch(records):
    runs = records.groupby(["task", "run"], observed=True)
    outcome, first = runs.outcome.first(), runs.first_bad_epoch.first()
    finite = records.assign(ok=np.isfinite(records.val_loss) & np.isfinite(records.loss_next))
    bad = finite[~finite.ok].groupby(["task", "run"], observed=True).epoch.min()
    assert len(bad) > 0
    assert set(outcome.unique()) == {"converged", "exhausted", "diverged"}
    pd.testing.assert_series_equal(first[outcome == "diverged"], bad, check_names=False)
    assert (first[outcome != "diverged"] == -1).all()


def test_criterion_is_what_the_best_constant_rate_reaches(folder, records):
    tasks = store.read_tasks(folder).set_index("task")
    constant = records[(records.family == "constant") & (records.epoch == 2) & (records.seed < 3)]
    median = constant.groupby(["task", "lr"], observed=True).val_loss.median()
    best = median.groupby("task", observed=True).min()
    for name in CONFIG.tasks:
        assert tasks.criterion[name] == pytest.approx(best[name], rel=1e-6)
    reached = records.assign(met=records.val_loss <= tasks.criterion.loc[records.task].to_numpy())
    runs = reached.groupby(["task", "run"], observed=True)
    converged = runs.met.any() & (runs.outcome.first() != "diverged")
    assert (converged == (runs.outcome.first() == "converged")).all()


class Stop(Exception):
    pass


@pytest.mark.parametrize("commits", range(0, 14, 2))
def test_stopped_anywhere_and_run_again_gives_the_same_files(
    folder, tmp_path, monkeypatch, commits
):
    """Stop before the n-th commit, leaving the temporary file of a killed write; run again."""
    path = tmp_path / "data"
    real, left = store._commit, [commits]

    def failing(target, content):
        if left[0] == 0:
            (target.parent / f".{target.name}.99.tmp").write_bytes(content[: len(content) // 2])
            raise Stop
        left[0] -= 1
        real(target, content)

    monkeypatch.setattr(store, "_commit", failing)
    if commits < 10:  # config, 2 × (part + entry), task table, 2 × (part + entry): 10 commits
        with pytest.raises(Stop):
            generate(CONFIG, path)
    else:
        generate(CONFIG, path)
    monkeypatch.setattr(store, "_commit", real)
    generate(CONFIG, path)
    assert files(path) == files(folder)


def test_a_finished_data_set_trains_nothing_again(folder, tmp_path, monkeypatch):
    path = tmp_path / "data"
    shutil.copytree(folder, path)
    monkeypatch.setattr(room, "population", None)
    generate(CONFIG, path)
    assert files(path) == files(folder)


def test_another_config_is_refused_with_the_difference(folder):
    with pytest.raises(ValueError, match="seeds: 2 there, 4 asked"):
        generate(replace(CONFIG, seeds=4), folder)


def test_a_second_writer_is_kept_out(folder):
    with (
        store.locked(folder),
        pytest.raises(ValueError, match="another run"),
        store.locked(folder),
    ):
        pass


def test_a_flipped_bit_a_cut_and_a_missing_part_are_noticed(folder, tmp_path):
    for number, damage in enumerate(("flip", "cut", "lose")):
        path = tmp_path / str(number)
        shutil.copytree(folder, path)
        part = path / "records" / "part-0000-random.parquet"
        content = bytearray(part.read_bytes())
        content[len(content) // 2] ^= 1
        if damage == "lose":
            part.unlink()
        else:
            part.write_bytes(content if damage == "flip" else content[:-10])
        with pytest.raises(ValueError, match="part-0000-random"):
            store.read_records(path)
        if damage != "flip":
            generate(CONFIG, path)
            assert files(path) == files(folder)


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"cannot write to .*file"):
        generate(CONFIG, tmp_path / "file" / "data")


def test_a_folder_without_records(tmp_path):
    with pytest.raises(ValueError, match="holds no records"):
        store.read_records(tmp_path)
    with pytest.raises(ValueError, match="no task table"):
        store.read_tasks(tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tasks": ()}, "at least one"),
        ({"tasks": ("wine", "wine")}, "distinct"),
        ({"tasks": ("mnist",)}, "unknown data set 'mnist'; allowed"),
        ({"epochs": 0}, "got 0"),
        ({"cells": 0}, "cells must be >= 1, got 0"),
        ({"min_lr": -0.1}, "got -0.1"),
        ({"min_lr": 2.0, "max_lr": 1.0}, "min_lr < max_lr"),
        ({"max_lr": float("inf")}, "inf"),
        ({"seed": -1}, "got -1"),
    ],
)
def test_mistakes_are_named_before_anything_is_trained(change, words):
    with pytest.raises(ValueError, match=words):
        replace(CONFIG, **change)


def test_the_manifest_says_what_is_there(folder):
    config = json.loads((folder / "manifest" / "config.json").read_text())
    assert config["hash"] == store.digest(config["config"]) == store.config_hash(folder)
    assert config["config"]["tasks"] == ["wine", "teacher-0"]
    entries = [json.loads(p.read_text()) for p in (folder / "manifest").glob("part-*.json")]
    assert sum(entry["rows"] for entry in entries) == CONFIG.runs() * CONFIG.epochs
