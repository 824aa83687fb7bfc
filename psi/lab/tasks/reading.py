"""The bytes of a text table as cells of text, and what was decided to read them.

Encoding and delimiter are found and reported; whether the first line holds names is asked: a line
that contradicts what the user says is an error that names the option. No cell is interpreted.
"""

import bz2
import codecs
import csv
import gzip
import io
import lzma
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv

from psi.lab.tasks.body import cut, table_body
from psi.lab.tasks.data_config import DataConfig
from psi.lab.tasks.numerals import is_gap, looks_numeric, numbers, plain

DELIMITERS = ((",", "commas"), (";", "semicolons"), ("\t", "tabs"), ("|", "bars"), (" ", "blanks"))
SAMPLE = 200  # lines that tell the delimiter, and rows that the first line is compared with
BOMS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
PACKED = ((b"\x1f\x8b", gzip.decompress), (b"BZh", bz2.decompress), (b"\xfd7zXZ", lzma.decompress))


class UserTable(NamedTuple):
    """A table, and what its source tells beside the cells."""

    cells: pd.DataFrame
    """Columns of text, empty where a cell is, or of types of their own; messages name rows by the
    index."""
    notes: tuple[str, ...] = ()
    """How it was read: encoding, delimiter, header."""
    comma: bool = False
    """Whether decimal commas are expected where cells do not tell: the delimiter is a semicolon."""
    labels: tuple[str, ...] = ()
    """Columns that name rows, as a stored index does: a target by name, else left out."""


def read_text(content: bytes, data: DataConfig) -> UserTable:
    """The table in a CSV file's bytes, packed with gzip, bzip2 or xz or not.

    Raises ValueError where they are no text, hold rows of more cells than the first line, names
    that are not distinct, or a first line that is not what `data.header` says.
    """
    try:
        text, encoding = _decoded(_unpacked(content), data.encoding)
        text, delimiter = _cut_by(text, data.delimiter)
        body = table_body(text, delimiter, data.header)
        rows, ragged = _rows(body.text, delimiter, data.header)
    except (ValueError, csv.Error) as error:
        reason = " ".join(str(error).split())
        more = "the rows hold more cells than the header: " * ("Expected" in reason)
        raise ValueError(f"cannot be read as CSV ({more}{reason})") from error
    rows = rows.apply(plain)
    first = _check_first(rows, data)
    names = [str(k) for k in range(rows.shape[1])]
    nameless = pd.Series(True, names)
    if data.header:
        nameless = rows.iloc[0] == ""
        names = [name or f"Unnamed: {k}" for k, name in enumerate(rows.iloc[0])]
        rows = rows.iloc[1:]
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"two columns are named {repeated[0]!r}; names must be distinct")
    cells = rows.set_axis(names, axis=1).set_axis(pd.RangeIndex(1, len(rows) + 1), axis=0)
    filled = cells != ""
    # 1,2,3, and ,,, are what spreadsheets leave at the ends.
    cells = cells.loc[filled.any(axis=1), filled.any(axis=0).to_numpy() | ~nameless.to_numpy()]
    spoken = dict(DELIMITERS).get(delimiter, repr(delimiter))
    notes = [encoding, f"cells between {spoken}", first, *body.notes, *ragged]
    return UserTable(cells, tuple(notes), delimiter == ";", body.labels)


def _cut_by(text: str, asked: str) -> tuple[str, str]:
    """(text, delimiter), the text without a line such as sep=; that Excel reads."""
    lines = text.split("\n", SAMPLE)[:SAMPLE]
    declared = re.fullmatch(r'"?sep=(.)"?', lines[0].strip(" "))
    if declared:
        return text.partition("\n")[2], declared[1]
    return text, asked or _delimiter(lines)


def _unpacked(content: bytes) -> bytes:
    for magic, unpack in PACKED:
        if content.startswith(magic):
            try:
                return unpack(content)
            except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
                raise ValueError(f"a damaged archive: {error}") from None
    if content.startswith(b"PK\x03\x04"):
        raise ValueError("a zip archive, as Excel's .xlsx is: save the table as CSV")
    return content


def _decoded(content: bytes, asked: str) -> tuple[str, str]:
    """(text, encoding): by the mark of byte order, by zero bytes, UTF-8, or else Windows-1252."""
    found = next((name for mark, name in BOMS if content.startswith(mark)), None)
    start = content[:1000]
    if found is None and start.count(0) > len(start) / 4:
        found = "utf-16-le" if start[1::2].count(0) > start[::2].count(0) else "utf-16-be"
    tries = (asked,) if asked else (found,) if found else ("utf-8", "cp1252")
    reason = ""
    for encoding in tries:
        try:
            text = content.decode(encoding).removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            reason = f"{error}: --encoding names another"
            continue
        if "\0" in text:
            raise ValueError("it holds zero bytes")
        if encoding == "cp1252" and ("ÿþ" in text or "þÿ" in text):
            raise ValueError("a part of it is UTF-16; use one encoding")
        name = "encoding " + encoding
        if encoding == "cp1252" and not asked:
            name += " (it is not UTF-8; --encoding overrules)"
        return text.replace("\r\n", "\n").replace("\r", "\n"), name
    raise ValueError(reason)


def _delimiter(lines: Sequence[str]) -> str:
    """What cuts most lines into as many cells, of which most are numbers; else the commonest."""
    scores: list[tuple[float, float, int, str]] = []
    for delimiter, _ in DELIMITERS:
        rows = [row for _, row in cut(lines, delimiter) if any(row)]
        if not rows:
            break
        (width, count), *_ = Counter(map(len, rows)).most_common(1)
        cells = [cell for row in rows if len(row) == width for cell in row]
        numeric = sum(map(looks_numeric, cells)) / len(cells)
        if width > 1 and (delimiter != " " or numeric > 0.3):
            scores.append((count / len(rows), numeric, width, delimiter))
    best = max(scores, key=lambda score: score[:3], default=None)
    head = next((line for line in lines if line.strip()), "")
    return best[-1] if best else max(",;\t|", key=head.count)


def _rows(text: str, delimiter: str, header: bool) -> tuple[pd.DataFrame, list[str]]:
    """Every line's cells, and a note where a row is short; blank lines are passed over."""
    # A quote behind a blank begins a cell for pandas alone; rows of one length are Arrow's, which
    # reads them several times as fast.
    if ' "' not in text and delimiter != " ":
        width = len(next(csv.reader(io.StringIO(text), delimiter=delimiter)))
        types = {str(k): pa.string() for k in range(width)}
        try:
            table = arrow_csv.read_csv(
                io.BytesIO(text.encode()), arrow_csv.ReadOptions(column_names=list(types)),
                arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
                arrow_csv.ConvertOptions(column_types=types),
            )  # fmt: skip
            return table.to_pandas(), []
        except pa.ArrowInvalid:
            pass
    table = pd.read_csv(
        io.StringIO(text), sep=r"\s+" if delimiter == " " else delimiter, header=None, dtype=str,
        keep_default_na=False, skipinitialspace=True, low_memory=False,
    )  # fmt: skip
    sizes = [len(row) for _, row in cut(text.split("\n"), delimiter) if row]
    short = [k + 1 - header for k, size in enumerate(sizes) if size < table.shape[1]]
    where = ", ".join(map(str, short[:5])) + ", …" * (len(short) > 5)
    return table, [f"rows of fewer cells than the first line, gaps at their ends: {where}"] * bool(
        short
    )


def _count(rows: pd.DataFrame) -> bool:
    """Whether the numbers in the first line count: 0, 1, 2, or years unlike what is below them."""
    cells = [cell for cell in rows.iloc[0] if looks_numeric(cell)]
    if not all(re.fullmatch("[0-9]{1,4}", cell) for cell in cells) or len(cells) < 2:
        return False
    wholes = np.array(cells, int)
    steps = np.diff(wholes)
    if len(cells) > 2 and wholes[0] in (0, 1) and (steps == 1).all():
        return True
    below = rows.iloc[1 : SAMPLE + 1, (rows.iloc[0].map(looks_numeric)).to_numpy()]
    spans = [(np.nanmin(v), np.nanmax(v)) for _, c in below.items() for v in [numbers(c, False)]]
    apart = all(not low <= w <= high for w, (low, high) in zip(wholes, spans, strict=True))
    return bool(apart and (steps == steps[0]).all() and steps[0] > 0 and 1500 < wholes[0] < 2500)


def _check_first(rows: pd.DataFrame, data: DataConfig) -> str:
    """What the first line is. Raises ValueError where it is not what the user says it is.

    A number above numbers is data, a text above numbers a name. Of texts, one that comes again
    in its column is data, one that is alone among cells that all come again a name. Numbers that
    count, as years do, beside a text that does not come again are names.
    """
    first, rest = rows.iloc[0], rows.iloc[1 : SAMPLE + 1]
    values = names = texts_again = texts_alone = others = 0
    for cell, column in zip(first, rest.items(), strict=True):
        below = column[1][~column[1].map(is_gap).astype(bool)]
        if is_gap(cell) or below.empty:
            continue
        if below.map(looks_numeric).mean() > 0.9:
            values += looks_numeric(cell)
            names += not looks_numeric(cell)
        else:
            counts = below.value_counts()
            texts_again += cell in counts
            others += cell not in counts
            texts_alone += cell not in counts and counts.min() > 1
    numbered = others > 0 and not texts_again and _count(rows)
    shown = ", ".join(first[:5])
    if data.header and not data.force_header:
        data_like = values and (texts_again or not names) and not numbered
        if data_like or 2 * texts_again > len(first):
            raise ValueError(
                f"the first line ({shown}) looks like data: if it is, --no-header; if it holds "
                "names, --force-header"
            )
    elif not data.header and not values and (names or 2 * texts_alone > len(first)):
        raise ValueError(f"the first line ({shown}) looks like names: leave out --no-header")
    if not data.header:
        return "no names in the first line"
    again = np.full(len(rows) - 1, True)
    for cell, (_, column) in zip(first, rows.iloc[1:].items(), strict=True):
        again[again] = column[again] == cell
    if again.any():
        raise ValueError(f"row {int(again.argmax()) + 1} repeats the names in the first line")
    return "names in the first line" + f", numbers among them ({shown})" * (values > 0)
