"""From a data set to the tables of its estimates: what is made, read back, and made anew."""

import json
from pathlib import Path

import pandas as pd
import pytest

from psi.ideal.config import IdealConfig
from psi.ideal.estimate import amount, estimate
from psi.lab.data import store

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
SMALL = IdealConfig(tasks=("wine",), cells=3, states=2, orders=2, rates=3)


def test_what_would_be_trained_is_known_before():
    """Three cells at epochs 0, 2 and 4 of 6: 6 + 4 + 2 epochs ahead of 2 states, 2 orders and 3
    rates each, and 0 + 2 + 4 behind of 2 states."""
    assert amount(SAMPLE, SMALL) == (1, 12 * 12 + 6 * 2, (12 * 12 + 6 * 2) // 6)


@pytest.mark.slow
def test_tables_are_made_once(tmp_path):
    drawn = []
    found = estimate(SAMPLE, tmp_path, SMALL, draw=lambda tables, _: drawn.append(set(tables)))
    assert drawn == [{"surface", "outcomes", "ideal", "branched"}]
    assert found.summary["data"] == store.data_hash(SAMPLE)
    assert set(found.tables["ideal"].task) == {"wine"}
    again = estimate(SAMPLE, tmp_path, SMALL, draw=lambda tables, _: drawn.append(set(tables)))
    assert len(drawn) == 1
    pd.testing.assert_frame_equal(found.tables["ideal"], again.tables["ideal"])
    assert again.summary == json.loads((tmp_path / "summary.json").read_text())


def test_a_folder_that_is_no_data_set_is_refused(tmp_path):
    with pytest.raises(ValueError, match="is no data set"):
        estimate(tmp_path, tmp_path / "out", SMALL)
