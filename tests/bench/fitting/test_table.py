"""What `psi bench fit` measures, by groups."""

import pytest

from psi.bench.fitting.table import bench_fit


def test_an_unknown_group_is_refused():
    with pytest.raises(ValueError, match="unknown group"):
        bench_fit(("everything",))
