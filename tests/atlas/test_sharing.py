"""The parts of an atlas on a local Ray cluster of two nodes: the records of one machine."""

import pandas as pd
import pytest

from psi.atlas.collect import collect
from psi.atlas.config import AtlasConfig
from psi.lab.data import store

ray = pytest.importorskip("ray", reason="ray is not installed (scripts/test --all)")
sharing = pytest.importorskip("psi.atlas.sharing")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Ray's own warnings
QUICK = AtlasConfig(2, ("sgd",), extensions=1, more_seeds=0)


def test_records_are_those_of_one_machine_bit_for_bit(address, tmp_path):
    collect(QUICK, tmp_path / "here")
    told = []
    engine = sharing.ray_engine(QUICK, address)
    collect(QUICK, tmp_path / "there", lambda *given: told.append(given[:2]), engine)
    assert told[-1][0] == told[-1][1]
    here, there = (store.read_records(tmp_path / name) for name in ("here", "there"))
    pd.testing.assert_frame_equal(here, there)
