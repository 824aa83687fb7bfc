"""Lanes by measurement: what is quickest, once, and never another number for the same folder."""

import jax
import pytest

from psi.lab.data import lanes
from psi.lab.data.config import GenerateConfig
from psi.lab.data.generate import generate
from psi.lab.data.lanes import measured_layout, quickest, runs_per_second
from psi.lab.engine.work import Layout, layout
from psi.lab.hyper import Hyper
from psi.lab.tasks.table import make_task

CONFIG = GenerateConfig(("wine",), Hyper(2), trajectories=2, cells=0, seeds=1)
MEMORY = jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of memory")


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """Rates by width in place of a measurement, and the widths that were measured."""
    rates, asked = {8: 10.0, 16: 30.0, 32: 20.0}, []

    def rate(task, shape):
        asked.append(shape.width)
        if shape.width not in rates:
            raise MEMORY
        return rates[shape.width]

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(lanes, "runs_per_second", rate)
    return rates, asked


def test_the_quickest_that_fits_is_remembered(measured, tmp_path):
    rates, asked = measured
    assert measured_layout(CONFIG, tmp_path / "data") == layout(16)
    assert asked == [8, 16, 32, 64, 128]
    rates[32] = 99.0
    assert measured_layout(CONFIG, tmp_path / "data") == layout(16)
    assert len(asked) == 5
    adam = GenerateConfig(("wine",), Hyper(2, "adam"))
    assert measured_layout(adam, tmp_path / "data") == layout(32)


def test_a_cache_that_is_damaged_is_measured_again(measured, tmp_path):
    measured_layout(CONFIG, tmp_path / "data")
    file = tmp_path / "cache" / "psi" / "lanes.json"
    for content in ("", "[]", '{"x": "y"}', file.read_text()[:-3]):
        file.write_text(content)
        assert measured_layout(CONFIG, tmp_path / "data") == layout(16)
    assert len(measured[1]) == 5 * 5


def test_a_folder_keeps_the_width_it_has(measured, tmp_path):
    generate(CONFIG, tmp_path / "data", shape=Layout(4, 2))
    assert measured_layout(CONFIG, tmp_path / "data").width == 4
    assert not measured[1]


def test_where_nothing_fits(measured):
    measured[0].clear()
    with pytest.raises(ValueError, match="wine: not even 8 lanes fit"):
        quickest(make_task("wine", Hyper(2)))


def test_a_rate_is_measured():
    assert runs_per_second(make_task("wine", Hyper(2)), Layout(2, 2)) > 0
