"""A user's table as a task, against arrays made by hand, and every mistake in one line."""

import logging
import time
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_wine

from psi.lab.engine.policy import trajectory
from psi.lab.engine.population import population
from psi.lab.hyper import Hyper
from psi.lab.tasks.columns import encode, table_task
from psi.lab.tasks.data_config import DataConfig
from psi.lab.tasks.files import file_task
from psi.lab.tasks.splitting import Parts, split

pytestmark = pytest.mark.slow

NONE = np.arange(0)
HYPER = Hyper(epochs=5, batch=8)
NAN = float("nan")


def arrays(task):
    return [np.asarray(a) for part in task.splits for a in part[:2]]


def assert_same_splits(one, other, **tolerance):
    for a, b in zip(arrays(one), arrays(other), strict=True):
        np.testing.assert_allclose(a, b, **tolerance)


def wine_table():
    bunch: Any = load_wine(as_frame=True)
    return bunch.frame


def numbers(rows=60, inputs=2, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, inputs))


def test_each_kind_of_column_against_a_matrix_made_by_hand():
    table = pd.DataFrame(
        {
            "a": [1.0, NAN, 3.0, 8.0, NAN, 1e9],  # missing in training: median 3
            "b": pd.array([0, 2, 0, 2, None, 1], dtype="Int64"),  # missing elsewhere only
            "constant": [7] * 6,
            "colour": ["red", None, "blue", "red", "green", None],
            "flag": [True, False, True, True, False, True],
            "size": pd.Categorical([3, 1, 3, 1, 2, 3], categories=[1, 2, 3]),
        }
    )
    train = np.arange(4)
    a = np.array([1, 3, 3, 8, 3, 1e9])
    a = np.clip((a - a[:4].mean()) / a[:4].std(), -5, 5)
    expected = np.column_stack(
        [
            a,
            [-1, 1, -1, 1, 0, 0],  # mean, median and deviation of 0 2 0 2 are 1
            np.zeros(6),
            [0, 1, 0, 0, 1, 0],  # a is missing
            [0, 0, 1, 0, 0, 0],  # blue
            [1, 0, 0, 1, 0, 0],  # red; green is unseen
            [0, 1, 0, 0, 0, 1],  # no colour
            [0, 1, 0, 0, 1, 0],  # False
            [1, 0, 1, 1, 0, 1],  # True
            [0, 1, 0, 1, 0, 0],  # 1; 2 is unseen
            [1, 0, 1, 0, 0, 1],  # 3
        ]
    )
    np.testing.assert_allclose(encode("t", table, train), expected, rtol=1e-6, atol=1e-7)


def test_a_column_without_any_number_survives():
    table = pd.DataFrame({"empty": [NAN] * 4, "a": [1.0, 2.0, 1.0, 2.0]})
    expected = np.column_stack([np.zeros(4), [-1, 1, -1, 1], np.ones(4)])
    np.testing.assert_allclose(encode("t", table, np.arange(4)), expected)


def test_formats_agree(tmp_path):
    table, data = wine_table(), DataConfig(split_seed=3)
    table.to_csv(tmp_path / "wine.csv", index=False)
    table.to_parquet(tmp_path / "wine.parquet")
    np.savez(tmp_path / "wine.npz", x=table.iloc[:, :-1].to_numpy(), y=table["target"])
    tasks = [file_task(tmp_path / f"wine.{end}", data, HYPER) for end in ("csv", "parquet", "npz")]
    for task in tasks:
        assert (task.name, task.facts.domain, task.facts.classes) == ("wine", "wine", 3)
        assert (task.facts.inputs, task.facts.network, task.facts.rows) == (13, "mlp", 106)
        assert_same_splits(task, tasks[0], rtol=1e-6)
    train, validation, test = tasks[0].splits
    assert (len(validation.y), len(test.y)) == (36, 36)
    assert (train.x.dtype, train.y.dtype) == (np.float32, np.int32)
    kept = np.abs(np.asarray(train.x)).max(0) < 5
    np.testing.assert_allclose(np.asarray(train.x)[:, kept].mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(np.asarray(train.x)[:, kept].std(0), 1, rtol=1e-5)
    other = file_task(tmp_path / "wine.npz", DataConfig(split_seed=4), HYPER)
    assert not np.array_equal(other.splits.train.x, train.x)


def test_it_trains(tmp_path):
    wine_table().to_csv(tmp_path / "wine.csv", index=False)
    task = file_task(tmp_path / "wine.csv", DataConfig(), HYPER)
    rates = np.full((1, HYPER.epochs), 0.1, np.float32)
    out = population(task, trajectory, rates, np.arange(1), jax.random.key(0))
    assert out.val_loss[0, 0, -1] < 0.5 * task.facts.chance_loss
    assert out.test_accuracy[0, 0, -1] > 0.8


@pytest.mark.parametrize("seed", range(3))
def test_a_split_is_a_stratified_partition(seed):
    labels = np.random.default_rng(seed).permutation(np.repeat([0, 1, 2], [50, 30, 20]))
    data = DataConfig(validation=0.3, test=0.1, split_seed=seed)
    parts = split("t", labels, data, Parts(np.arange(100), NONE, NONE))
    assert [len(part) for part in parts] == [60, 30, 10]
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(100))
    for part, share in zip(parts, (0.6, 0.3, 0.1), strict=True):
        np.testing.assert_allclose(np.bincount(labels[part]), share * np.array([50, 30, 20]))
    again = split("t", labels, data, Parts(np.arange(100), NONE, NONE))
    np.testing.assert_array_equal(parts.train, again.train)


def test_the_target_by_name_or_index_with_and_without_header(tmp_path):
    table = pd.DataFrame(numbers(inputs=3), columns=["a", "b", "7"]).assign(c=[0, 1] * 30)
    table = table[["a", "c", "b", "7"]]
    named, bare = tmp_path / "named.csv", tmp_path / "bare.csv"
    table.to_csv(named, index=False)
    table.to_csv(bare, index=False, header=False)
    first = file_task(named, DataConfig(target="c"), HYPER)
    assert (first.facts.classes, first.facts.inputs) == (2, 3)
    for target in ("1", "-3"):
        assert_same_splits(file_task(named, DataConfig(target=target), HYPER), first)
        without = file_task(bare, DataConfig(target=target, header=False), HYPER)
        assert_same_splits(without, first)
    # A name wins over an index, and the default is the last column: a regression here.
    seven, last = (file_task(named, DataConfig(target=t), HYPER) for t in ("7", "-1"))
    assert seven.facts.classes == last.facts.classes == 0
    assert_same_splits(seven, last)


@pytest.mark.parametrize(
    ("target", "kind", "classes"),
    [
        (np.arange(60) % 20, "auto", 20),
        (np.arange(60) % 21, "auto", 0),
        (np.arange(60) % 2 + 0.0, "auto", 2),
        (np.arange(60) % 2 + 0.5, "auto", 0),
        (np.arange(60) % 2 + 0.5, "classification", 2),
        (np.arange(60) % 2, "regression", 0),
        (np.arange(60) % 2 == 0, "auto", 2),
        (np.array(["10", "9"])[np.arange(60) % 2], "auto", 2),
        (np.array(["10", "9"])[np.arange(60) % 2], "regression", 0),
    ],
)
def test_classification_or_regression(tmp_path, target, kind, classes):
    pd.DataFrame({"a": np.arange(60.0), "y": target}).to_parquet(tmp_path / "t.parquet")
    data = DataConfig(kind=kind, validation=1 / 3, test=1 / 3)
    task = file_task(tmp_path / "t.parquet", data, HYPER)
    y = np.asarray(task.splits.train.y)
    assert task.facts.classes == classes
    if classes:
        assert set(y) == set(range(classes))
    else:
        np.testing.assert_allclose([y.mean(), y.std()], [0, 1], atol=1e-6)


def test_labels_follow_the_order_of_their_values(tmp_path):
    x = np.arange(40.0)
    for y in (np.where(x < 20, "a", "b"), np.where(x < 20, -3, 11)):
        np.savez(tmp_path / "t.npz", x=x, y=y)
        x_train, y_train = map(
            np.asarray, file_task(tmp_path / "t.npz", DataConfig(), HYPER)[3][0][:2]
        )
        assert x_train[y_train == 0].max() < x_train[y_train == 1].min()


def test_npz_with_parts_of_its_own(tmp_path):
    x, y = numbers(30).reshape(30, 2, 1), np.arange(30) % 3
    x_val, y_val = numbers(10, seed=1).reshape(10, 2, 1), np.arange(10) % 3
    np.savez(tmp_path / "t.npz", x=x, y=y, x_val=x_val, y_val=y_val)
    task = file_task(tmp_path / "t.npz", DataConfig(), HYPER)
    assert [len(part.y) for part in task.splits] == [24, 10, 6]
    np.testing.assert_array_equal(task.splits.validation.y, y_val)
    np.savez(tmp_path / "t.npz", x=x, y=y, x_val=x_val, y_val=y_val, x_test=x[:5], y_test=y[:5])
    task = file_task(tmp_path / "t.npz", DataConfig(), HYPER)
    flat = x.reshape(30, 2)
    standard = np.clip((flat - flat.mean(0)) / flat.std(0), -5, 5)
    np.testing.assert_allclose(task.splits.train.x, standard, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(task.splits.test.x, standard[:5], rtol=1e-5, atol=1e-6)


def csv(text):
    return lambda path: path.write_text(text)


def table(**columns):
    def write(path):
        to = {".csv": pd.DataFrame.to_csv, ".parquet": pd.DataFrame.to_parquet}[path.suffix]
        to(
            pd.DataFrame({"a": np.arange(60.0), "y": np.arange(60) % 2} | columns),
            path,
            index=False,
        )

    return write


def npz(**columns):
    return lambda path: np.savez(path, **columns)


def damaged(write, keep=0.5):
    def broken(path):
        write(path)
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * keep)])

    return broken


def flipped(path):
    """A byte of the compressed array y changed."""
    np.savez_compressed(path, x=np.arange(60.0), y=np.arange(60) % 7)
    content = bytearray(path.read_bytes())
    content[content.index(b"y.npy") + 30] ^= 255
    path.write_bytes(content)


def replaced(values, **at):
    values = list(values)
    for position, value in at.items():
        values[int(position[1:])] = value
    return values


WORDS = [f"w{k}" for k in range(1500)] * 2
BAD = [
    ("absent.csv", lambda _: None, {}, "absent.csv: there is no such file"),
    ("t.xlsx", csv("a,y"), {}, "unknown suffix '.xlsx'; allowed: .csv, .npz, .parquet"),
    ("t.csv", csv(""), {}, "t.csv: the file is empty"),
    ("t.csv", csv("\n\n"), {}, "cannot be read as CSV"),
    ("t.csv", csv("a,y\n"), {}, "got 0 rows"),
    ("t.csv", csv("a;y\n1;2\n"), {}, "0 columns of inputs"),
    ("t.csv", csv("a,y\n1,2,3\n4,5,6\n"), {}, "more cells than the header"),
    ("t.csv", csv("a,y\n1,2\n4,5,6\n"), {}, "Expected 2 fields in line 3, saw 3"),
    ("t.csv", lambda path: path.write_bytes(b"a,y\n\xff\xfe,1\n"), {}, "cannot be read as CSV"),
    ("t.csv", table(), {"target": "z"}, "no column is named 'z'; columns: a, y"),
    ("t.csv", table(), {"target": "2"}, r"index must be in \[-2, 1\], got 2"),
    ("t.csv", table(), {"target": "-3"}, r"index must be in \[-2, 1\], got -3"),
    ("t.csv", table(y=replaced(range(60), r4="four")), {"kind": "regression"},
     "the target 'y' of a regression must be numbers, got 'four' in row 5"),
    ("t.csv", table(y=replaced(range(60), r4=NAN)), {}, "the target 'y' is missing in row 5"),
    ("t.csv", table(y=replaced("ab" * 30, r4=None)), {}, "the target 'y' is missing in row 5"),
    ("t.csv", table(a=replaced(range(60), r4=-np.inf)), {}, "column 'a' holds -inf in row 5"),
    ("t.parquet", table(a=replaced(range(60), r4=1e39)), {}, "column 'a' holds 1e.39 in row 5"),
    ("t.csv", table(y=replaced(range(60), r4=np.inf)), {}, "column 'y' holds inf in row 5"),
    ("t.csv", table(y=[1] * 60), {}, "every row is of class 1; at least 2"),
    ("t.csv", table(y=[1] * 60), {"kind": "regression"}, "the target is 1 in every training row"),
    ("t.csv", table(y=["a"] * 56 + ["b"] * 4), {},
     "class b has 4 rows; with test 0.2 and validation 0.2 each class needs >= 5"),
    ("t.csv", csv("a,y\n1,2.5\n2,3.5\n"), {}, "of 2 rows leave none for training"),
    ("t.csv", table(y=np.arange(60)), {"test": 0.77},
     "batch must be <= the 2 training rows, got 8"),
    ("t.csv", lambda path: pd.DataFrame({"a": WORDS, "y": [0, 1] * 1500}).to_csv(path), {},
     "column 'a' is not numeric .its first such cell is 'w0' in row 1.*1251 .*at most 1000"),
    ("t.parquet", damaged(table()), {}, "t.parquet: cannot be read as Parquet"),
    ("t.parquet", csv("a,y\n1,2\n"), {}, "t.parquet: cannot be read as Parquet"),
    ("t.npz", damaged(npz(x=np.arange(60.0), y=np.arange(60))), {}, "cannot be read as NPZ"),
    ("t.npz", flipped, {}, "cannot be read as NPZ, array 'y'"),
    ("t.npz", csv("a,y\n1,2\n"), {}, "cannot be read as NPZ"),
    ("t.npz", npz(y=np.arange(60), z=np.arange(3)), {}, "no array 'x'; arrays: y, z"),
    ("t.npz", npz(x=np.arange(60)), {}, "no array 'y'; arrays: x"),
    ("t.npz", npz(x=np.arange(60), y=np.arange(60), x_val=np.arange(3)), {}, "no array 'y_val'"),
    ("t.npz", npz(x=np.arange(60), y=np.arange(59)), {}, r"got \(60,\) and \(59,\)"),
    ("t.npz", npz(x=np.arange(60), y=np.ones((60, 2))), {}, r"got \(60,\) and \(60, 2\)"),
    ("t.npz", npz(x=np.float64(1), y=np.float64(1)), {}, r"got \(\) and \(\)"),
    ("t.npz", npz(x=np.ones((0, 2)), y=np.ones(0)), {}, r"got \(0, 2\) and \(0,\)"),
    ("t.npz", npz(x=np.array(["a"] * 60), y=np.arange(60)), {}, "must be an array of numbers"),
    ("t.npz", npz(x=np.array([1, {}] * 30), y=np.arange(60)), {}, "array 'x' .Object arrays"),
    ("t.npz", npz(x=numbers(), y=np.arange(60), x_val=np.ones((3, 1)), y_val=np.arange(3)), {},
     r"a row of x_val has shape \(1,\) and one of x \(2,\)"),
    ("t.npz", npz(x=numbers(), y=np.arange(60) % 2, x_val=numbers(3), y_val=np.array([0, 1, 2])),
     {}, "no training row is of class 2"),
    ("t.npz", npz(x=numbers(), y=np.arange(60.0), x_val=np.array([[0, np.inf]]), y_val=np.ones(1)),
     {}, r"column 'x\[1\]' holds inf in row 1 of x_val"),
    ("t.npz", npz(x=numbers(), y=np.array([0, 1] * 29 + [0, NAN])), {}, "missing in row 60 of y"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "write", "config", "words"), BAD)
def test_a_mistake_is_one_line_at_once_and_nothing_is_compiled(
    tmp_path, caplog, name, write, config, words
):
    write(tmp_path / name)
    begin = time.process_time()
    with caplog.at_level(logging.WARNING), jax.log_compiles(), pytest.raises(ValueError) as caught:  # noqa: PT011
        file_task(tmp_path / name, DataConfig(**config), HYPER)
    assert time.process_time() - begin < 2
    assert "ompil" not in caplog.text
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 500
    assert name.split(".")[0] in message
    caught.match(words)


def test_compiling_would_be_seen(caplog):
    with caplog.at_level(logging.WARNING), jax.log_compiles():
        jax.jit(lambda a: a * 3 + 1)(2.0)
    assert "ompil" in caplog.text


def test_two_columns_of_one_name(tmp_path):
    columns = pd.DataFrame(numbers(60, 3))
    columns.columns = [1, "1", "y"]
    with pytest.raises(ValueError, match="two columns are named '1'"):
        table_task("t", "t", columns, DataConfig(), HYPER)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"target": " "}, "target"),
        ({"kind": "sorting"}, "unknown kind 'sorting'; allowed: auto, classification, regression"),
        ({"validation": 0.0}, r"validation must be in \(0, 1\), got 0.0"),
        ({"test": 1.0}, r"test must be in \(0, 1\), got 1.0"),
        ({"test": NAN}, "test must be"),
        ({"validation": 0.5, "test": 0.5}, "no row is left for training; got 0.5"),
        ({"split_seed": -1}, "split_seed"),
    ],
)
def test_a_config_that_makes_no_sense(config, words):
    with pytest.raises(ValueError, match=words):
        DataConfig(**config)
