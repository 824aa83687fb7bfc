"""Training logs that are tables of text: CSV with commas, semicolons, tabs, bars or blanks.

Lines before the header are passed over; a header that stands again begins a resumed run; lines that
were cut are left out, and all of that is said.
"""

import csv
import io
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from psi.advice.table import FLOAT, Table, count
from psi.progress import Report, silent

CHUNK = 1 << 16  # lines
HEAD = 100  # lines among which the header is looked for
WHOLE = 20  # one line in so many may be broken
NUMBER = re.compile(rf"[\[(]*\s*{FLOAT}\s*[\])]*", re.IGNORECASE)
DECIMAL_COMMA = re.compile(r"(?<![\d.,])(-?\d+),(\d+(?:[eE][+-]?\d+)?)(?=[;\t\r\n]|$)")


def read_csv(text: str, report: Report = silent) -> Table:
    """The table in a text; ValueError says which line is not as wide as the header."""
    head = _head(text)
    delimiter, begin = _header(head)
    if delimiter in ";\t" and "." not in "".join(head[begin + 1 :]):
        text = DECIMAL_COMMA.sub(r"\1.\2", text)
    before = head[:begin]
    notes = (
        [f"{count(begin, 'line')} before the header: left out"]
        if any(map(str.strip, before))
        else []
    )
    header = head[begin].strip()
    names, body = _split(_bare(header), delimiter), _after(text, begin + 1)
    _different(names)
    if _is_rule(body[: body.find("\n") + 1].strip() or "x"):  # Markdown's, below the header
        body, begin = _after(body, 1), begin + 1
    if body.count(head[begin].strip()):  # of a run that was killed it may end a line
        body = re.sub(rf"(?<=[^\s#]){re.escape(head[begin].strip())}(?=\r?\n)", "\n\\g<0>", body)
    if (table := _numbers_alone(body, names, delimiter, begin, report)) is None:
        table = _rows(body, names, delimiter, begin + 1, report)
    return replace(table, notes=(*notes, *table.notes), words="\n".join(before))


def _head(text: str) -> list[str]:
    return [line.rstrip("\r\n") for line in itertools.islice(io.StringIO(text), HEAD)]


def _after(text: str, lines: int) -> str:
    """The text without its first lines."""
    at = 0
    for _ in range(lines):
        at = text.find("\n", at) + 1 or len(text)
    return text[at:]


def _header(head: Sequence[str]) -> tuple[str, int]:
    """The delimiter, and which line is the header.

    It is the first that holds no number and before a line as wide that holds one. Where none is,
    the first line that is not empty and no comment.
    """
    filled = [k for k, line in enumerate(head) if line.strip()]
    for k, after in itertools.pairwise(filled):
        delimiter = _delimiter(head[k])
        names = _split(_bare(head[k]), delimiter)
        later = [j for j in filled if j >= after and not _is_rule(head[j])]
        cells = _split(head[later[0]], delimiter) if later else []
        if len(names) == len(cells) and any(map(_is_number, cells)) and _are_names(names):
            return delimiter, k
    first = next((k for k in filled if not head[k].lstrip().startswith("#")), filled[0])
    return _delimiter(head[first]), first


def _delimiter(line: str) -> str:
    best = max(",;\t|", key=line.count)
    return best if best in line or len(line.split()) == 1 else " "


def _split(line: str, delimiter: str) -> list[str]:
    return [cell.strip() for cell in next(_cells(line, delimiter), [])]


def _cells(text: str, delimiter: str) -> Iterator[list[str]]:
    """The lines' cells; bars at both ends and repeated blanks part nothing."""
    if delimiter == " ":
        return (line.split() for line in io.StringIO(text))
    if delimiter == "|":
        return (line.strip().strip("|").split("|") for line in io.StringIO(text))
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)


def _bare(line: str) -> str:
    """A header without the sign of a comment before it."""
    return line.lstrip("#% ")


def _is_rule(line: str) -> bool:
    return not line.strip("|-:+= \t")


def _is_number(cell: str) -> bool:
    return NUMBER.fullmatch(cell.strip()) is not None


def _are_names(cells: Sequence[str]) -> bool:
    return any(cells) and not any(map(_is_number, cells))


def _different(names: Sequence[str]) -> None:
    if twice := [name for name in names if name and names.count(name) > 1]:
        raise ValueError(f"columns must have different names, got {twice[0]!r} twice")


def _numbers_alone(
    body: str, names: Sequence[str], delimiter: str, begin: int, report: Report
) -> Table | None:
    """A table in which every cell is a number, fast; None where it is not, or without pandas."""
    if delimiter in " |" or body.count("\n") < CHUNK:
        return None
    try:
        import pandas
    except ImportError:
        return None
    total, parts = body.count("\n"), []
    try:
        chunks = pandas.read_csv(
            io.StringIO(body), sep=delimiter, header=None, names=list(names), dtype=float,
            na_values=[], keep_default_na=False, index_col=False,
            skip_blank_lines=False, skipinitialspace=True, chunksize=CHUNK,
        )  # fmt: skip
        for part in chunks:
            parts.append(part.to_numpy())
            report(min(len(parts) * CHUNK, total), total, "")
    except (ValueError, pandas.errors.ParserError, pandas.errors.ParserWarning):
        return None
    values = np.concatenate(parts)
    lines = range(begin + 2, begin + 2 + len(values))
    cells: dict[str, Any] = {name: values[:, k] for k, name in enumerate(names)}
    return Table(cells, lines)


def _rows(body: str, names: list[str], delimiter: str, lines: int, report: Report) -> Table:
    """The rows of the table, in sections that each begin with a header."""
    sections, rows, numbers, broken = _Sections(names), [], [], []
    reader, total = _cells(body, delimiter), body.count("\n") + 1
    known = {name for name in names if name}
    probe = next(k for k, name in enumerate(names) if name)
    try:
        for k, row in enumerate(reader, 1):
            line = lines + getattr(reader, "line_num", k)
            if k % CHUNK == 0:
                report(k, total, "")
                sections.add(rows, numbers)
                rows, numbers = [], []
            if len(row) == len(names) + 1 and not row[-1]:  # a delimiter ends each line
                row.pop()
            if len(row) == len(names) and row[probe].strip() not in known:
                rows.append(row)
                numbers.append(line)
            elif not any(map(str.strip, row)) or row[0].lstrip().startswith("#"):
                continue
            elif len({cell.strip() for cell in row} & known) > len(known) / 2:
                sections.add(rows, numbers)
                rows, numbers = [], []
                names = sections.begin([cell.strip() for cell in row])
                probe = next(k for k, name in enumerate(names) if name)
                known |= {name for name in names if name}
            elif not _is_rule(delimiter.join(row)):
                broken.append((line, len(row), len(names)))
    except csv.Error as error:
        raise ValueError(f"no CSV file: {error}") from None
    sections.add(rows, numbers)
    if total > CHUNK:
        report(total, total, "")
    cut = bool(broken) and broken[-1][0] == lines + total and not body.endswith("\n")
    notes = _broken(broken, len(sections.lines), cut)
    return sections.table((*notes, *sections.notes))


def _broken(broken: list[tuple[int, int, int]], rows: int, cut: bool) -> list[str]:
    """What to say of lines that are not as wide as the header; ValueError where they are many."""
    notes = []
    if cut:
        line, cells, names = broken.pop()
        notes = [f"line {line}, the last, is cut ({cells} of {names} cells): left out"]
    if broken and len(broken) > rows / WHOLE:
        line, cells, names = broken[0]
        raise ValueError(f"line {line}: {cells} cells under {names} names")
    notes += [f"line {line}: {cells} cells under {names} names, left out"
              for line, cells, names in broken[:3]]  # fmt: skip
    return notes + [f"{len(broken) - 3} more such lines left out"] * (len(broken) > 3)


class _Sections:
    """Columns that grow by the sections of a file, whose headers may differ."""

    def __init__(self, names: list[str]) -> None:
        self.names, self.lines, self.restarts, self.notes = names, [], [], []
        self.cells: dict[str, list[Any]] = {name: [] for name in names}

    def begin(self, names: list[str]) -> list[str]:
        _different(names)
        self.names = names
        self.restarts.append(len(self.lines))
        for name in names:
            self.cells.setdefault(name, [None] * len(self.lines))
        return names

    def add(self, rows: list[list[str]], numbers: list[int]) -> None:
        columns = dict(zip(self.names, zip(*rows, strict=True), strict=True)) if rows else {}
        for name, cells in self.cells.items():
            cells.extend(columns.get(name, [None] * len(rows)))
        self.lines.extend(numbers)

    def table(self, notes: Sequence[str]) -> Table:
        again = f"the header stands again {count(len(self.restarts), 'time')}: a resumed run"
        notes = (*notes, *([again] if self.restarts else []))
        return Table(self.cells, self.lines, tuple(self.restarts), notes)
