"""An atlas made, stopped and gone on with; grids that reach further; the tables."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from psi.atlas import parts as module
from psi.atlas.collect import NOISY, beyond, collect, rates, trained, uncertain
from psi.atlas.config import AtlasConfig
from psi.atlas.data import Chances, arrays_of, rows_of
from psi.atlas.description import Description
from psi.atlas.padding import Reach, Shape
from psi.atlas.parts import Prepared, parts
from psi.atlas.tables import KEYS, scorable, summarise
from psi.fit.scale.look import spreads
from psi.fit.scale.table import read_atlas
from psi.fit.scale.tuned import tuned_tasks
from psi.ideal.returns import RESOLUTION
from psi.lab.data import store

SHAPE = Shape("linear", 8, 4, 1, 1, 1.0, 1e9)
SMALL = AtlasConfig(2, ("sgd",), extensions=1, more_seeds=1)


def drawn(number, reach="near"):
    """Quick tasks in place of those of the distribution."""
    return Description(
        "ill_conditioned", number, rows=40, inputs=4, network="linear", batch=10, epochs=3,
        noise=0.3,
    )  # fmt: skip


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(module, "describe", drawn)
    monkeypatch.setattr("psi.atlas.tables.describe", drawn)
    monkeypatch.setattr(module, "shape_of", lambda *_: SHAPE)
    monkeypatch.setattr(module, "REACHES", {"near": Reach((SHAPE,), together=False)})


def test_grids_are_pieces_of_one_sequence():
    every = np.concatenate([rates("adam", grid) for grid in (-1, 0, 1)])
    np.testing.assert_allclose(np.diff(np.log(every)), np.log(1.8))


def test_parts_hold_every_task_once():
    config = AtlasConfig(40, ("sgd", "adam"))
    found = [(part.optimizer, task.number) for part in parts(config) for task in part.tasks]
    assert sorted(found) == sorted((name, k) for name in ("sgd", "adam") for k in range(40))
    assert len({part.name for part in parts(config)}) == len(parts(config))
    for part in parts(config):
        assert all(part.shape.holds(task) for task in part.tasks)


def runs_of(train, validation, spread=0.0):
    """Runs of one task at three rates, from three seeds that differ by `spread`."""
    return pd.DataFrame([
        {
            "task": 7, "schedule": "linear", "rate": rate, "seed": seed, "grid": 0,
            "train_loss": one + seed * spread, "val_loss": other + seed * spread,
        }
        for rate, one, other in zip((0.1, 0.2, 0.4), train, validation, strict=True)
        for seed in range(3)
    ])  # fmt: skip


def prepared(chance=2.0):
    rows = rows_of(drawn(7))._replace(chances=Chances(chance, chance), floor=0.0)
    return Prepared(drawn(7), rows, arrays_of(drawn(7), rows, SHAPE))


@pytest.mark.parametrize(
    ("train", "validation", "grids"),
    [
        ((3, 1, 2), (3, 1, 2), []),
        ((1, 2, 3), (2, 1, 3), [-1]),
        ((3, 2, 1), (2, 1, 3), [1]),
        ((3, 2, 1), (1, 2, 3), [-1, 1]),
        ((np.nan, np.inf, 1), (3, 2.5, 1), [1]),
    ],
)
def test_a_grid_is_added_where_either_loss_is_least_at_an_edge(train, validation, grids):
    found = beyond(runs_of(train, validation), [prepared()], 1)
    assert sorted(job.grid for job in found) == grids


def noisy(column, noise, shared=0.0):
    """Runs whose loss at the best rate rises with the seed by `noise`, at all rates by `shared`."""
    made = runs_of((1.5, 1.0, 1.5), (1.5, 1.0, 1.5), shared)
    made.loc[made.rate == 0.2, column] += noise * made.seed[made.rate == 0.2]
    return made


@pytest.mark.parametrize("column", ["train_loss", "val_loss"])
def test_seeds_are_added_where_the_best_rate_is_uncertain(column):
    """Beside the seeds' own means the pooled error is s/3; the least excess is 1.5."""
    each = prepared()
    limit = 3 * NOISY * (1.5 + RESOLUTION * 2)
    assert not uncertain(noisy(column, 0.95 * limit), each)
    assert uncertain(noisy(column, 1.05 * limit), each)
    assert not uncertain(noisy(column, 0.0, shared=0.5), each)


def test_a_text_whose_floor_nobody_knows_is_held_to_what_its_runs_gain():
    """Chance 2, lowest 1: the floor is taken at 0.9, the least excess is 0.6 and not 1.5."""
    each = prepared()
    text = each._replace(rows=each.rows._replace(floor=np.nan))
    assert not uncertain(noisy("val_loss", 0.7), each)
    assert uncertain(noisy("val_loss", 0.7), text)
    hard = noisy("val_loss", 0.001).assign(val_loss=lambda runs: runs.val_loss + 0.99)
    assert not uncertain(hard, text)  # chance is 2: nothing has been gained


def test_an_atlas_is_gone_on_with_to_the_same_bits(quick, tmp_path):
    told = []
    collect(SMALL, tmp_path / "whole", lambda *given: told.append(given))
    assert told[-1][0] == told[-1][1]
    runs = store.read_records(tmp_path / "whole")
    assert set(runs.seed.unique()) >= {0, 1, 2}
    assert len(runs) % 51 == 0
    assert np.isfinite(runs[runs.rate < 0.1].val_loss).all()
    kept = (tmp_path / "whole/records").glob("*.parquet")
    before = {path.name: path.read_bytes() for path in kept}
    name = min(before)
    (tmp_path / "whole/records" / name).unlink()
    collect(SMALL, tmp_path / "whole")
    assert (tmp_path / "whole/records" / name).read_bytes() == before[name]
    with pytest.raises(store.RecordsError):
        collect(AtlasConfig(3, ("sgd",)), tmp_path / "whole")


def test_tables_are_what_a_fit_reads(quick, tmp_path):
    collect(SMALL, tmp_path)
    made = summarise(SMALL, tmp_path)
    runs = store.read_records(tmp_path)
    assert not made.runs.duplicated(KEYS).any()
    one: Any = made.runs.iloc[20]
    same = runs[(runs.task == one.task) & (runs.schedule == one.schedule)]
    same = same[np.isclose(same.rate, one.rate, rtol=4e-5)]
    assert one.seeds == len(same)
    assert one.val_loss == pytest.approx(same.val_loss.mean(), rel=4e-5)
    facts: Any = made.tasks.set_index("task").loc[1]
    assert Description.from_json(facts.description) == drawn(1)
    assert facts.weight_rms == pytest.approx(
        made.probes.weight_norm[made.probes.task == 1].iloc[0] / np.sqrt(5)
    )
    again = read_atlas(tmp_path)
    tuned = tuned_tasks(again, "sgd", "validation")
    assert len(tuned.domain) == 2
    pd.testing.assert_frame_equal(again.runs, made.runs)
    assert made.runs.val_loss.dtype == np.float32  # an atlas is published
    for each in spreads(again):
        assert each.constant + each.linear + each.cosine == pytest.approx(1)
        assert each.low <= each.middle <= each.high
        assert each.one_rate >= 0


def test_a_run_that_diverges_counts_as_twice_chance(quick, tmp_path):
    frame = trained(parts(SMALL)[0], SMALL)
    assert not np.isfinite(frame.val_loss).all() or frame.val_loss.max() > 10
    collect(SMALL, tmp_path)
    made = summarise(SMALL, tmp_path)
    chance = made.tasks.set_index("task").chance_loss.loc[made.runs.task].to_numpy()
    assert (made.runs.val_loss <= 2 * chance * (1 + 4e-5)).all()
    assert made.runs.diverged.max() > 0 or made.runs.val_loss.max() == pytest.approx(
        2 * chance.max(), rel=4e-5
    )


@pytest.mark.parametrize(
    ("chance", "train_chance", "floor", "kept"),
    [
        (1.0, 1.0, 0.0, True),
        (1.0, 1.0, np.nan, True),
        (1.0, 1.0, 0.99, False),
        (1.0, 1.0, 1.2, False),
        (0.4, 0.01, 0.0, False),
    ],
)
def test_a_task_without_anything_to_learn_is_left_out(chance, train_chance, floor, kept):
    assert scorable(chance, train_chance, floor) == kept
