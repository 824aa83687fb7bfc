"""The canonical case is what it is called, and the engine's figures fit together."""

import json

import pytest

from psi.bench.speed.engine import FLOPS_A_RUN, bench_engine, canonical_task, recorded_job


def test_the_canonical_case_is_the_one_of_the_docs():
    """A 64-32-10 network on 1,536 rows: 24 steps of 64 an epoch, three products a layer, two of
    them backward, but none backward into the inputs."""
    facts = canonical_task().facts
    assert (facts.steps, facts.batch, facts.epochs, facts.rows) == (24, 64, 10, 1536)
    assert facts.parameters == 64 * 32 + 32 + 32 * 10 + 10
    products = 2 * 64 * (3 * 32 * 10 + 2 * 64 * 32)
    assert 240 * products == FLOPS_A_RUN


def test_a_population_is_cut_without_loss():
    """1,000 runs: 256 rates from four seeds, the last block and the last call padded."""
    work = recorded_job(canonical_task(), 1000, 100).work
    assert work.lane_count * len(work.seeds) == 1024
    assert sum(len(work.runs(call)[0]) for call in range(work.calls)) == 1024


@pytest.mark.slow
def test_the_figures_of_the_engine_fit_together():
    found = json.loads(json.dumps(bench_engine(quick=True)))
    assert found["runs_per_second"] == max(found["by_population"].values())
    assert found["recorded_fraction"] > 0
    flops = found["gemm_fraction"] * found["sgemm_gflops"] * 1e9
    assert flops == pytest.approx(found["runs_per_second"] * FLOPS_A_RUN, rel=0.01)
    assert found["naive_vmap"] > 0
    assert found["atlas_runs_per_second"] > 0
