"""The ledger of the sealed suite: every run on it, with its reason, before it begins.

A suite that is looked at again and again is no longer held out, even if nothing is fitted on it. So
looks are counted: `ledger.csv` is committed, entries are only ever appended, and a result without
an entry fails a test.
"""

import csv
import io
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from psi.bench.suites.suite import Suite
from psi.law.file import write_atomic

FILE = Path(__file__).with_name("ledger.csv")


class Entry(NamedTuple):
    """A run on the sealed suite."""

    number: int
    date: str
    """Day, by UTC."""
    commit: str
    """The code that ran."""
    suite: str
    """SHA-256 of the list of tasks."""
    what: str
    """What was run: contestants, optimizers, seeds."""
    why: str


def entries(file: Path = FILE) -> list[Entry]:
    """All entries, the oldest first.

    Raises ValueError where they are not numbered 1, 2, 3 …: one was removed.
    """
    with file.open(encoding="utf-8", newline="") as lines:
        found = [Entry(**{**row, "number": int(row["number"])}) for row in csv.DictReader(lines)]
    if [each.number for each in found] != [*range(1, len(found) + 1)]:
        raise ValueError(f"{file.name}: entries must be numbered 1, 2, 3, …")
    return found


def enter(suite: Suite, commit: str, what: str, why: str, file: Path = FILE) -> Entry:
    """Append an entry, whole or not at all, and return it.

    Raises ValueError where no reason is given; OSError where the file cannot be written.
    """
    if not why.strip():
        raise ValueError("a run on the sealed suite needs a reason for the ledger, got none")
    before = entries(file)
    day = datetime.now(UTC).date().isoformat()
    entry = Entry(len(before) + 1, day, commit, suite.digest, _line(what), _line(why))
    write_atomic(file, _text([*before, entry]).encode())
    return entry


def commit() -> str:
    """The commit of the checkout, `+` where the package differs from it; empty without one."""
    try:
        said = [
            subprocess.run(["git", *words], cwd=FILE.parent, capture_output=True, text=True).stdout
            for words in (("rev-parse", "HEAD"), ("status", "--porcelain", "--", ":/psi"))
        ]
    except OSError:
        return ""
    return said[0].strip() + "+" * bool(said[1].strip())


def check_entry(number: int, digest: str, file: Path = FILE) -> Entry:
    """The entry of a result. Raises ValueError where there is none, or of another list of tasks."""
    found = {each.number: each for each in entries(file)}
    if number not in found:
        raise ValueError(f"{file.name} has no entry {number}: it has {len(found)}")
    if found[number].suite != digest:
        raise ValueError(f"entry {number} is of the list {found[number].suite}, got {digest}")
    return found[number]


def _text(rows: Sequence[Entry]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([Entry._fields, *rows])
    return out.getvalue()


def _line(text: str) -> str:
    return " ".join(text.split())
