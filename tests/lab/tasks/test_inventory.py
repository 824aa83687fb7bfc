"""What a column is: gaps, identifiers, constants, dates; and what overrules."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from psi.lab.tasks.data_config import DataConfig
from psi.lab.tasks.inventory import Column, take_inventory

ROWS = 120
R = np.random.default_rng(0)
SIZES = [f"{value:.2f}" for value in R.normal(8, 3, ROWS)]
COUNTS = [str(value) for value in R.integers(0, 5, ROWS)]
WORDS = R.choice(["red", "green", "blue"], ROWS).tolist()
CODES = R.permutation(np.arange(50000, 50000 + ROWS))
TARGET = ["yes", "no"] * (ROWS // 2)
NAN = float("nan")


def put(cells, **at):
    """Cells with others in their place: put(SIZES, r5="?")."""
    cells = list(cells)
    for position, value in at.items():
        cells[int(position[1:])] = value
    return cells


def column(cells, name="a", **config):
    """(what column `name` is, its inputs)."""
    table = pd.DataFrame({name: pd.Series(cells, dtype=None), "b": R.normal(size=len(cells))})
    table["y"] = (TARGET * 20)[: len(cells)]
    found = take_inventory(table, "y", DataConfig(**config))
    inputs = [each for each in found.x.columns if str(each).split("[")[0] == name]
    return found.columns[0], found.x[inputs]


def written(form):
    return [form(float(size)) for size in SIZES]


NUMBERS = {
    "a question mark": (put(SIZES, r5="?"), 1, ("?",)),
    "many question marks": (["?" if k % 3 else SIZES[k] for k in range(ROWS)], 80, ("?",)),
    "blanks and NA": (put(SIZES, r5="", r6="NA", r7=""), 3, ("", "NA")),
    "n/k, unknown, a dash": (put(SIZES, r5="n/k", r6="Unknown", r7="-"), 3, None),
    "Excel's errors": (put(SIZES, r5="#DIV/0!", r6="#VALUE!"), 2, None),
    "a slip of the hand": (put(SIZES, r5="7.o9"), 1, ("7.o9",)),
    "below detection": (["<0.05" if k % 4 == 0 else SIZES[k] for k in range(ROWS)], 30, None),
    "few whole numbers, one slip": (put(COUNTS, r5="two"), 1, ("two",)),
    "few whole numbers, many dots": (["." if k % 2 else COUNTS[k] for k in range(ROWS)], 60, None),
    "thousands": (written(lambda v: f"{1000 * v:,.1f}"), 0, ()),
    "dollars": (written(lambda v: f"${1000 * v:,.2f}"), 0, ()),
    "euros": (written(lambda v: f"{v:.2f} €".replace(".", ",")), 0, ()),
    "percent": (written(lambda v: f"{v:.1f}%"), 0, ()),
    "decimal commas": (written(lambda v: f"{v:.2f}".replace(".", ",")), 0, ()),
    "decimal commas, a gap": (put([s.replace(".", ",") for s in SIZES], r5="k.A."), 1, ("k.A.",)),
    "a unit": (written(lambda v: f"{v:.2f} kg"), 0, ()),
    "accounts": (written(lambda v: f"({v:.2f})" if v > 0 else f"{-v:.2f}"), 0, ()),
    "dates": ([f"2024-01-{k % 28 + 1:02}" for k in range(ROWS)], 0, ()),
    "dates and times": ([f"2024-01-{k % 28 + 1:02} 12:{k % 60:02}:00" for k in range(ROWS)], 0, ()),
    "German dates, a gap": (put([f"{k % 28 + 1}.3.2024" for k in range(ROWS)], r5=""), 1, ("",)),
    "American dates": ([f"{k % 12 + 1}/{k % 28 + 1}/2024" for k in range(ROWS)], 0, ()),
    "times of day": ([f"{k % 24}:{k % 60:02}" for k in range(ROWS)], 0, ()),
    "decimals": ([Decimal(size) for size in SIZES], 0, ()),
    "decimals, a gap": (put([Decimal(size) for size in SIZES], r5=None), 1, ("",)),
    "days": ([dt.date(2024, 1, 1) + dt.timedelta(k % 40) for k in range(ROWS)], 0, ()),
    "stamps": (pd.date_range("2024-01-01", periods=ROWS, freq="h", tz="Europe/Paris"), 0, ()),
    "durations": (pd.to_timedelta(np.arange(ROWS) % 50, unit="min"), 0, ()),
    "nullable whole numbers": (pd.array([None, *range(5, ROWS + 4)], dtype="Int64"), 1, ("",)),
    "floats, a gap": (put(map(float, SIZES), r5=NAN), 1, ("",)),
    "years": ([1900 + k for k in range(ROWS)], 0, ()),
    "distinct whole numbers": (CODES, 0, ()),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_kind_numbers_with_gaps(name):
    cells, gaps, marks = NUMBERS[name]
    found, inputs = column(cells)
    assert (found.kind, found.gaps) == ("numbers", gaps), found
    assert marks in (None, found.marks)
    assert inputs.to_numpy().dtype == np.float64
    assert inputs.shape == (ROWS, 1)
    assert int(inputs.isna().sum().iloc[0]) == gaps


CATEGORIES = {
    "words": (WORDS, 3),
    "words, a question mark": (put(WORDS, r5="?"), 3),
    "3+": (["3+" if c == "3" else c for c in COUNTS], 5),
    "5more": (["5more" if c == "4" else c for c in COUNTS], 5),
    "postcodes": ([f"0{5000 + k % 30}" for k in range(ROWS)], 30),
    "yes and no": (TARGET, 2),
    "true and false": ([k % 3 == 0 for k in range(ROWS)], 2),
    "a category of numbers": (pd.Categorical(np.arange(ROWS) % 4), 4),
    "diagnoses": ([f"V{k % 25}" if k % 3 else "250.8" for k in range(ROWS)], 26),
    "sizes": (R.choice(["S", "M", "L", "10"], ROWS).tolist(), 4),
    "dates of an unknown order": ([f"0{k % 9 + 1}/0{k % 9 + 1}/2024" for k in range(ROWS)], 9),
    "one word or none": (["yes" if k % 2 else "" for k in range(ROWS)], 1),
}


@pytest.mark.parametrize("name", CATEGORIES)
def test_kind_categories(name):
    cells, distinct = CATEGORIES[name]
    found, inputs = column(cells)
    assert found.kind == "categories", found
    assert inputs.iloc[:, 0].nunique() == distinct
    assert f"{distinct} distinct value" in found.why


LEFT_OUT = {
    "names": ("name", [f"Mr. {k}" for k in range(ROWS)], "120 distinct values in 120 cells"),
    "tickets": ("t", [f"A/{k % 90}" for k in range(ROWS)], "90 distinct values in 120 cells"),
    "hashes": ("h", [f"{k:08x}f" for k in CODES], "distinct values"),
    "padded codes": ("code", [f"{k:08}" for k in CODES], "distinct values"),
    "two decimal marks": (
        "size",
        [s.replace(".", ",") if k % 2 else s for k, s in enumerate(SIZES)],
        "numbers but for",
    ),
    "many slips": (
        "size",
        [f"{s}{'abcdefgh'[k % 8] * (k % 3 == 0)}" for k, s in enumerate(SIZES)],
        "numbers but for",
    ),
    "a counter": ("n", [str(k) for k in range(1, ROWS + 1)], "it counts the rows"),
    "a counter from 0": ("x", list(range(ROWS)), "it counts the rows"),
    "pandas' index": ("Unnamed: 0", [str(k) for k in CODES], "an identifier by its name"),
    "Id": ("Id", CODES, "an identifier by its name"),
    "PassengerId": ("PassengerId", CODES, "an identifier by its name"),
    "customer_id": ("customer_id", [str(k) for k in CODES], "an identifier by its name"),
    "car_ID": ("car_ID", [str(k) for k in CODES], "an identifier by its name"),
    "S.No": ("S.No", [str(k) for k in CODES], "an identifier by its name"),
    "ID number": ("ID number", [str(k) for k in CODES], "an identifier by its name"),
    "constant": ("c", ["7"] * ROWS, "constant: 7"),
    "one word": ("c", ["a"] * ROWS, "constant: a"),
    "no value": ("c", [""] * ROWS, "no cell has a value"),
    "question marks alone": ("c", ["?"] * ROWS, "no cell has a value"),
    "NaN alone": ("c", [NAN] * ROWS, "no cell has a value"),
    "None alone": ("c", [None] * ROWS, "no cell has a value"),
    "records": ("r", [{"a": 1}] * ROWS, "nested"),
    "bytes": ("r", [b"a", b"b"] * 60, "bytes"),
    "uneven lists": ("r", [[1.0], [1.0, 2.0]] * 60, "lists of different lengths"),
    "lists of words": ("r", [["a"], ["b"]] * 60, "not of numbers"),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_kind_left_out(name):
    title, cells, why = LEFT_OUT[name]
    found, inputs = column(cells, title)
    assert found.kind == "left out"
    assert why in found.why
    assert inputs.empty


@pytest.mark.parametrize("title", ["grid", "acid", "humid", "size", "identity", "number_of_rooms"])
def test_a_name_that_only_resembles_an_identifier_s(title):
    assert column(CODES, title)[0].kind == "numbers"


def test_an_identifier_s_name_on_values_that_repeat_is_a_number():
    assert column(COUNTS, "store_id")[0].kind == "numbers"


def test_lists_become_a_column_an_element():
    cells = put([np.array([k, k + 1.0, 3]) for k in range(ROWS)], r5=None)
    found, inputs = column(cells)
    assert found == Column("a", "numbers", "lists of 3", 1, ("",))
    assert list(inputs.columns) == ["a[0]", "a[1]", "a[2]"]
    np.testing.assert_array_equal(inputs.iloc[7], [7, 8, 3])


@pytest.mark.parametrize(
    ("cells", "config", "kind"),
    [
        (SIZES, {"ignore": ("a",)}, "left out"),
        (COUNTS, {"categorical": ("a",)}, "categories"),
        ([f"Mr. {k}" for k in range(ROWS)], {"categorical": ("a",)}, "categories"),
        (list(range(ROWS)), {"numeric": ("a",)}, "numbers"),
        ([f"{k:08}" for k in CODES], {"numeric": ("a",)}, "numbers"),
        (["3+" if c == "3" else c for c in COUNTS], {"numeric": ("a",)}, "numbers"),
        ([k % 3 == 0 for k in range(ROWS)], {"numeric": ("a",)}, "numbers"),
        (pd.date_range("2024-01-01", periods=ROWS), {"categorical": ("a",)}, "categories"),
        (np.arange(ROWS) % 3, {"categorical": ("a",)}, "categories"),
    ],
)
def test_the_user_overrules(cells, config, kind):
    assert column(cells, **config)[0].kind == kind


def test_words_cannot_be_numbers():
    with pytest.raises(ValueError, match="numeric names column 'a', which holds no number"):
        column(WORDS, numeric=("a",))


def test_how_numbers_are_written_is_told():
    assert column(written(lambda v: f"{1000 + v:,.2f}"))[0].why.startswith("'1,0")
    assert column([f"2024-01-{k % 28 + 1:02}" for k in range(ROWS)])[0].why == "dates, as days"


def test_a_table_s_decimal_comma_holds_for_columns_that_do_not_tell():
    table = pd.DataFrame(
        {"a": ["1.234", "2.345"] * 20, "b": ["1,5", "2,25"] * 20, "y": TARGET[:40]}
    )
    inputs = take_inventory(table, "y", DataConfig()).x
    np.testing.assert_array_equal(inputs.iloc[:2], [[1234, 1.5], [2345, 2.25]])
    table = pd.DataFrame({"a": ["1,234", "2,345"] * 20, "y": TARGET[:40]})
    for semicolons, value in ((True, 1.234), (False, 1234)):
        assert take_inventory(table, "y", DataConfig(), semicolons).x.iloc[0, 0] == value
