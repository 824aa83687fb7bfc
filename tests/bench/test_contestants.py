"""Who is run: names, tuned ones, laws under their own optimizer."""

import pytest

import psi
from psi.bench.baselines import BASELINES
from psi.bench.contestants import OWN, TUNED, Contestants, jobs
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
