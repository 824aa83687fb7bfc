"""The parts of a study of a data set, without the command around it."""

from pathlib import Path

import numpy as np
import pytest

from psi.ideal.config import IdealConfig
from psi.ideal.rate import ideal_rates
from psi.ideal.study import Part, branches, make, parts, prefixes_of, size
from psi.lab.data.config import GenerateConfig, flat, from_flat
from psi.lab.data.generate import read_config
from psi.lab.data.sweep import trajectories
from psi.lab.hyper import Hyper
from psi.lab.tasks.data_config import DataConfig

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
SMALL = IdealConfig(horizon=(1, "end"), cells=3, states=2, orders=2, rates=4)


def test_a_config_comes_back_from_its_flat_form():
    for config in (
        GenerateConfig(),
        GenerateConfig(
            tasks=("wine",), hyper=Hyper(epochs=3, optimizer="adam", network="cnn", width=4),
            data=DataConfig(target="y", header=False), min_lr=1e-3, seed=4,
        ),
    ):  # fmt: skip
        assert from_flat(flat(config) | {"width": 32, "units": 16, "sha256 of x": "y"}) == config


def test_what_is_made_and_how_much():
    data = read_config(SAMPLE)
    assert data.tasks == ("wine", "teacher-0")
    made = parts(data, SMALL)
    assert [p.name for p in made] == [
        "branched-0000-1", "branched-0000-end", "branched-0001-1", "branched-0001-end",
    ]  # fmt: skip
    # 3 cells at epochs 0, 2, 4 of 6; 2 states, 2 orders, 4 rates; and the epochs before.
    assert size(data, SMALL, made[0]) == 3 * 2 * 2 * 4 + (0 + 2 + 4) * 2
    assert size(data, SMALL, made[1]) == (6 + 4 + 2) * 2 * 2 * 4 + (0 + 2 + 4) * 2
    more = parts(data, IdealConfig(tasks=("wine",), oracle=True, bias=True))
    assert [p.kind for p in more] == ["branched", "bias", "headroom"]


def test_branches_are_spread_over_the_budget():
    assert list(branches(3, 6)) == [0, 2, 4]
    assert list(branches(8, 6)) == [0, 1, 2, 3, 4, 5, 0, 1]
    # No horizon is cut short by the end of the budget.
    assert list(branches(5, 6, 4)) == [0, 1, 2, 0, 1]
    assert list(branches(3, 6, 6)) == [0, 0, 0]


def test_cells_are_trajectories_of_the_data_set():
    data = read_config(SAMPLE)
    prefixes = prefixes_of(data, SMALL, 0)
    own = trajectories(data, 0).rates
    assert all((own == each).all(1).any() for each in prefixes.rates)
    assert list(prefixes.at) == [0, 2, 4]
    assert list(prefixes.seeds) == [10_000, 10_001]
    assert not np.array_equal(prefixes.rates, prefixes_of(data, SMALL, 1).rates)


@pytest.mark.slow
def test_a_part_is_a_function_of_its_name():
    data = read_config(SAMPLE)
    part = Part("branched", 0, "end")
    one, two = make(data, SMALL, part), make(data, SMALL, part)
    columns = ["cell", "epoch", "horizon", "lr", "loss", "final_loss", "score"]
    assert one[columns].equals(two[columns])
    assert set(one.label) == {"linear-end"}
    assert set(one.horizon + one.epoch) == {6}
    ideal = ideal_rates(one)
    assert len(ideal) == 3
    assert set(ideal.runs) == {4}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"horizon": (7,)}, "<= 6 epochs"),
        ({"tasks": ("digits",)}, "unknown task 'digits'; allowed: wine, teacher-0"),
    ],
)
def test_what_the_data_set_cannot_answer(change, words):
    with pytest.raises(ValueError, match=words):
        parts(read_config(SAMPLE), IdealConfig(**change))


def test_no_data_set(tmp_path):
    with pytest.raises(ValueError, match="is no data set"):
        read_config(tmp_path)
