"""Numbers, dates and durations as people write them, read from cells of text.

A decimal mark is a point or a comma; the other one, a space or an apostrophe may group digits.
Currencies, percent signs and a unit that a column repeats are taken off, (12) is −12.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
from jaxtyping import Float64

Values = Float64[np.ndarray, " cells"]
Cells = Sequence[str] | pd.Series
pc: Any = pyarrow.compute  # its functions are made at import: no type checker knows them
MISSING = frozenset(
    ("", "?", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
     "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null")
)  # fmt: skip
"""Cells without a value, whatever the column: those of pandas.read_csv, and UCI's question mark."""
GAPS = frozenset(
    ("-", "--", "---", ".", "..", "...", "*", "na", "n.a.", "nd", "n.d.", "n/d", "nk", "n/k", "nil",
     "none", "nan", "null", "missing", "unknown", "not available", "tbd", "#div/0!", "#value!",
     "#ref!", "#name?", "#num!", "#null!", "#n/v", "#nv")
)  # fmt: skip
"""Cells without a number where a column is one of numbers, in any letter case."""
SAMPLE = 1000
"""Cells of a column that tell its decimal mark."""
_ODD = "^ | $|  |[\t\n\v\f\r−\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
_MONEY = r"(?:R\$|[A-Z]{0,2}\$|[€£¥₹₽₩]|USD|EUR|GBP|CHF|JPY|INR|Rs\.?)"
_UNIT = r"""[0-9.,]\s*(?P<unit>[A-Za-zµμ°"'][^\s0-9]{0,8}[23]?)$"""
_DATE = "|".join(
    rf"[0-9]{{4}}{mark}[0-9]{{1,2}}{mark}[0-9]{{1,2}}(?:[T ].*)?"
    rf"|[0-9]{{1,2}}{mark}[0-9]{{1,2}}{mark}[0-9]{{4}}(?:[T ].*)?"
    for mark in ("-", "/", "[.]")
)
_TIME = r"[0-9]+:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?"
_DURATION = rf"-?(?:[0-9]+ days?,? ?)?[+-]?(?:{_TIME})?"


def _pattern(mark: str) -> re.Pattern[str]:
    group = rf"[ '’{'.' if mark == ',' else ','}]"
    # Groups of three, or of two as in India: 1,23,456.
    grouped = rf"[1-9][0-9]{{0,2}}(?:{group}[0-9]{{2,3}})*{group}[0-9]{{3}}"
    mark = re.escape(mark)
    bare = rf"(?:[0-9]+(?:{mark}[0-9]*)?|{mark}[0-9]+)(?:[eE][+-]?[0-9]+)?"
    body = rf"(?:{grouped}(?:{mark}[0-9]*)?|{bare})"
    signed = rf"(?:[-+]?\s*{_MONEY}?|{_MONEY}\s*[-+])\s*{body}\s*(?:{_MONEY}|%)?"
    return re.compile(rf"{signed}-?|\(\s*{signed}\s*\)|[-+]?inf(?:inity)?", re.ASCII)


_PATTERNS = {mark: _pattern(mark) for mark in ".,"}


def plain(cells: pd.Series) -> pd.Series:
    """Cells as text without blanks around them, an empty text where one is missing."""
    if not isinstance(cells.dtype, pd.StringDtype):
        return cells.astype(object).where(cells.notna(), "").map(_plain).astype("str")
    texts = cells.fillna("")
    odd = texts.str.contains(_ODD)  # few, if any: the rest stays as it is
    return texts.mask(odd, texts[odd].map(_plain)) if odd.any() else texts


def _plain(cell: object) -> str:
    return " ".join(str(cell).split()).replace("−", "-")


def is_gap(text: str) -> bool:
    """Whether a cell says that there is no value, or no number."""
    return text in MISSING or text.lower() in GAPS


def looks_numeric(text: str) -> bool:
    """Whether a cell is a number in some way of writing it."""
    return any(pattern.fullmatch(text) for pattern in _PATTERNS.values())


def decimal_votes(texts: Sequence[str]) -> int:
    """How many cells are numbers with a decimal comma alone, less those with a point alone."""
    votes = Counter(
        bool(_PATTERNS[","].fullmatch(text)) - bool(_PATTERNS["."].fullmatch(text))
        for text in texts
        if "," in text or "." in text
    )
    return votes[1] - votes[-1]


def numbers(texts: Cells, comma: bool) -> Values:
    """The numbers, NaN where a cell is none. A column's own cells decide on the decimal mark.

    `comma`: the mark where they do not, as 1,234 and 1.234.
    """
    cells = _arrow(texts)
    if not comma:
        try:
            return pc.cast(cells, pa.float64()).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid:
            pass
    coded = cells.dictionary_encode()
    distinct = coded.dictionary
    votes = decimal_votes(distinct[:SAMPLE].to_pylist())
    mark = "," if votes > 0 or (comma and not votes) else "."
    found = _floats(distinct, mark)
    if np.isnan(found).any():
        units = pc.struct_field(pc.extract_regex(distinct, _UNIT), "unit").drop_null()
        if len(units.unique()) == 1 and 2 * len(units) >= len(distinct):
            ends = re.escape(units[0].as_py())
            found = _floats(pc.replace_substring_regex(distinct, rf"\s*{ends}$", ""), mark)
    return found[coded.indices.to_numpy()]


def _arrow(texts: Cells) -> pa.Array:
    found = pa.array(texts, pa.large_string())
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def _floats(cells: pa.Array, mark: str) -> Values:
    """Of distinct cells, in Arrow throughout."""
    fits = pc.match_substring_regex(cells, f"^(?:{_PATTERNS[mark].pattern})$")
    digits = pc.replace_substring_regex(cells, rf"{_MONEY}|[\s'’%()]", "")
    digits = pc.replace_substring(digits, "." if mark == "," else ",", "")
    digits = pc.replace_substring(digits, mark, ".")
    negative = pc.match_substring_regex(cells, r"^\(|-$")
    turned = pc.replace_substring_regex(pc.utf8_trim(digits, "+-"), "^", "-")
    digits = pc.if_else(fits, pc.if_else(negative, turned, digits), None)
    return pc.cast(digits, pa.float64()).to_numpy(zero_copy_only=False)


def dates(texts: Cells) -> Values:
    """Days since 1970, NaN where a cell is no date.

    Year first, or year last where the cells tell whether the day or the month comes first.
    """
    cells = pd.Series(texts, dtype="str")
    fits = cells.str.fullmatch(_DATE)
    cells = cells.where(fits, "")
    if not fits.any():
        return np.full(len(cells), np.nan)
    iso = cells.str.replace(r"^(\d{4})[/.](\d{1,2})[/.](\d{1,2})", r"\1-\2-\3", regex=True)
    iso = iso.str.replace(r"-(\d)(T|\b)", r"-0\1\2", regex=True)
    found = _days(iso, "ISO8601")
    if np.isfinite(found).any():
        return found
    point = cells.str.contains(".", regex=False).any()
    cells = cells.str.replace(r"^(\d+)[/.-](\d+)[/.-]", r"\1/\2/", regex=True)
    times = ("", " %H:%M", " %H:%M:%S")
    orders = [
        np.fmax.reduce([_days(cells, order + time) for time in times])
        for order in (("%d/%m/%Y",) if point else ("%d/%m/%Y", "%m/%d/%Y"))
    ]
    orders.sort(key=lambda days: -np.isfinite(days).sum())
    if len(orders) > 1 and np.isfinite(orders[0]).sum() == np.isfinite(orders[1]).sum():
        return np.full(len(cells), np.nan)
    return orders[0]


def _days(cells: pd.Series, form: str) -> Values:
    return days(pd.to_datetime(cells, format=form, utc=True, errors="coerce")).to_numpy()


def days(stamps: pd.Series) -> pd.Series:
    """Days since 1970 in UTC of a column of dates, as float64."""
    # In microseconds, since nanoseconds end in the year 2262.
    stamps = pd.to_datetime(stamps, utc=True).dt.as_unit("us")
    start = pd.Timestamp(0, tz="UTC").as_unit("us")
    return ((stamps - start) / pd.Timedelta(days=1)).astype(np.float64)


def durations(texts: Cells) -> Values:
    """Seconds of 0:01:05, 12:30 (hours and minutes) or 2 days 00:00:01; NaN for any other cell."""
    cells = pd.Series(texts, dtype="str")
    fits = cells.str.fullmatch(_DURATION)
    if not fits.any():
        return np.full(len(cells), np.nan)
    short = cells.str.fullmatch(r"[^:]*:[^:]*")
    full = cells.where(~short, cells + ":00").where(fits, "")
    spans = pd.to_timedelta(full.astype(object), errors="coerce")
    return spans.dt.total_seconds().to_numpy(np.float64)


READINGS: tuple[tuple[str, Callable[[Cells], Values]], ...] = (
    ("dates, as days", dates),
    ("durations, as seconds", durations),
)
"""What a column may hold that becomes numbers, beside numbers."""
