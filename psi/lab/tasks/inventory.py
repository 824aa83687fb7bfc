"""What each column of a table is: numbers, categories, or nothing to learn from.

A column of numbers with a few other marks is numbers with gaps. Dates and durations are numbers.
A column whose cells nearly all differ, as names do, or that counts rows, is left out, and so is
one that never changes. `DataConfig.ignore`, `numeric` and `categorical` overrule.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from pandas.api.types import (
    is_bool_dtype,
    is_datetime64_any_dtype,
    is_integer_dtype,
    is_string_dtype,
    is_timedelta64_dtype,
)

from psi.lab.tasks.data_config import DataConfig
from psi.lab.tasks.encoding import is_number
from psi.lab.tasks.numerals import (
    MISSING,
    READINGS,
    SAMPLE,
    days,
    decimal_votes,
    is_gap,
    looks_numeric,
    numbers,
    plain,
)

MAX_CLASSES = 20  # whole numbers that take more values are a regression's, unless told otherwise
FEW_MARKS = 5  # distinct texts that half a column of numbers may be; of more, a tenth
SHOWN = 5  # marks that an inventory shows
COUNTER = 20  # rows from which 1, 2, 3, … is no accident
_ID = re.compile(
    r"(?i:(^|.*[\W_])(id|ids|uid|uuid|guid|idx|index|rowid|rownames?|row|no|nr|number|serial)\W*$)"
    r"|(?i:.*(user|customer|client|patient|passenger|student|employee|order|product|sample)id$)"
    r"|(?i:(.*[\W_])?(code|sku|ssn|isbn|ean|barcode|account|invoice|phone|record)$)"
    r"|(?i:ids?[\W_].*$)|.*[a-z](ID|Id|Uid|UUID|No|Nr|Number|Index)$|Unnamed: \d+$|level_\d+$"
)
Kind = Literal["numbers", "categories", "left out"]


@dataclass(frozen=True)
class Column:
    """What became of a column of a table."""

    name: str
    kind: Kind
    why: str = ""
    """What its cells are, or the reason; empty where there is nothing to say."""
    gaps: int = 0
    """Cells without a value, or without a number in a column of numbers."""
    marks: tuple[str, ...] = ()
    """Texts that stand in these cells, the most frequent first; an empty one is a blank cell."""


class Cells(NamedTuple):
    """A column's cells as values, and how they were read."""

    values: pd.Series
    """float64, NaN at gaps; or text, None where missing; or a bool or category as it was."""
    why: str = ""
    missing: Sequence[str] = ()
    """Texts of cells without a value."""
    slips: pd.Series = pd.Series([], dtype=object)
    """Texts of cells that are no number where most are."""
    integers: bool = False
    """Whether they are whole numbers without a decimal point."""

    @property
    def numeric(self) -> bool:
        """Whether they are numbers."""
        return self.values.dtype == np.float64


class Inventory(NamedTuple):
    """What a table's columns are, and what is learnt from."""

    columns: tuple[Column, ...]
    x: pd.DataFrame
    """Inputs: float64 for numbers; text, bool or category for categories."""
    y: pd.Series
    """The target, likewise."""
    slips: pd.Series
    """Texts of the target's cells that are no number where most are; their rows are the index."""


def take_inventory(
    table: pd.DataFrame,
    target: str,
    data: DataConfig,
    comma: bool = False,
    labels: Sequence[str] = (),
) -> Inventory:
    """Decide what each column of a table is.

    `comma`: decimal commas where the table's own cells do not tell. `labels`: columns that name
    rows, such as a stored index. Raises ValueError where `data` asks for what cannot be.
    """
    comma = _comma(table, comma)
    columns: list[Column] = []
    inputs: list[pd.Series] = []
    whole = _parts(table[target])
    if isinstance(whole, str) or whole[0].name != target:
        what = whole if isinstance(whole, str) else f"lists of {len(whole)}"
        raise ValueError(f"the target {target!r} must be a number or a class a row, got {what}")
    goal = read_cells(table[target], comma, "numeric" if data.kind == "regression" else "")
    for name in table.columns:
        asked = next((how for how in ("numeric", "categorical") if name in getattr(data, how)), "")
        if name == target:
            columns.append(_column(name, goal))
            continue
        if name in data.ignore:
            columns.append(Column(name, "left out", "--ignore"))
            continue
        parts = _parts(table[name])
        if isinstance(parts, str):
            columns.append(Column(name, "left out", parts))
            continue
        read = [read_cells(part, comma, asked) for part in parts]
        columns.append(_judged(name, read, asked, name in labels))
        if columns[-1].kind != "left out":
            inputs += [each.values for each in read]
    # Each cells' values bear the name of their column.
    x = pd.concat(inputs, axis=1) if inputs else table.iloc[:, :0]
    return Inventory(tuple(columns), x, goal.values.rename(target), goal.slips)


def read_cells(column: pd.Series, comma: bool, asked: str = "") -> Cells:
    """The cells of a column. `asked`: numeric or categorical, whatever they look like."""
    dtype: Any = column.dtype
    if is_datetime64_any_dtype(dtype) and asked != "categorical":
        return Cells(days(column), "dates, as days", [""] * int(column.isna().sum()))
    if is_timedelta64_dtype(dtype) and asked != "categorical":
        spans = column.dt.total_seconds()
        return Cells(
            spans.astype(np.float64), "durations, as seconds", [""] * int(column.isna().sum())
        )
    if asked != "categorical" and (is_number(dtype) or (asked and is_bool_dtype(dtype))):
        floats = column.to_numpy(np.float64, na_value=np.nan)
        values = pd.Series(floats, column.index, name=column.name)
        unsaid = [""] * int(column.isna().sum())
        return Cells(values, "", unsaid, integers=is_integer_dtype(dtype))
    if (is_bool_dtype(dtype) or dtype == "category") and not asked:
        return Cells(column, "", [""] * int(column.isna().sum()))
    return _of_texts(plain(column), comma, asked)


def _of_texts(texts: pd.Series, comma: bool, asked: str) -> Cells:
    missing = texts.isin(MISSING)
    present = texts[~missing]
    words = texts.astype(object).where(~missing, None)
    unsaid = texts[missing].to_list()
    if asked == "categorical" or present.empty:
        return Cells(words, "", unsaid)
    codes = present.str.fullmatch("0[0-9]+")
    if codes.any() and not asked:
        return Cells(words, f"codes, as {present[codes].iloc[0]!r}", unsaid)
    for why, read in (("", lambda cells: numbers(cells, comma)), *READINGS):
        found = pd.Series(read(present), present.index, name=texts.name)
        slips = present[found.isna()]
        if len(slips) < len(present) and (asked or _is_numbers(found, slips)):
            why = why or _written(present, found)
            integers = present.iloc[0].isdecimal()
            return Cells(found.reindex(texts.index), why, unsaid, slips, integers)
    shown = [looks_numeric(text) for text in present.drop_duplicates()[:SAMPLE]]
    if len(shown) > MAX_CLASSES and 2 * sum(shown) > len(shown):
        slips = present[np.isnan(numbers(present, comma))]
        return Cells(words, f"numbers but for {slips.iloc[0]!r} and others", unsaid, slips)
    return Cells(words, "", unsaid)


def _is_numbers(found: pd.Series, slips: pd.Series) -> bool:
    """Whether a column is numbers, a few other marks among them.

    Where numbers take few values, as 0 1 2 3+ do, only single cells count as a slip.
    """
    odd = slips[~slips.isin([text for text in slips.unique() if is_gap(text)])]
    if len(odd) > len(found) / (2 if odd.nunique() <= FEW_MARKS else 10):
        return False
    return found.nunique() > MAX_CLASSES or len(odd) <= max(2, len(found) // 100)


def _written(present: pd.Series, found: pd.Series) -> str:
    """How the numbers are written, by an example, where not as a program writes them."""
    odd = present[found.notna() & ~present.str.fullmatch("[-+.0-9eE]+|[-+]?[a-zA-Z]+")]
    return f"{odd.iloc[0]!r} is {found[odd.index[0]]:.10g}" if len(odd) else ""


def _judged(name: str, read: Sequence[Cells], asked: str, is_label: bool) -> Column:
    first = read[0]
    why = _left_out(name, first, asked, is_label) if len(read) == 1 else ""
    if asked == "numeric" and not first.numeric and not why:
        raise ValueError(f"numeric names column {name!r}, which holds no number")
    if why:
        return _column(name, first, why, "left out")
    if len(read) > 1:
        return _column(name, first, f"lists of {len(read)}")
    alike = "" if asked else _like_names(first)
    return _column(name, first, f"{alike}: --ignore it if it names rows" if alike else "")


def _left_out(name: str, cells: Cells, asked: str, is_label: bool) -> str:
    """Why there is nothing to learn from a column, empty if there is."""
    values = cells.values
    distinct, rows = values.nunique(), int(values.count())
    if not distinct:
        return "no cell has a value"
    if distinct == 1 and rows == len(values):
        return f"constant: {values.iloc[0]:g}" if cells.numeric else f"constant: {values.iloc[0]}"
    if asked:
        return ""
    if is_label:
        return "the index of the rows"
    if cells.numeric:
        whole = not cells.why and bool((values.dropna() % 1 == 0).all())
        if whole and distinct >= 0.95 * len(values) and _ID.match(name):
            return "an identifier by its name, a number of its own in each row"
        alike = _like_names(cells)
        if alike == "rises by 1 in each row" and values.iloc[0] in (0, 1):
            return "it counts the rows"
        nameless = alike.startswith("rises") and name.isdecimal()
        return f"it {alike}, in a table without names" if nameless else ""
    if isinstance(values.dtype, pd.CategoricalDtype) or is_bool_dtype(values.dtype):
        return ""
    if distinct > max(MAX_CLASSES, rows / 2) or (distinct >= 0.95 * rows and _ID.match(name)):
        what = cells.why or "an identifier or a text"
        return f"{what}: {distinct} distinct values in {rows} cells"
    return ""


def _like_names(cells: Cells) -> str:
    """How whole numbers resemble names of rows, empty if they do not."""
    values = cells.values.to_numpy() if cells.integers else np.zeros(0)
    if len(values) < COUNTER or (values % 1 != 0).any() or len(np.unique(values)) < len(values):
        return ""
    steps = np.diff(values)
    same = (steps == steps[0]).all()
    return f"rises by {steps[0]:g} in each row" if same else "whole numbers that all differ"


def _column(name: str, cells: Cells, why: str = "", kind: Kind | None = None) -> Column:
    seen = Counter([*cells.missing, *(cells.slips if cells.numeric else ())])
    kind = kind or ("numbers" if cells.numeric else "categories")
    if kind == "categories":
        count = cells.values.nunique()
        why = f"{why}; " * bool(why) + f"{count} distinct value{'s' * (count != 1)}"
    if kind != "left out" and cells.why:
        why = f"{why}; " * bool(why) + cells.why
    marks = tuple(mark for mark, _ in seen.most_common(SHOWN))
    return Column(name, kind, why, seen.total(), marks)


def _parts(column: pd.Series) -> list[pd.Series] | str:
    """A column of lists as one column an element; the reason where it cannot be used."""
    some = column.dropna()
    if column.dtype != object or some.empty:
        return [column]
    for kind, reason in ((dict, "nested records"), (bytes, "bytes")):
        if some.map(lambda cell, kind=kind: isinstance(cell, kind)).any():
            return reason
    if not some.map(lambda cell: isinstance(cell, list | tuple | np.ndarray)).any():
        return [column]
    try:
        array = np.array([_nested(cell) for cell in some], np.float64)
    except (ValueError, TypeError):
        array = np.empty(0)
    if array.ndim < 2 or not array.size:
        return "lists of different lengths, or not of numbers"
    flat = pd.DataFrame(array.reshape(len(some), -1), some.index).reindex(column.index)
    return [flat[k].rename(f"{column.name}[{k}]") for k in flat.columns]


def _nested(cell: Any) -> Any:
    """A cell's lists as lists throughout, without arrays of arrays."""
    return [_nested(each) for each in cell] if isinstance(cell, list | tuple | np.ndarray) else cell


def _comma(table: pd.DataFrame, suggested: bool) -> bool:
    """Whether a decimal comma is this table's: the majority of the cells that tell."""
    texts = (plain(c.iloc[:SAMPLE]) for _, c in table.items() if is_string_dtype(c.dtype))
    votes = sum(decimal_votes(list(cells)) for cells in texts)
    return votes > 0 or (suggested and not votes)
