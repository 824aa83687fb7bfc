"""The speed on the atlas's distribution is of its perceptrons alone."""

import pytest

from psi.bench.speed import atlas as module
from psi.bench.speed.atlas import PERCEPTRONS, bench_atlas


def test_each_shape_is_compiled_once_and_each_task_trained(monkeypatch):
    ran = []
    monkeypatch.setattr(module, "trained", lambda part, config: ran.append((part, config)))
    found = bench_atlas()
    shapes = {part.shape for part, _ in ran}
    names = [part.name for part, _ in ran]
    assert {shape.network for shape in shapes} == set(PERCEPTRONS)
    assert found["atlas_programs"] == len(shapes)
    # The first part of a shape twice, to tell compiling from training; the others once.
    assert len(names) - len(set(names)) == len(shapes)
    tasks = {task.number for part, _ in ran for task in part.tasks}
    assert found["atlas_perceptrons"] == len(tasks) > 50
    assert all(not config.extensions and not config.more_seeds for _, config in ran)


@pytest.mark.slow
def test_a_quick_look():
    found = bench_atlas(quick=True)
    assert found["atlas_runs_per_second"] > 0
    assert found["atlas_compile_s"] > 0
