"""Who is run: names, tuned ones, laws under their own optimizer."""

from dataclasses import replace

import pytest

import psi
from psi.bench.baselines import BASELINES
from psi.bench.contestants import OWN, TUNED, Contestant, Contestants, jobs, missing, named_laws
from psi.bench.suites.suite import Suite
from psi.lab.hyper import Hyper
from psi.lab.tasks.names import Spec

SMALL = Suite("small", (Spec("wine", Hyper(epochs=3, width=4)),), "0" * 64)
LAW = psi.load("adam")
BRINGING = next(row.name for row in BASELINES if row.optimizer is not None)


def test_mistakes_are_told_before_anything_runs():
    with pytest.raises(ValueError, match="unknown baseline 'liner'"):
        Contestants(methods=("liner",))
    with pytest.raises(ValueError, match="is not tuned"):
        Contestants(methods=(BRINGING + TUNED,))
    with pytest.raises(ValueError, match="unknown optimizer 'adma'"):
        Contestants(optimizers=("adma",))


def test_laws_run_under_their_own_optimizer_alone():
    who = Contestants(("sgd", "adam"), ("linear",), (("law", LAW),))
    found = {job.optimizer: [each.name for each in job.contestants] for job in jobs(SMALL, who)}
    assert found == {"sgd": ["linear"], "adam": ["linear", "law"]}


def test_what_brings_its_own_optimizer_runs_once():
    found = [*jobs(SMALL, Contestants(("sgd", "adam"), (BRINGING,)))]
    own = [[each.name for each in job.contestants] for job in found if job.optimizer == OWN]
    assert own == [[BRINGING]]


def test_the_tuned_schedules_are_always_there():
    who = Contestants.of(("step",), (), ("adam",))
    assert who.methods == ("step", *(f"{name}{TUNED}" for name in ("constant", "linear", "cosine")))


def test_no_law_has_the_name_of_a_baseline_and_a_file_is_known_by_its_content(tmp_path):
    assert "adam" in BASELINES
    assert [name for name, _ in named_laws((), ("adam",))] == ["Ψ adam-scaled", "Ψ adam"]
    path = str(tmp_path / "mine.json")
    LAW.save(tmp_path / "mine.json")
    ((first, law),) = named_laws((path, path), ("adam",))
    assert law == LAW
    assert first.startswith(f"Ψ {path}@")
    replace(LAW, initial_loss=1.0).save(tmp_path / "mine.json")
    assert named_laws((path,), ("adam",))[0][0] != first


def test_a_law_named_for_another_optimizer_is_refused():
    with pytest.raises(ValueError, match="law adam is for adam; optimizers asked for: sgd, momen"):
        named_laws(("sgd", "adam"), ("sgd", "momentum"))


def test_a_rate_by_default_must_be_known():
    with pytest.raises(ValueError, match="constant has a default rate for sgd, momentum, adam"):
        Contestants(("rmsprop",), ("constant",))
    Contestants(("rmsprop",), ("constant" + TUNED, BRINGING, "curvature_1"))


def test_what_is_missing_is_what_is_not_kept():
    who = Contestants(("sgd",), ("linear", "cosine", BRINGING))
    first, second = jobs(SMALL, who)
    kept = [first.part(first.contestants[0]), second.part(second.contestants[0])]
    (found,) = missing(SMALL, who, kept)
    assert (found.number, found.job) == (0, first)
    assert [each.name for each in found.left] == ["cosine"]


def test_parts_of_two_contestants_never_have_one_name():
    law = psi.load("adam")
    changed = replace(law, initial_loss=3.0)
    row = BASELINES["constant"]
    pairs = [
        (Contestant("α-rule", row), Contestant("β-rule", row)),
        (Contestant("Ψ adam", law), Contestant("Ψ adam", changed)),
        (Contestant("linear", row), Contestant("linear, tuned", row, True)),
    ]
    for one, other in pairs:
        assert one.slug != other.slug
        assert one.slug.isascii()
    assert Contestant("linear", row).slug == "linear"
    assert len(Contestant("x" * 1000 + ".json", row).slug) < 60


def test_a_row_without_its_calibration_is_refused_before_anything_trains():
    with pytest.raises(ValueError, match=r"rates are calibrated for .*; got 'rmsprop'"):
        Contestants(("rmsprop",), ("linear, calibrated",))


def test_an_optimizer_named_twice_is_one():
    assert Contestants(("adam", "adam"), ("linear",)).optimizers == ("adam",)
