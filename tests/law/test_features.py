"""Features: what each name means, and what a list of names may be."""

import math
from types import ModuleType

import numpy as np
import pytest

from psi.law.features import FEATURES, Observation, check_names, values
from psi.law.memory import Memory, Trace

SEEN = Observation(
    epoch=3,
    budget=12,
    loss=0.5,
    initial_loss=2.0,
    best_loss=0.4,
    grad_norm=7.0,
    update_norm=8.0,
    weight_norm=9.0,
    parameters=600,
    batch=32,
    steps=20,
    rows=640,
    stream=0,
    chance_loss=1.5,
    classes=10,
    weight_rms=0.1,
    initial_grad_norm=1.5,
    memory=Memory(
        loss=Trace(0.5, 0.4, 0.1, 0.2, 0.3, 0.4, 5.0),
        validation=Trace(0.6, 0.5, 1.1, 0.7, 0.8, 0.9, 6.0),
        gap=-0.5,
        came=1.0,
        earlier=Trace(0.6, 0.5, 1.1, 0.7, 0.8, 0.9, 6.0),
        pending=math.nan,
        rate=0.1,
        before=-1.9,
        feedback=-2.0,
    ),
)

MEANING = {"loss": 0.5, "epoch": 3.0, "loss_ratio": 0.25, "progress": 0.25}
MEANING |= {"parameters": 600.0, "budget": 12.0, "batch": 32.0, "steps": 20.0, "rows": 640.0}
MEANING |= {"stream": 0.0, "chance_loss": 1.5, "classes": 10.0, "weight_rms": 0.1}
MEANING |= {"initial_grad_norm": 1.5}
MEANING |= {"loss_excess": 0.1, "loss_progress": 0.2, "loss_trend": 0.3, "loss_stalled": 0.4}
MEANING |= {"loss_since_best": 5.0, "val_excess": 1.1, "val_progress": 0.7, "val_trend": 0.8}
MEANING |= {"val_stalled": 0.9, "val_since_best": 6.0, "val_gap": -0.5, "val_known": 1.0}
MEANING |= {"feedback": -2.0}


def test_every_feature_has_its_meaning(xp: ModuleType) -> None:
    # Names are part of the file format: a new one needs a line in the table above.
    assert MEANING.keys() == FEATURES.keys()
    for names in (tuple(MEANING), tuple(reversed(MEANING))):
        got = values(names, SEEN, xp)
        assert got.shape == (len(names),)
        assert got.dtype == np.float64
        assert list(map(float, got)) == [MEANING[name] for name in names]


def test_trailing_axes_are_points(xp: ModuleType) -> None:
    losses = xp.asarray([[0.5, 1.0, 2.0]])
    many = SEEN._replace(loss=losses, initial_loss=xp.full((1, 3), 2.0))
    got = values(("loss_ratio", "loss"), many, xp)
    assert np.array_equal(got, [[[0.25, 0.5, 1.0]], [[0.5, 1.0, 2.0]]])


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ((), "at least one"),
        (("loss", "loss"), "distinct"),
        (("loss", "Loss"), "unknown feature 'Loss'"),
        (("grad_norm",), "unknown feature"),
    ],
)
def test_other_names_are_refused(names: tuple[str, ...], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_names(names)


def test_any_order_is_accepted() -> None:
    check_names(tuple(reversed(MEANING)))
