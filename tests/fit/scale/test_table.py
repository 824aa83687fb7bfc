"""The tables of an atlas: read back, and refused where they are none."""

import pandas as pd
import pytest

from psi.fit.scale.table import Atlas, read_atlas
from tests.fit.scale.planted import planted

SMALL = planted(0, domains=3, each=4)


def saved(folder, atlas):
    for name, table in atlas._asdict().items():
        table.to_parquet(folder / f"{name}.parquet")
    return folder


def test_an_atlas_is_read_back(tmp_path):
    found = read_atlas(saved(tmp_path, SMALL.atlas))
    assert found.tasks.equals(SMALL.atlas.tasks)
    assert len(found.runs) == 12 * 3 * 17


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: Atlas(a.tasks.drop(columns="weight_rms"), a.runs), "weight_rms.* is missing"),
        (lambda a: Atlas(pd.concat([a.tasks, a.tasks[:1]]), a.runs), "task must make one row"),
        (lambda a: Atlas(a.tasks, pd.concat([a.runs, a.runs[:1]])), "rate must make one row"),
    ],
)
def test_a_table_that_is_no_atlas_is_refused(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        read_atlas(saved(tmp_path, change(SMALL.atlas)))
