"""The lines of a text that are its table: titles, comments and footers are passed over, and told.

A header may be a cell shorter than the rows: where these begin with names of their own, as R
writes them, or all end in a delimiter.
"""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from psi.lab.tasks.numerals import looks_numeric

SAMPLE = 200  # lines that tell what a table is like
SHOWN = 3  # lines that a note shows
ROW_NAME = "row_name"
Line = tuple[int, list[str]]  # the number of a row's first line, and its cells


_TOTAL = r"(?i:(grand |sub)?totals?|sum|average|mean)"


class Body(NamedTuple):
    """A table's lines, the first one its names if it has any."""

    text: str
    notes: tuple[str, ...] = ()
    """What was passed over, and what a short header means."""
    labels: tuple[str, ...] = ()
    """The column of row names."""


def cut(lines: Sequence[str], delimiter: str) -> list[Line]:
    """Rows of cells without blanks around them; a row in quotes may span lines."""
    # Several blanks, or a tab among them, are one.
    plain = [" ".join(line.split()) for line in lines] if delimiter == " " else lines
    reader = csv.reader(plain, delimiter=delimiter, skipinitialspace=True)
    rows, start = [], 0
    try:
        for row in reader:
            rows.append((start, [cell.strip() for cell in row]))
            start = reader.line_num
    except csv.Error:
        return []
    return rows


def table_body(text: str, delimiter: str, header: bool) -> Body:
    """The table among a text's lines."""
    lines = text.split("\n")
    rows = [row for row in cut(lines[:SAMPLE], delimiter) if any(row[1])]
    if not text.strip():
        raise ValueError("every line is blank")
    if not rows:
        return Body(text)
    counts = Counter(len(cells) for _, cells in rows)
    width = max(counts, key=lambda size: (counts[size], size))
    marked = sum(cells[0].startswith("#") for _, cells in rows)
    comment = "#" if 2 * marked < len(rows) else "\0"  # else it begins values, such as #FF0000
    first = 0
    while first < len(rows) - 1 and _is_aside(rows[first:], width, header, comment):
        first += 1
    start = rows[first][0]
    end = max(start + 1, _end(lines, delimiter, width))
    over = [line for line in lines[:start] + lines[end:] if line.strip()]
    kept = lines[start:end]
    notes, labels = [], ()
    if header:
        if len(rows) > first + 1 and _is_rule(rows[first + 1][1]):
            over.append(kept.pop(rows.pop(first + 1)[0] - start))
        if re.match(f"{comment}\\s", kept[0]) or (over and kept[0].startswith(comment)):
            kept[0] = kept[0].lstrip("# ")
            notes.append(f"names after {comment}")
        more, labels = _lacking([cells for _, cells in rows[first:]], width)
        if labels:
            kept[0] = f"{labels[0]}{delimiter}{kept[0]}"
        elif more:
            kept[0] += delimiter
        notes += [more] * bool(more)
    if any(line.startswith(comment) for line in over):
        over += [line for line in kept if line.startswith(comment)]
        kept = [line for line in kept if not line.startswith(comment)]
    if over:
        shown = ", ".join(repr(line[:40]) for line in over[:SHOWN]) + ", …" * (len(over) > SHOWN)
        notes.append(f"{len(over)} line{'s' * (len(over) > 1)} passed over: {shown}")
    return Body("\n".join(kept), tuple(notes), labels)


def _is_aside(rows: Sequence[Line], width: int, header: bool, comment: str) -> bool:
    """Whether the first of these rows is none of the table's: a title, a comment, a rule."""
    cells = rows[0][1]
    below = next((row for _, row in rows[1:] if len(row) >= width), [])
    # What comes is a line of names; years may be among them.
    named = not any(
        looks_numeric(cell) and not re.fullmatch("[12][0-9]{3}", cell) for cell in below
    )
    if cells[0].startswith(comment):
        names = [cell for cell in (cells[0].lstrip("# "), *cells[1:]) if cell]
        again = rows[1][1][0].startswith(comment)
        return not header or again or len(names) < width - 1 or (named and len(names) != width)
    if sum(map(bool, cells)) == 1 and width > 2:
        return bool(cells[0])
    return _is_rule(cells) or (len(cells) < width and (named or not header))


def _is_rule(cells: Sequence[str]) -> bool:
    return "--" in "".join(cells) and all(re.fullmatch("[-+=:|]*", cell) for cell in cells)


def _end(lines: Sequence[str], delimiter: str, width: int) -> int:
    """The number of the line behind the table: rows of one cell or of totals come after it."""
    end = len(lines)
    for line in reversed(lines):
        whole = line.count('"') % 2 == 0 and width > 2 and delimiter != " "
        total = re.fullmatch(_TOTAL, line.partition(delimiter)[0].strip('" '))
        if line.strip() and not (whole and (delimiter not in line or total)):
            break
        end -= 1
    return end


def _lacking(rows: Sequence[list[str]], width: int) -> tuple[str, tuple[str, ...]]:
    """What it means that the names are a cell short, and the column of row names if it is that."""
    below = [row for row in rows[1:] if len(row) == width]
    if len(rows[0]) != width - 1 or not below:
        return "", ()
    if not any(row[-1] for row in below):
        return "each row ends in a delimiter more than the names", ()
    names = [row[0] for row in below]
    counted = names == [str(k) for k in range(1, len(names) + 1)]
    if len(set(names)) < len(names) or (any(map(looks_numeric, names)) and not counted):
        return "", ()
    return "the names are one fewer than a row's cells: each row begins with its name", (ROW_NAME,)
