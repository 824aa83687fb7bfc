"""Tables that users brought, and what is right for each."""

import gzip
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from psi.lab.hyper import Hyper
from psi.lab.tasks.columns import target_column
from psi.lab.tasks.data_config import DataConfig
from psi.lab.tasks.table import describe, make_task

CASES = Path(__file__).parents[2] / "cases"
R = np.random.default_rng(0)
ROWS = 60
SIZES = R.normal(8, 3, ROWS).round(2)
COUNTS = R.integers(0, 5, ROWS)


def facts(case, file="mine.csv", **config):
    return make_task(str(CASES / case / file), data=DataConfig(**config)).facts


def test_case_table_no_header():
    with pytest.raises(ValueError, match="looks like data: if it is, --no-header"):
        facts("table_no_header")
    assert facts("table_no_header", header=False).rows == 72  # of 120, where 71 of 119 were


def test_case_table_parquet_decimal():
    inputs = facts("table_parquet_decimal", "inputs.parquet")
    assert (inputs.inputs, inputs.classes) == (2, 2)
    assert facts("table_parquet_decimal", "target.parquet").classes == 0


def test_case_table_question_mark():
    assert facts("table_question_mark").inputs in (2, 3)
    found = describe(str(CASES / "table_question_mark" / "mine.csv"), DataConfig())
    assert found is not None
    size = found.columns[0]
    assert (size.name, size.kind, size.gaps, size.marks) == ("size", "numbers", 1, ("?",))


def test_case_table_semicolons():
    found = facts("table_semicolons")
    assert (found.inputs, found.classes) == (2, 2)


def test_case_table_target_slip():
    words = "the target 'price' is numbers but for 'n/k' in row 8 .1 of 120 cells."
    with pytest.raises(ValueError, match=words):
        facts("table_target_slip")


def test_case_table_two_columns_one_name():
    with pytest.raises(ValueError, match="two columns are named 'price'; names must be distinct"):
        facts("table_two_columns_one_name", target="price")


def test_a_target_is_a_name_before_it_is_an_index():
    assert target_column("t", ["a", "0"], "0") == "0"
    assert target_column("t", ["a", "b"], "0") == "a"
    assert target_column("t", ["a", "b"], "-1") == "b"
    assert describe("wine", DataConfig()) is None


def table(**columns):
    known = {"size": SIZES, "count": COUNTS, "y": ["yes", "no"] * 30}
    return pd.DataFrame(known | columns)


def csv(**columns):
    return table(**columns).to_csv(index=False)


def last(**columns):
    """As csv, these columns last: targets."""
    frame = table(**columns).drop(columns="y")
    return frame[[c for c in frame if c not in columns] + list(columns)].to_csv(index=False)


def put(values, **at):
    values = [*values]
    for position, value in at.items():
        values[int(position[1:])] = value
    return values


def written(folder, name, content):
    path = folder / name.split(":")[0]
    if callable(content):
        content(path)
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(folder / name)


READ = {
    "semicolons": ("mine.csv", csv().replace(",", ";"), {}),
    "decimal commas": ("mine.csv", csv().replace(",", ";").replace(".", ","), {}),
    "tabs, UTF-16": ("mine.txt", csv().replace(",", "\t").encode("utf-16"), {}),
    "tsv": ("mine.tsv", csv().replace(",", "\t"), {}),
    "gz": ("mine.csv.gz", gzip.compress(csv().encode()), {}),
    "target in the name": ("mine.csv:size", csv(), {}),
    "target in the name of a gz": ("mine.csv.gz:size", gzip.compress(csv().encode()), {}),
    "first column": ("mine.csv", csv(), {"target": "0"}),
    "target in the middle": ("mine.csv", csv(), {"target": "-2"}),
    "no names": ("mine.data", table().to_csv(index=False, header=False), {"header": False}),
    "no names, target": ("mine.csv", table().to_csv(index=False, header=False),
                         {"header": False, "target": "0"}),
    "slip as a class": ("mine.csv", last(p=["a", "1", "2"] * 20), {}),
    "index": ("mine.csv", table().to_csv(), {}),
    "overruled": ("mine.csv", csv(), {"categorical": ("count",), "numeric": ("size",)}),
    "overruled by index": ("mine.csv", csv(), {"categorical": ("1",), "ignore": ("0",)}),
}  # fmt: skip


@pytest.mark.parametrize("kind", READ)
def test_kind_read(tmp_path, kind):
    name, content, config = READ[kind]
    found = describe(written(tmp_path, name, content), DataConfig(**config))
    assert found is not None
    assert sum(column.why.startswith("the target") for column in found.columns) == 1


def parquet(**columns):
    return lambda path: table(**columns).to_parquet(path, index=False)


BAD = {
    "a slip in the target": ("mine.csv", last(p=put(SIZES, r7="n/k")), {},
                             "the target 'p' is numbers but for 'n/k' in row 8"),
    "a gap in the target": ("mine.csv", last(p=put(SIZES, r7="?")), {}, "missing in row 8"),
    "a slip in classes": ("mine.csv", last(p=put(["a", "b"] * 30, r7="c")), {}, "class c has 1"),
    "few whole numbers": ("mine.csv", last(p=R.permutation(60) % 19), {}, "--kind regression"),
    "decimals, a slip": ("mine.csv", last(p=put(SIZES, r7="7,5x")), {}, "'7,5x' in row 8"),
    "two decimal marks": ("mine.csv", last(p=[f"{s}".replace(".", "," if k % 2 else ".")
                                              for k, s in enumerate(SIZES)]), {},
                          "the target 'p' is numbers but for"),
    "no names": ("mine.csv", table().to_csv(index=False, header=False), {}, "--no-header"),
    "names as data": ("mine.csv", csv(), {"header": False}, "looks like names"),
    "two of one name": ("mine.csv", csv().replace("count", "size", 1), {}, "two columns are named"),
    "names twice": ("mine.csv", csv() + "size,count,y\n", {}, "row 61 repeats the names"),
    "constant inputs": ("mine.csv", csv(size=1, count=2), {}, "'size' (constant: 1)"),
    "missing inputs": ("mine.csv", csv(size="", count="?"), {}, "'size' (no cell has a value)"),
    "identifiers alone": ("mine.csv", csv(size=range(ROWS), count=[f"n{k}" for k in range(ROWS)]),
                          {}, "0 columns of inputs"),
    "all ignored": ("mine.csv", csv(), {"ignore": ("size", "count",)}, "'size' (--ignore)"),
    "an unknown column ignored": ("mine.csv", csv(), {"ignore": ("sise",)}, "no column is named"),
    "the target ignored": ("mine.csv", csv(), {"ignore": ("y",)}, "ignore names the target"),
    "words as numbers": ("mine.csv", csv(c=["a", "b", "c"] * 20),
                         {"target": "y", "numeric": ("c",)}, "holds no number"),
    "a long row": ("mine.csv", csv() + "1,2,yes,4\n", {}, "Expected 3 fields in line 62"),
    "an open quote": ("mine.csv", csv() + '"1,2,yes\n', {}, "cannot be read as CSV"),
    "an Excel file": ("mine.csv", b"PK\x03\x04" + bytes(99), {}, "save the table as CSV"),
    "a broken gz": ("mine.csv.gz", gzip.compress(csv().encode())[:-20], {}, "damaged archive"),
    "zero bytes": ("mine.csv", csv() + "1,\0,yes\n", {}, "zero bytes"),
    "one class": ("mine.csv", csv(y="yes"), {}, "every row is of class yes"),
    "names alone": ("mine.csv", "size,count,y\n", {}, "got 0 rows"),
    "nothing": ("mine.csv", b"", {}, "the file is empty"),
    "blank lines": ("mine.csv", "\n\n\n", {}, "cannot be read as CSV"),
    "one column": ("mine.csv", "y\n" + "yes\nno\n" * 30, {}, "0 columns of inputs"),
    "infinite": ("mine.csv", csv(size=put(SIZES, r3="inf")), {}, "holds inf in row 4"),
    "no such column": ("mine.csv", csv(), {"target": "prize"}, "no column is named 'prize'"),
    "a far index": ("mine.csv", csv(), {"target": "7"}, "index must be in [-3, 2]"),
    "no such column, in the name": ("mine.csv:prize", csv(), {}, "no column is named 'prize'"),
    "not the encoding": ("mine.csv", csv(y=["ä", "b"] * 30).encode("cp1252"),
                         {"encoding": "utf-8"}, "cannot be read as CSV"),
    "an unknown encoding": ("mine.csv", csv(), {"encoding": "x"}, "unknown encoding 'x'"),
    "a long delimiter": ("mine.csv", csv(), {"delimiter": "::"}, "one character"),
    "the wrong delimiter": ("mine.csv", csv(), {"delimiter": ";"}, "0 columns of inputs"),
    "no Parquet": ("mine.parquet", csv(), {}, "cannot be read as Parquet"),
    "lists as target": ("mine.parquet", parquet(y=[[1.0, 2.0]] * ROWS), {}, "lists"),
    "records as target": ("mine.parquet", parquet(y=[{"a": 1}, {"a": 2}] * 30), {}, "nested"),
    "decimals, a gap in the target": ("mine.parquet",
                                      parquet(y=[None] + [Decimal("1.5")] * (ROWS - 1)), {},
                                      "missing in row 1"),
    "a constant array": ("mine.npz", lambda path: np.savez(path, x=np.ones((60, 2)), y=COUNTS), {},
                         "every input is constant"),
    "a column of an array": ("mine.npz", lambda path: np.savez(path, x=SIZES, y=COUNTS),
                             {"ignore": ("a",)}, "name columns of a table"),
    "constant Parquet": ("mine.parquet", parquet(size=1.0, count=2), {}, "constant"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_kind_refused(tmp_path, kind):
    name, content, config, words = BAD[kind]
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        make_task(written(tmp_path, name, content), Hyper(batch=8), DataConfig(**config))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
