"""Training logs that were printed: `epoch 3 loss 0.21 lr 1e-3`, `Epoch [3/10], Loss: 0.21`.

In each line, a number that follows a name is its value, if the name is one that `column_names`
knows. What trainers print is read so: a script of one's own, Keras's progress bars, nanoGPT, timm,
Hugging Face's dictionaries, tqdm.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from psi.advice.column_names import HELD_OUT, RANKS, TRAIN, words
from psi.advice.table import FLOAT, Table
from psi.progress import Report, silent

PART = r"(?!(?:nan|inf|infinity)\b)[A-Za-z_][\w/.]*"
NAME = rf"{PART}(?:[ \-]{PART}){{0,3}}"
PAIR = re.compile(
    rf"""({NAME})['"]?(?:\((\w+)\))?[\])]?\s*[:=]?\s*['"]?(?:tensor|array)?[\[(]*\s*({FLOAT})(?![\w%]|\.\w)""",
    re.IGNORECASE,
)
OUTSIDE = re.compile(rf"\b({'|'.join((*TRAIN, *HELD_OUT))})\b", re.IGNORECASE)
QUIET = frozenset(("info", "debug", "is", "was", "at", "end", "this", "root", "log", "logger",
                   "value", "tensor"))  # fmt: skip
NUMERIC = b"0123456789.+-_"
DIGITS = re.compile(r"([-+._]*\d[\d.+\-_]*)")
EVERY = 1 << 14  # lines of which one hears
MOST_OTHERS = 1000
Cells: TypeAlias = Mapping[str, Sequence[str | None]]  # by column's name


@lru_cache(maxsize=4096)
def role(name: str) -> tuple[str, str] | None:
    """What a printed name stands for: (column, split); None for what is no part of a log."""
    plain = [word for word in words(name) if word not in QUIET]
    for k in range(len(plain)):  # "main epoch": words before a known name may be anything
        known = tuple(plain[k:])
        for column in ("loss", "validation", "rate", "gradient_norm", "epoch", "step"):
            if RANKS[column](known) is not None:
                if any(word in ("best", "per", "max", "min", "eta") for word in plain[:k]):
                    return None
                if column not in ("loss", "validation"):  # "eval step 9: loss 0.3"
                    splits = [word for word in plain if word in (*TRAIN, *HELD_OUT)]
                    return TITLES.get(column, column), splits[-1] if splits else ""
                split = "val" if column == "validation" else "train" if TRAIN & set(known) else ""
                return f"{split} loss".strip(), split
    return None


TITLES = {"rate": "lr", "gradient_norm": "grad norm"}


def places(line: str) -> dict[str, tuple[int, int]]:
    """Where the values in a line stand: of epoch, step, loss, val loss, lr and grad norm."""
    found: dict[str, tuple[int, int]] = {}
    begin, split = 0, ""
    for match in PAIR.finditer(line):
        known = role(match[1])
        if known is None:
            continue
        column, own = known
        if begin < match.start() and (outside := OUTSIDE.findall(line, begin, match.start())):
            split = outside[-1].lower()
        split = (match[2] or (own if "loss" not in column else "") or split).lower()
        begin = match.end()
        if column == "loss" and not own and split in HELD_OUT:
            column = "val loss"
        found.setdefault(column, match.span(3))
    return found


def holds_losses(lines: Sequence[str]) -> bool:
    """Whether some of the lines are printed losses."""
    return any({"loss", "train loss", "val loss"} & places(line).keys() for line in lines)


def read_printed(text: str, report: Report = silent) -> Table:
    """The lines of a printed log that hold a value; a row of the table each.

    Lines of one print differ in their numbers alone. Of such lines one is looked at, and all are
    read by its regular expression.
    """
    if "\b" in text:  # a progress bar that steps back
        text = re.sub("[\b]+", "\n", text)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if len(lines) > EVERY:
        report(0, len(lines), "")
    alike: dict[bytes, list[int]] = {}
    for k, key in enumerate("\n".join(lines).encode().translate(None, NUMERIC).split(b"\n")):
        alike.setdefault(key, []).append(k)
    found: list[tuple[list[int], Cells]] = []
    others: list[str] = []
    done = 0
    for group in alike.values():
        if values := _values([lines[k] for k in group]):
            found.append((group, values))
        elif len(others) < MOST_OTHERS:
            others.append(lines[group[0]])
        done += len(group)
        if len(lines) > EVERY and (len(group) > EVERY or done == len(lines)):
            report(done, len(lines), "")
    columns, rows = _together(found, len(lines))
    note = f"printed lines: {len(rows):,} of {sum(map(bool, map(str.strip, lines))):,} hold a value"
    return Table(columns, (rows + 1).tolist(), notes=(note,), words="\n".join(others))


def _together(
    found: Sequence[tuple[list[int], Cells]], count: int
) -> tuple[Cells, NDArray[np.int64]]:
    """One table of groups of lines, in the order of the lines, and which lines these are."""
    if len(found) == 1 and not any(None in column for column in found[0][1].values()):
        return found[0][1], np.array(found[0][0])
    cells: dict[str, NDArray[np.object_]] = {}
    for group, values in found:
        at = np.array(group)
        for name, column in values.items():
            cells.setdefault(name, np.full(count, None))[at] = column
    filled = np.zeros(count, bool)
    for column in cells.values():
        filled |= column != None  # noqa: E711  (of each cell)
    rows = np.flatnonzero(filled)
    return {name: column[rows].tolist() for name, column in cells.items()}, rows


def _values(lines: Sequence[str]) -> Cells:
    """The values in lines that differ in their numbers alone, by name."""
    line = max(lines[0], lines[-1], key=lambda line: len(places(line)))  # the first may say "-"
    found = sorted(places(line).items(), key=lambda each: each[1])
    if not found:
        return {}
    rows = _pattern(line, [span for _, span in found]).findall("\n".join(lines))
    if len(rows) == len(lines):
        if len(found) == 1:
            return {found[0][0]: rows}
        return {name: [row[k] for row in rows] for k, (name, _) in enumerate(found)}
    each = [*map(places, lines)]
    return {
        name: [line[slice(*at[name])] if name in at else None
               for line, at in zip(lines, each, strict=True)]
        for name in dict.fromkeys(name for at in each for name in at)
    }  # fmt: skip


def _pattern(line: str, spans: Sequence[tuple[int, int]]) -> re.Pattern[str]:
    """Matches lines that differ from this one in their numbers; groups are those at the spans."""
    text, begin = "", 0
    for first, last in [*spans, (len(line), len(line))]:
        for k, part in enumerate(DIGITS.split(line[begin:first])):
            text += DIGITS.pattern[1:-1] if k % 2 else re.escape(part)
        text += r"([-+.]*\w[-+.\w]*)" if last > first else ""
        begin = last
    return re.compile(f"^{text}$", re.MULTILINE | re.ASCII)
