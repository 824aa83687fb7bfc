"""Suites as committed lists: what is in them, and that nothing of one is in another."""

import json

import pytest

from psi.bench.suites import NAMES, suite
from psi.bench.suites.suite import read_suite, written
from psi.lab.hyper import Hyper
from psi.lab.tasks.names import Spec


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
