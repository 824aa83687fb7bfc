"""The data sets that the lab carries by name, a row each of carried.csv; imports nothing heavy.

Each belongs to one suite whole, with all that is derived from it: laws are fitted on `train`,
chosen on `validation` and judged on `sealed`.
"""

import csv
import re
from pathlib import Path
from typing import NamedTuple


class Carried(NamedTuple):
    """A data set or a family of generators."""

    name: str
    kind: str
    """table, image, text or generator"""
    suite: str
    """train, validation or sealed"""
    domain: str
    """What is held out whole: tables made of the same data share it."""
    package: str
    file: str
    """Where it lies in the package's folder; empty where the package has a loader."""
    target: str
    """The column to predict, by name or index; a/b: the ratio of two columns."""
    rows: int
    """In all; windows of a text; 0 for a stream."""
    classes: int
    """0: a regression."""
    licence: str
    origin: str


def _read() -> dict[str, Carried]:
    with Path(__file__).with_suffix(".csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    counts = ({key: int(row[key]) for key in ("rows", "classes")} for row in rows)
    return {row["name"]: Carried(**{**row, **n}) for row, n in zip(rows, counts, strict=True)}


CARRIED = _read()


def carried(name: str) -> tuple[Carried, int] | None:
    """(row, number of the split) of a data set's name; None for any other name.

    `keel/letter` is split 0; `keel/letter@1` holds the same rows, drawn into other parts. A text
    is cut in one way.

    >>> row, split = carried("keel/letter@1")
    >>> row.rows, row.classes, row.suite, split
    (20000, 26, 'train', 1)
    """
    found = re.fullmatch(r"(.+?)(?:@(\d{1,6}))?", name)
    row = CARRIED.get(found[1]) if found else None
    if not found or not row or row.kind == "generator" or (found[2] and row.kind == "text"):
        return None
    return row, int(found[2] or 0)
