"""The list of data sets: one suite a domain, the page says the same, nothing else has a name."""

import re
from functools import partial
from pathlib import Path

import pytest

from psi.lab.tasks.carried import CARRIED, Carried, carried
from psi.lab.tasks.names import DATASET_NAMES, FAMILY_NAMES, SEALED_FAMILY_NAMES, check_task
from psi.lab.tasks.real import DATASETS
from psi.lab.tasks.table import make_task
from psi.lab.tasks.text import ROWS, TEXTS, VOCABULARY
from psi.plugins import Plugin, use

PAGE = Path(__file__).parents[3] / "data" / "sets.md"
SHOWN = ("name", "domain", "rows", "classes", "package", "licence", "origin")


def test_page_and_list_agree():
    rows, suite = {}, ""
    for line in PAGE.read_text().splitlines():
        suite = line.removeprefix("## ").lower() if line.startswith("## ") else suite
        cells = [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        if len(cells) == len(SHOWN) and cells[0] not in ("name", "---"):
            assert cells[0] not in rows
            rows[cells[0]] = (suite, *cells)
    listed = {
        row.name: (row.suite, *(str(getattr(row, key)).strip("`") for key in SHOWN))
        for row in CARRIED.values()
    }
    assert rows == listed


def test_a_domain_lies_in_one_suite():
    suites = {}
    for row in CARRIED.values():
        assert row.suite in ("train", "validation", "sealed")
        assert suites.setdefault(row.domain, row.suite) == row.suite


def test_tables_made_of_the_same_data_share_a_domain():
    families = {
        "abalone": 7, "car": 2, "ecoli": 19, "kddcup": 5, "kr-vs-k": 5, "new-thyroid": 2,
        "poker": 4, "shuttle": 4, "winequality": 7, "yeast": 14, "credit_approval": 2,
    }  # fmt: skip
    for family, count in families.items():
        assert sum(row.domain == f"keel/{family}" for row in CARRIED.values()) == count
    alone = [row for row in CARRIED.values() if row.domain.removeprefix("keel/") not in families]
    assert len({row.domain for row in alone}) == len(alone)


def test_the_suites_are_those_that_were_agreed():
    domains = {
        suite: {row.domain.removeprefix("keel/") for row in CARRIED.values() if row.suite == suite}
        for suite in ("train", "validation", "sealed")
    }
    assert domains["validation"] == {
        "digits", "iris", "pydoc", "moons", "spambase", "tae", "titanic", "ecoli", "flare-F",
        "new-thyroid", "poker",
    }  # fmt: skip
    assert domains["sealed"] == {
        "banana", "dermatology-6", "hayes-roth", "led7digit", "lymphography",
        "magic", "movement_libras", "penbased", "shuttle", "texture", "vowel", "winequality",
        "zoo-3", "mnist", "randhie", "fair", "stdlib", "spirals", "fourier",
    }  # fmt: skip
    assert len(domains["train"]) == 40


def test_every_row_says_what_its_kind_needs():
    for row in CARRIED.values():
        assert row.name
        assert row.licence
        assert row.origin
        assert (row.rows == 0) == (row.kind == "generator")
        if row.kind == "text":
            assert (row.rows, row.classes) == (sum(ROWS), VOCABULARY)
        elif row.kind == "generator":
            assert row.package == "psi"
        elif row.package != "scikit-learn":
            assert row.file
            assert row.target
    kinds = {
        kind: [row for row in CARRIED.values() if row.kind == kind]
        for kind in ("text", "generator")
    }
    assert {row.name for row in kinds["text"]} == set(TEXTS)
    assert {row.name for row in kinds["generator"]} == {*FAMILY_NAMES, *SEALED_FAMILY_NAMES}
    ours = {row.name: row.classes for row in CARRIED.values() if row.package == "scikit-learn"}
    assert ours == {name: real.classes for name, real in DATASETS}
    assert set(DATASET_NAMES) == {*ours, "pydoc"}


@pytest.mark.parametrize("name", ["wine", "keel/monk-2", "keel/abalone9-18", "mnist", "stdlib"])
def test_a_name_is_a_row_and_a_split(name):
    check_task(name)
    assert carried(name) == (CARRIED[name], 0)
    if CARRIED[name].kind == "text":
        assert carried(f"{name}@1") is None
        return
    check_task(f"{name}@12")
    assert carried(f"{name}@12") == (CARRIED[name], 12)
    assert carried(f"{name}@1234567") is None


@pytest.mark.parametrize(
    "name", ["keel/iris", "keel/pima", "keel/segment0", "keel/", "", "@1", "moons"]
)
def test_what_is_not_listed_has_no_name(name):
    assert carried(name) is None


def test_no_plugin_takes_the_name_of_a_data_set():
    from psi.lab.tasks.names import TaskSource

    with pytest.raises(ValueError, match="another task called 'keel/german'"):
        use(Plugin(tasks=(TaskSource("keel/german", partial(make_task, "wine")),)))


def test_names_are_safe_in_tables_and_pages():
    for row in CARRIED.values():
        assert re.fullmatch(r"(keel/)?[\w-]+", row.name)
        assert isinstance(row, Carried)
        assert "|" not in "".join(map(str, row))
