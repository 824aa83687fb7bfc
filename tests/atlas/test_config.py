"""What makes no atlas is refused before anything is trained."""

import pytest

from psi.atlas.config import LOWEST, PRESETS, RATES, RATIO, AtlasConfig
from psi.lab.optimizers import bounds


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tasks": 0}, "tasks must be >= 1, got 0"),
        ({"first": -1}, "first must be >= 0"),
        ({"optimizers": ()}, "at least one"),
        ({"optimizers": ("adam", "adam")}, "distinct"),
        ({"optimizers": ("lion",)}, "unknown optimizer 'lion'"),
        ({"extensions": -1}, "extensions must be >= 0"),
    ],
)
def test_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        AtlasConfig(**fields)


def test_a_laptop_s_atlas_is_of_a_thousand_tasks():
    config = dict(PRESETS)["laptop"]
    assert config.tasks == 1000
    assert config.trainings == 1000 * 3 * 3 * 17 * 3


@pytest.mark.parametrize("name", LOWEST)
def test_the_grid_holds_what_the_lab_sweeps(name):
    low, high = bounds(name)
    assert LOWEST[name] < low
    assert LOWEST[name] * RATIO ** (RATES - 1) > high
