"""The ledger of the sealed suite, and that every committed result has its entry."""

import csv
import json
from pathlib import Path

import pytest

from psi.bench.suites import suite
from psi.bench.suites.ledger import FILE, check_entry, commit, enter, entries

ROOT = Path(__file__).parents[3]
ROOMS = ("psi", "data", "paper", "experiments")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "ledger.csv"
    path.write_text(FILE.read_text().splitlines()[0] + "\n")
    return path


def test_entries_are_appended_and_checked(file):
    asked = suite("smoke")
    one = enter(asked, "abc", "linear,\ncosine", "first look", file)
    two = enter(asked, "abd", "laws", "second look", file)
    assert entries(file) == [one, two]
    assert (one.number, two.number) == (1, 2)
    assert one.what == "linear, cosine"  # a line an entry
    assert check_entry(2, asked.digest, file) == two
    with pytest.raises(ValueError, match="no entry 3: it has 2"):
        check_entry(3, asked.digest, file)
    with pytest.raises(ValueError, match="entry 1 is of the list"):
        check_entry(1, "0" * 64, file)


def test_no_entry_without_a_reason(file):
    with pytest.raises(ValueError, match="needs a reason"):
        enter(suite("smoke"), "abc", "laws", " ", file)
    assert not entries(file)


def test_a_removed_entry_is_seen(file):
    for _ in range(2):
        enter(suite("smoke"), "abc", "laws", "a look", file)
    head, _, last = file.read_text().splitlines()
    file.write_text(f"{head}\n{last}\n")
    with pytest.raises(ValueError, match="numbered 1, 2, 3"):
        entries(file)


def test_the_committed_ledger_is_whole():
    assert [each.number for each in entries()] == [*range(1, len(entries()) + 1)]
    assert all(each.why and each.commit for each in entries())


def test_every_committed_result_of_the_sealed_suite_has_its_entry():
    """A result says {"suite": "sealed", "digest": …, "entry": …} about itself, or in each row."""
    for path in (path for room in ROOMS for path in (ROOT / room).rglob("*.json")):
        found = json.loads(path.read_text())
        found = found.get("config", found) if isinstance(found, dict) else {}
        if isinstance(found, dict) and found.get("suite") == "sealed":
            check_entry(found["entry"], found["digest"])
    for path in (path for room in ROOMS for path in (ROOT / room).rglob("*.csv")):
        with path.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                if row.get("suite") == "sealed" and path.name != "carried.csv":
                    check_entry(int(row["entry"]), row["digest"])


def test_a_commit_is_named():
    assert len(commit().rstrip("+")) in (0, 40)
