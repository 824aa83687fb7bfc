"""Tables that users brought, and what is right for each."""

from pathlib import Path

import pytest

from psi.lab.tasks.columns import target_column
from psi.lab.tasks.data_config import DataConfig
from psi.lab.tasks.table import describe, make_task

CASES = Path(__file__).parents[2] / "cases"


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
