"""A data set on disk: what is in it, going on after a stop, and damage that is noticed."""

import errno
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from psi.lab.data import generate as room
from psi.lab.data import store, sweep
from psi.lab.data.config import PILOT_RUNS, PRESETS, GenerateConfig, flat
from psi.lab.data.estimate import estimate
from psi.lab.data.generate import generate
from psi.lab.data.inventory import inventory
from psi.lab.data.store import RecordsError
from psi.lab.engine.work import Layout
from psi.lab.hyper import Hyper
from psi.lab.tasks.data_config import DataConfig

CONFIG = GenerateConfig(
    tasks=("wine", "teacher-0"),
    hyper=Hyper(epochs=3),
    trajectories=70,
    cells=4,
    candidates=3,
    seeds=2,
    max_lr=3000.0,
)
SHAPE = Layout(16, 4)
COLUMNS = {
    "task", "run", "family", "cell", "branch", "seed", "epoch", "lr", "loss_running", "loss_full",
    "loss_next", "val_loss", "test_accuracy", "grad_norm", "update_ratio", "rate", "outcome",
    "first_bad_epoch",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("lab") / "data"
    generate(CONFIG, path, shape=SHAPE)
    return path


@pytest.fixture(scope="module")
def records(folder):
    return store.read_records(folder)


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_every_run_has_a_row_an_epoch(records):
    assert set(records.columns) == COLUMNS
    assert len(records) == CONFIG.runs() * CONFIG.hyper.epochs
    assert not records.duplicated(["task", "run", "epoch"]).any()
    assert records.groupby(["task", "run"], observed=True).epoch.apply(list).map(len).eq(3).all()
    for _, task in records.groupby("task", observed=True):
        assert sorted(task.run.unique()) == list(range(PILOT_RUNS + 82 * 2))


@pytest.mark.slow
def test_runs_do_not_depend_on_how_they_are_cut_into_parts(records, tmp_path):
    generate(CONFIG, tmp_path / "other", shape=SHAPE._replace(units=6))
    keys = ["task", "run", "epoch"]
    other = store.read_records(tmp_path / "other")
    pd.testing.assert_frame_equal(
        records.sort_values(keys, ignore_index=True), other.sort_values(keys, ignore_index=True)
    )


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
    pd.testing.assert_series_equal(
        first[outcome == "diverged"], bad, check_names=False, check_dtype=False
    )
    assert (first[outcome != "diverged"] == -1).all()


def test_criterion_is_what_the_best_constant_rate_reaches(folder, records):
    tasks = store.read_tasks(folder).set_index("task")
    pilot = records[(records.family == "pilot_constant") & (records.epoch == 2)]
    median = pilot[pilot.seed < 3].groupby(["task", "lr"], observed=True).val_loss.median()
    best = median.groupby("task", observed=True).min()
    for name in CONFIG.tasks:
        assert tasks.criterion[name] == pytest.approx(best[name], rel=1e-6)
    criterion = records.task.astype(str).map(tasks.criterion)
    runs = records.assign(met=records.val_loss <= criterion).groupby(["task", "run"], observed=True)
    converged = runs.met.any() & (runs.outcome.first() != "diverged")
    assert (converged == (runs.outcome.first() == "converged")).all()


@pytest.fixture(scope="module")
def canned(folder):
    """An engine that has trained already: only committing is tried."""
    frames = {name: store.read_part(folder, name) for name in committed_names(folder)}
    return lambda _, __, wanted, ___: ((part, frames[part.name]) for part in wanted)


@pytest.fixture
def rows_made(folder, monkeypatch):
    """Rows and Parquet bytes made once: they would be made hundreds of times."""
    cache = {}
    real = store.parquet
    monkeypatch.setattr(
        store, "parquet", lambda f: cache.get(id(f)) or cache.setdefault(id(f), real(f))
    )
    rows = [sweep.task_row(CONFIG, p.task, store.read_part(folder, p.name))
            for p in sweep.pilots(CONFIG)]  # fmt: skip
    monkeypatch.setattr(room, "task_row", lambda _, number, __: rows[number])
    monkeypatch.setattr(room, "check_tasks", lambda _: None)  # JAX does not live through a fork


def committed_names(folder):
    return [path.stem for path in sorted((folder / "manifest").glob("part-*.json"))]


STEPS = ("open", "fsync", "link", "unlink", "close")


def die_at(point, path, engine):
    """In a child: count the system calls of the commits, and die at one of them, as by kill −9."""
    left = [point]

    def counted(real):
        def call(*arguments, **named):
            if left[0] == 0:
                os._exit(9)
            left[0] -= 1
            return real(*arguments, **named)

        return call

    for name in STEPS:
        setattr(os, name, counted(getattr(os, name)))
    for name in ("open", "unlink"):
        setattr(Path, name, counted(getattr(Path, name)))
    generate(CONFIG, path, shape=SHAPE, engine=engine)
    os._exit(0)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork.*")
@pytest.mark.usefixtures("rows_made")
def test_killed_at_every_point_and_run_again_gives_the_same_files(folder, canned, tmp_path):
    """kill −9 at each of more than 100 points: none lost, none doubled, the same bytes."""
    whole = files(folder)
    point, finished = 0, False
    while not finished:
        path = tmp_path / str(point)
        child = os.fork()
        if child == 0:
            try:
                die_at(point, path, canned)
            finally:
                os._exit(1)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code in (0, 9)
        finished = code == 0
        generate(CONFIG, path, shape=SHAPE, engine=canned)
        assert files(path) == whole
        shutil.rmtree(path)
        point += 1
    assert point > 100


@pytest.mark.parametrize("commit", [0, 1, 4, 7])
@pytest.mark.usefixtures("rows_made")
def test_a_full_disk_is_named_and_loses_nothing(folder, canned, tmp_path, monkeypatch, commit):
    path, left, real = tmp_path / "data", [commit], os.fsync

    def full(descriptor):
        if left[0] == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left[0] -= 1
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RecordsError, match="No space left"):
        generate(CONFIG, path, shape=SHAPE, engine=canned)
    assert not list(path.rglob("*.tmp"))
    monkeypatch.setattr(os, "fsync", real)
    generate(CONFIG, path, shape=SHAPE, engine=canned)
    assert files(path) == files(folder)


def test_resumed_in_the_middle_gives_the_same_bits(folder, tmp_path):
    """For real: every second part is trained anew."""
    path = tmp_path / "data"
    shutil.copytree(folder, path)
    for name in committed_names(folder)[1::2]:
        (path / "manifest" / f"{name}.json").unlink()
    told = []
    generate(CONFIG, path, lambda *step: told.append(step), shape=SHAPE)
    assert files(path) == files(folder)
    runs = CONFIG.runs()
    assert told[-1][:2] == (runs, runs)
    assert f"{runs * CONFIG.hyper.epochs:,} rows" in told[-1][2]
    assert 0 < told[0][0] < runs


def test_a_finished_data_set_trains_nothing_again(folder, tmp_path):
    path = tmp_path / "data"
    shutil.copytree(folder, path)

    def engine(config, shape, wanted, criteria):
        assert not wanted
        return iter(())

    generate(CONFIG, path, shape=SHAPE, engine=engine)
    assert files(path) == files(folder)


def test_another_config_is_refused_with_the_difference(folder):
    with pytest.raises(RecordsError, match="seeds: 2 there, 4 asked"):
        generate(replace(CONFIG, seeds=4), folder, shape=SHAPE)
    with pytest.raises(RecordsError, match=r"hyper.epochs: 3 there, 5 asked"):
        generate(replace(CONFIG, hyper=Hyper(epochs=5)), folder, shape=SHAPE)
    with pytest.raises(RecordsError, match="width: 16 there, 8 asked"):
        generate(CONFIG, folder, shape=SHAPE._replace(width=8))


def test_a_second_writer_is_kept_out(folder):
    with (
        store.locked(folder),
        pytest.raises(RecordsError, match="another run"),
        store.locked(folder),
    ):
        pass


def test_arrow_records_are_the_records_and_what_a_part_lacks_is_null(folder, tmp_path):
    path, name = tmp_path / "data", "part-0000-train-00000"
    shutil.copytree(folder, path)
    table = store.arrow_records(path).to_pandas()
    records = store.read_records(path)
    pd.testing.assert_frame_equal(table.astype(records.dtypes.to_dict()), records)
    frame = store.read_part(path, name).drop(columns="lr")
    for file in (path / "manifest" / f"{name}.json", path / "records" / f"{name}.parquet"):
        file.unlink()
    store.write_part(path, name, frame)
    assert store.arrow_records(path).column("lr").null_count == len(frame)


@pytest.mark.parametrize("damage", ["flip", "cut", "lose"])
def test_damage_is_named_and_loses_nothing_else(folder, tmp_path, damage):
    path, name = tmp_path / "data", "part-0000-train-00001"
    shutil.copytree(folder, path)
    part = path / "records" / f"{name}.parquet"
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "lose":
        part.unlink()
    else:
        part.write_bytes(content if damage == "flip" else content[:-10])
    with pytest.raises(RecordsError, match=name):
        store.read_records(path)
    (fault,) = store.check(path)
    assert name in fault
    store.read_part(path, "part-0000-train-00000")  # its neighbours stay readable
    if damage != "flip":
        generate(CONFIG, path, shape=SHAPE)
        assert files(path) == files(folder)


def test_case_store_empty_manifest_entry(folder, tmp_path):
    path, name = tmp_path / "data", "part-0000-train-00000"
    shutil.copytree(folder, path)
    (path / "manifest" / f"{name}.json").write_bytes(b"")
    with pytest.raises(RecordsError, match=rf"{name}.json is damaged .*psi generate, .* again"):
        store.read_records(path)
    generate(CONFIG, path, shape=SHAPE)
    assert files(path) == files(folder)


MANIFEST = "manifest/part-0000-train-00000.json"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff\xfe", b"null", b"\0" * 64])
@pytest.mark.parametrize("name", [MANIFEST, "manifest/part-0001-pilot.json", "tasks.parquet"])
def test_kind_a_file_that_a_failure_of_power_leaves_is_made_again(
    folder, tmp_path, name, content, monkeypatch
):
    """What `make` trains is read from the whole data set here: the same bytes, sooner."""

    def make(config, shape, wanted, criteria):
        yield from ((part, store.read_part(folder, part.name)) for part in wanted)

    path = tmp_path / "data"
    shutil.copytree(folder, path)
    (path / name).write_bytes(content)
    generate(CONFIG, path, shape=SHAPE, engine=make)
    assert files(path) == files(folder)


@pytest.mark.parametrize("cut", [0, 4, 40, -8, "middle"])
def test_kind_a_damaged_table_is_an_error_that_names_it(folder, tmp_path, cut):
    content = bytearray((folder / "tasks.parquet").read_bytes())
    if cut == "middle":
        content[60] ^= 255
    (tmp_path / "tasks.parquet").write_bytes(content if cut == "middle" else content[:cut])
    with pytest.raises(RecordsError, match=r"tasks.parquet is damaged"):
        store.read_tasks(tmp_path)


def test_a_number_that_a_disk_has_changed_is_seen(tmp_path):
    """Random numbers are stored as they are, so that a changed byte still makes a table."""
    numbers = pd.DataFrame({"loss": np.random.default_rng(0).normal(size=4000)})
    content = bytearray(store.parquet(numbers))
    content[len(content) // 2] ^= 255
    (tmp_path / "tasks.parquet").write_bytes(content)
    with pytest.raises(RecordsError, match=r"tasks.parquet is damaged"):
        store.read_tasks(tmp_path)


def test_a_wrong_target_leaves_no_folder_that_refuses_the_right_one(tmp_path):
    rows = "\n".join(f"{k % 7},{k % 3}" for k in range(60))
    (tmp_path / "mine.csv").write_text(f"a,price\n{rows}\n")
    mine = replace(CONFIG, tasks=("wine", f"{tmp_path / 'mine.csv'}"), max_lr=1.0)
    wrong = replace(mine, data=DataConfig(target="prise"))
    with pytest.raises(ValueError, match="prise"):
        generate(wrong, tmp_path / "out", shape=SHAPE)
    assert not (tmp_path / "out").exists()
    with store.locked(tmp_path / "old"):  # as an earlier version has left it
        store.open_config(tmp_path / "old", flat(wrong))
        store.open_config(tmp_path / "old", flat(mine))
        assert store.config_of(tmp_path / "old") == flat(mine)


def test_strangers_among_the_parts_are_removed(folder, tmp_path):
    path = tmp_path / "data"
    shutil.copytree(folder, path)
    (path / "records" / "part-0009-train-00000.parquet").write_bytes(b"half")
    generate(CONFIG, path, shape=SHAPE)
    assert files(path) == files(folder)


def test_a_stream_holds_every_row_once(folder, records):
    columns = ["epoch", "lr", "loss_full"]
    arrays = list(store.stream(folder, columns, 100))
    assert {len(array) for array in arrays[:-1]} == {100}
    np.testing.assert_array_equal(np.concatenate(arrays), records[columns].to_numpy(np.float32))


def test_the_inventory_counts_what_is_there(folder, records):
    table = inventory(folder).set_index("task")
    for name, rows in records.groupby("task", observed=True):
        runs = rows[rows.epoch == 2]
        assert table.runs[name] == len(runs)
        assert table.diverged[name] == pytest.approx((runs.outcome == "diverged").mean())
        assert table.families[name] == runs.family.nunique()
        assert table.max_lr[name] == rows.lr.max()
        assert table.best[name] == np.nanmin(runs.val_loss)


@pytest.mark.slow
def test_the_estimate_of_rows_is_exact_and_that_of_bytes_near(folder):
    found = estimate(CONFIG, SHAPE)
    rows, size = store.sizes(folder)
    assert found.rows == rows
    assert found.runs == CONFIG.runs()
    assert abs(found.bytes / size - 1) < 0.3
    assert 0 < found.minutes < 5


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordsError, match=r"cannot write to .*file"):
        generate(CONFIG, tmp_path / "file" / "data", shape=SHAPE)


def test_a_folder_without_records(tmp_path):
    with pytest.raises(RecordsError, match="holds no records"):
        store.read_records(tmp_path)
    with pytest.raises(RecordsError, match=r"holds no tasks\.parquet"):
        store.read_tasks(tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tasks": ()}, "at least one"),
        ({"tasks": ("wine", "wine")}, "distinct"),
        ({"tasks": ("cifar",)}, "unknown data set 'cifar'; closest of 145: "),
        ({"trajectories": -1}, "trajectories must be >= 0, got -1"),
        ({"trajectories": 0, "cells": 0}, "at least one"),
        ({"seeds": 0}, "seeds must be >= 1, got 0"),
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
    assert config["config"] == flat(CONFIG) | SHAPE._asdict()
    entries = [json.loads(p.read_text()) for p in (folder / "manifest").glob("part-*.json")]
    assert sum(entry["rows"] for entry in entries) == CONFIG.runs() * CONFIG.hyper.epochs


def test_the_laptop_preset_makes_a_million_records():
    config = dict(PRESETS)["laptop"]
    assert config.runs() * config.hyper.epochs >= 1_000_000
