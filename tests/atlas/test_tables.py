"""Atlases of several folders as one."""

import pandas as pd
import pytest

from psi.atlas.tables import Tables, joined


def atlas(folder, tasks):
    folder.mkdir()
    numbers = pd.DataFrame({"task": tasks})
    for name in Tables._fields:
        numbers.assign(**{name: [f"{name} of {task}" for task in tasks]}).to_parquet(
            folder / f"{name}.parquet"
        )
    return folder


def test_atlases_are_joined_and_a_task_is_in_one_alone(tmp_path):
    near, far = atlas(tmp_path / "near", [0, 1]), atlas(tmp_path / "far", [7])
    made = joined([near, far], tmp_path / "both")
    for name, table in made._asdict().items():
        assert table[name].tolist() == [f"{name} of {task}" for task in (0, 1, 7)]
        kept = pd.read_parquet(tmp_path / "both" / f"{name}.parquet")
        pd.testing.assert_frame_equal(kept, table, check_dtype=False)
    with pytest.raises(ValueError, match="in one atlas alone, got 7 in two"):
        joined([near, far, far], tmp_path / "other")
    assert not (tmp_path / "other").exists()
    with pytest.raises(ValueError, match="needs a folder of its own"):
        joined([near, far], far)
    with pytest.raises(FileNotFoundError):
        joined([near, tmp_path / "nowhere"], tmp_path / "other")
