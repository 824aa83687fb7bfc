"""A suite's jobs on a local Ray cluster of two nodes: the records of one machine."""

import pandas as pd
import pytest

import psi
from psi.bench.baselines import BASELINES
from psi.bench.contestants import Contestants
from psi.bench.running import run_suite
from psi.bench.suites.suite import Suite
from psi.lab.data import store
from psi.lab.hyper import Hyper
from psi.lab.tasks.names import Spec

ray = pytest.importorskip("ray", reason="ray is not installed (scripts/test --all)")
sharing = pytest.importorskip("psi.bench.sharing")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Ray's own warnings
BRINGING = next(row.name for row in BASELINES if row.optimizer is not None)
SUITE = Suite("small", (Spec("wine", Hyper(epochs=3, width=4)),), "0" * 64)
WHO = Contestants(("adam",), ("linear", "linear, tuned", BRINGING), (("Ψ adam", psi.load("adam")),))


def test_records_are_those_of_one_machine_bit_for_bit(address, tmp_path):
    run_suite(SUITE, WHO, tmp_path / "here")
    said = []
    there = tmp_path / "there"
    part = Contestants(("adam",), ("linear",))  # the rest joins what is there already
    run_suite(SUITE, part, there, engine=sharing.ray_engine(address))
    run_suite(
        SUITE, WHO, there, report=lambda *each: said.append(each[:2]),
        engine=sharing.ray_engine(address),
    )  # fmt: skip
    assert (said[0], said[-1], len(said)) == ((10, 380), (380, 380), 3)
    here, found = (store.read_records(tmp_path / name) for name in ("here", "there"))
    joined = here.method != "linear"  # alone, it has a program of its own
    pd.testing.assert_frame_equal(
        here[joined].reset_index(drop=True), found[joined].reset_index(drop=True)
    )
    pd.testing.assert_frame_equal(here[~joined], found[~joined], rtol=1e-4)
