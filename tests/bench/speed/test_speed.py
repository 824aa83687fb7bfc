"""What the benchmarks of speed print is there, and means what it says."""

import json

import pytest

from psi.bench.speed.branching import bench_branching
from psi.bench.speed.engine import FLOPS_A_RUN, bench_engine
from psi.bench.speed.storage import resume_seconds
from psi.lab.engine.timing import alternately, seconds


def test_turns_are_taken_after_one_that_warms_up():
    order = []
    spent = alternately([lambda: order.append("a"), lambda: order.append("b")], 2)
    assert "".join(order) == "ababab"
    assert spent.shape == (2, 2)
    assert (spent >= 0).all()
    first, best = seconds(lambda: order.append("c"), 2)
    assert order.count("c") == 3
    assert min(first, best) >= 0


@pytest.mark.slow
def test_a_command_goes_on_after_finished_parts():
    assert 0 < resume_seconds(3) < 300


@pytest.mark.slow
def test_the_figures_of_the_engine_fit_together():
    found = json.loads(json.dumps(bench_engine(quick=True)))
    assert found["runs_per_second"] == max(found["by_population"].values())
    assert found["recorded_fraction"] > 0
    flops = found["gemm_fraction"] * found["sgemm_gflops"] * 1e9
    assert flops == pytest.approx(found["runs_per_second"] * FLOPS_A_RUN, rel=0.01)
    assert found["naive_vmap"] > 0


@pytest.mark.slow
def test_what_branching_costs():
    found = json.loads(json.dumps(bench_branching(quick=True)))
    for horizon in (1, 6):
        assert found[f"branching_us_h{horizon}"] > 0
        assert found[f"branching_of_runs_h{horizon}"] > 0
