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
from operator import itemgetter
from typing import Any

from psi.advice.table import FLOAT, Table, count, left_out
from psi.progress import Report, silent

CHUNK = 1 << 16  # lines
HEAD = 100  # lines among which the header is looked for
WHOLE = 20  # one line in so many may be broken
NUMBER = re.compile(rf"[\[(]*\s*{FLOAT}\s*[\])]*", re.IGNORECASE)
DECIMAL_COMMA = re.compile(r"(?<![\d.,])(-?\d+),(\d+(?:[eE][+-]?\d+)?)(?=[;\t\r\n]|$)")
BARS = "│┃║"
BOX = dict.fromkeys(range(0x2500, 0x2580), "-") | dict.fromkeys(map(ord, BARS), "|")


def read_csv(text: str, report: Report = silent) -> Table:
    """The table in a text; ValueError says which line is not as wide as the header."""
    if any(each in text for each in BARS):
        text = text.translate(BOX)
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
    table = _rows(body, names, delimiter, begin + 2, report)
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


def _rows(body: str, names: list[str], delimiter: str, first: int, report: Report) -> Table:
    """The rows of the table, in sections that each begin with a header; `first` is their line."""
    sections, reader, total = _Sections(names), _cells(body, delimiter), body.count("\n") + 1
    line = first
    try:
        while rows := list(itertools.islice(reader, CHUNK)):
            sections.add(rows, line)
            line += len(rows)
            if total > CHUNK:
                report(min(line - first, total), total, "")
    except csv.Error as error:
        raise ValueError(f"no CSV file: {error}") from None
    cut = not body.endswith("\n") and [each[0] for each in sections.broken][-1:] == [line - 1]
    notes = _broken(sections.broken, len(sections.lines), cut)
    if again := len(sections.restarts):
        notes.append(f"the header stands again {count(again, 'time')}: a resumed run")
    return Table(sections.cells, sections.lines, tuple(sections.restarts), tuple(notes))


def _broken(broken: list[tuple[int, int, int]], rows: int, cut: bool) -> list[str]:
    """What to say of lines that are not as wide as the header; ValueError where they are many."""
    notes = []
    if cut:
        line, cells, names = broken.pop()
        notes = [f"line {line}, the last, is cut ({cells} of {names} cells): left out"]
    wrong = [f"line {line}: {cells} cells under {names} names" for line, cells, names in broken]
    return notes + left_out(wrong, rows / WHOLE)


class _Sections:
    """Columns that grow by the sections of a file, whose headers may differ."""

    def __init__(self, names: list[str]) -> None:
        self.lines: list[int] = []
        self.restarts: list[int] = []
        self.broken: list[tuple[int, int, int]] = []  # line, cells, names
        self.cells: dict[str, list[Any]] = {}
        self.known: set[str] = set()
        self._begin(names)

    def add(self, rows: list[list[str]], line: int) -> None:
        """Add rows of any kind, the first from that line."""
        if self._plain(rows):
            return self._extend(rows, range(line, line + len(rows)))
        kept: list[list[str]] = []
        numbers: list[int] = []
        for number, row in enumerate(rows, line):
            names = self.names
            if len(row) == len(names) + 1 and not row[-1]:  # a delimiter ends each line
                row.pop()
            if not any(map(str.strip, row)) or row[0].lstrip().startswith("#"):
                continue
            if len({cell.strip() for cell in row} & self.known) > len(self.known) / 2:
                self._extend(kept, numbers)
                kept, numbers = [], []
                self.restarts.append(len(self.lines))
                self._begin([cell.strip() for cell in row])
            elif len(row) == len(names):
                kept.append(row)
                numbers.append(number)
            elif not _is_rule("".join(row)):
                self.broken.append((number, len(row), len(names)))
        self._extend(kept, numbers)

    def _begin(self, names: list[str]) -> None:
        _different(names)
        self.names = names
        self.known |= {name for name in names if name}
        self.probe = next(k for k, name in enumerate(names) if name)
        for name in names:
            self.cells.setdefault(name, [None] * len(self.lines))

    def _plain(self, rows: list[list[str]]) -> bool:
        """Whether all rows are as wide as the header, and none a header or a comment."""
        if {*map(len, rows)} != {len(self.names)}:
            return False
        probed = set(map(str.strip, map(itemgetter(self.probe), rows)))
        no_comment = "#" not in "".join(map(itemgetter(0), rows))
        return no_comment and probed.isdisjoint(self.known)

    def _extend(self, rows: list[list[str]], numbers: Sequence[int]) -> None:
        columns = dict(zip(self.names, zip(*rows, strict=True), strict=True)) if rows else {}
        for name, cells in self.cells.items():
            cells.extend(columns.get(name, [None] * len(rows)))
        self.lines.extend(numbers)
