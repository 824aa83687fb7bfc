"""What branching costs is there and means what it says."""

import json

import pytest

from psi.bench.speed.branching import bench_branching


@pytest.mark.slow
def test_what_branching_costs():
    found = json.loads(json.dumps(bench_branching(quick=True)))
    for horizon in (1, 6):
        assert found[f"branching_us_h{horizon}"] > 0
        assert found[f"branching_of_runs_h{horizon}"] > 0
