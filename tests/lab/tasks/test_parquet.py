"""Parquet's types, stored indices and folders of parts."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from psi.lab.hyper import Hyper
from psi.lab.tasks.data_config import DataConfig
from psi.lab.tasks.files import describe, file_task
from psi.lab.tasks.parquet import keys_of, read_parquet, read_parts

ROWS = 120
R = np.random.default_rng(0)
SIZES = R.normal(8, 3, ROWS).round(2)
HYPER = Hyper(epochs=2, batch=8)
Y = pa.array(["yes", "no"] * (ROWS // 2))
ARRAYS = {
    "decimal128": (pa.array([Decimal(f"{v:.2f}") for v in SIZES]), 1),
    "decimal, gaps": (pa.array([None, *[Decimal(f"{v:.2f}") for v in SIZES[1:]]]), 2),
    "decimal256": (pa.array([Decimal(f"{v:.2f}") for v in SIZES], pa.decimal256(40, 2)), 1),
    "duration": (pa.array((SIZES * 1e6).astype(int), pa.duration("us")), 1),
    "timestamp": (pa.array(np.arange(ROWS) * 10**9, pa.timestamp("ns")), 1),
    "timestamp, zone": (pa.array(np.arange(ROWS), pa.timestamp("s", "Asia/Tokyo")), 1),
    "timestamp, year 3000": (pa.array([dt.datetime(3000, 1, k % 28 + 1) for k in range(ROWS)]), 1),
    "date32": (pa.array([dt.date(2024, 1, k % 28 + 1) for k in range(ROWS)]), 1),
    "time": (pa.array([dt.time(k % 24, k % 60) for k in range(ROWS)]), 1),
    "nullable int": (pa.array([None, *range(3, ROWS + 2)], pa.int32()), 2),
    "uint8": (pa.array(np.arange(ROWS) % 50, pa.uint8()), 1),
    "float16": (pa.array(SIZES.astype(np.float16)), 1),
    "bool": (pa.array([k % 3 == 0 for k in range(ROWS)]), 2),
    "dictionary": (pa.array(["a", "b", "c"] * 40).dictionary_encode(), 3),
    "string of numbers": (pa.array([f"{v:.2f}" for v in SIZES]), 1),
    "list": (pa.array([[float(v), 2 * float(v), 1.0] for v in SIZES]), 3),
    "fixed list": (pa.array([[v, 1] for v in range(ROWS)], pa.list_(pa.int64(), 2)), 2),
    "list in lists": (pa.array([[[v, 1.0], [2.0, v]] for v in SIZES.tolist()]), 4),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_kind_of_type(tmp_path, name):
    values, inputs = ARRAYS[name]
    path = tmp_path / "mine.parquet"
    pq.write_table(pa.table({"a": values, "size": SIZES, "y": Y}), path)
    task = file_task(path, DataConfig(split_seed=1), HYPER)
    assert (task.facts.inputs - 1 <= inputs, task.facts.classes) == (True, 2)
    # A gap adds an indicator if a training row has it.
    assert task.facts.inputs - 1 == inputs - (name in ("decimal, gaps", "nullable int")
                                              and task.facts.inputs == 2)  # fmt: skip


@pytest.mark.parametrize("name", ["decimal128", "decimal256", "duration", "float16"])
def test_kind_of_type_as_target(tmp_path, name):
    path = tmp_path / "mine.parquet"
    pq.write_table(pa.table({"size": SIZES, "y": ARRAYS[name][0]}), path)
    assert file_task(path, DataConfig(), HYPER).facts.classes == 0


def frame(seed=0):
    random = np.random.default_rng(seed)
    return pd.DataFrame({"size": random.normal(size=60), "y": np.arange(60) % 2})


def test_a_stored_index_is_a_target_by_name_and_never_an_input(tmp_path):
    path = tmp_path / "mine.parquet"
    frame().assign(price=SIZES[:60]).set_index("price").to_parquet(path)
    assert file_task(path, DataConfig(), HYPER).facts.classes == 2  # y is the last column
    found = describe(path, DataConfig())
    assert [(c.name, c.kind, c.why) for c in found.columns[2:]] == [
        ("price", "left out", "the index of the rows")
    ]
    task = file_task(path, DataConfig(target="price"), HYPER)
    assert (task.facts.classes, task.facts.inputs) == (0, 2)
    assert read_parquet(path).labels == ("price",)


def test_kind_folder_of_parts(tmp_path):
    for part in range(3):
        frame(part).to_parquet(tmp_path / f"part-{part}.parquet")
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / ".part-0.parquet.crc").touch()
    whole = pd.concat([frame(part) for part in range(3)])
    whole.to_parquet(tmp_path.parent / f"{tmp_path.name}.parquet")
    folder = file_task(tmp_path, DataConfig(), HYPER)
    one = file_task(tmp_path.parent / f"{tmp_path.name}.parquet", DataConfig(), HYPER)
    np.testing.assert_array_equal(folder.splits.train.x, one.splits.train.x)
    assert (folder.name, folder.facts.rows) == (tmp_path.name, 108)
    assert describe(tmp_path, DataConfig()).notes == ("Parquet, 3 parts",)


def test_kind_folder_whose_parts_differ_in_types(tmp_path):
    frame().astype({"y": float}).to_parquet(tmp_path / "b.parquet")
    frame().astype({"size": int, "y": "int32"}).to_parquet(tmp_path / "a.parquet")
    table = read_parts(tmp_path, sorted(tmp_path.iterdir())).cells
    np.testing.assert_array_equal(table["size"][60:], frame()["size"])


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_kind_folder_with_keys(tmp_path, kind):
    for year in (2023, 2024):
        (tmp_path / f"year={year}").mkdir()
        path = tmp_path / f"year={year}" / f"part.{kind}"
        (frame().to_parquet if kind == "parquet" else frame().to_csv)(path, index=False)
    found = describe(tmp_path, DataConfig())
    assert [(c.name, c.kind) for c in found.columns[:2]] == [
        ("year", "numbers"),
        ("size", "numbers"),
    ]
    assert (len(found.y), found.columns[2].name) == (120, "y")
    assert keys_of(tmp_path, path) == {"year": "2024"}


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_kind_folder_whose_parts_differ_in_columns(tmp_path, kind):
    for name, table in (("a", frame()), ("b", frame().rename(columns={"size": "width"}))):
        path = tmp_path / f"{name}.{kind}"
        (table.to_parquet if kind == "parquet" else table.to_csv)(path, index=False)
    with pytest.raises(ValueError, match=r"differ in their columns"):
        file_task(tmp_path, DataConfig(), HYPER)


def test_kind_folder_of_csv_parts(tmp_path):
    for part in range(2):
        frame(part).to_csv(tmp_path / f"part-{part}.csv.gz", index=False)
    assert file_task(tmp_path, DataConfig(), HYPER).facts.rows == 72
    frame().assign(y=["x", *[0, 1] * 29, 0]).to_csv(tmp_path / "part-2.csv.gz", index=False)
    with pytest.raises(ValueError, match=r"numbers but for 'x' in row 1 of part-2.csv.gz"):
        file_task(tmp_path, DataConfig(), HYPER)


def test_kind_folder_of_nothing_or_of_two_kinds(tmp_path):
    with pytest.raises(ValueError, match="the folder holds no part"):
        file_task(tmp_path, DataConfig(), HYPER)
    frame().to_csv(tmp_path / "a.csv")
    frame().to_parquet(tmp_path / "b.parquet")
    with pytest.raises(ValueError, match="the parts must be all CSV or all Parquet"):
        file_task(tmp_path, DataConfig(), HYPER)
