"""A trial finds where a law is no rate."""

from collections.abc import Callable

import pytest

from psi.law.law import Law
from psi.law.trial import trial


def test_a_law_is_tried_to_the_corners_of_its_domain(make_formula: Callable[..., Law]) -> None:
    found = trial(make_formula(["mul", "loss", "progress"], ("loss", 1, 3), ("progress", 0.5, 1)))
    assert (found.low, found.high) == (0.5, 3.0)
    assert found.ok
    assert found.clipped == 0
    assert 15_000 < found.points < 25_000


@pytest.mark.parametrize(
    ("tree", "share"),
    [
        (["sub", "loss", 1.0], 0.75),  # not above zero in [0, 1]
        (["log", "loss"], 0.75),
        (["div", 1.0, ["sub", "loss", "loss"]], 0.0),
        (["exp", ["mul", 400.0, "loss"]], 0.443),  # infinite beyond log(1.8e308)/400
    ],
)
def test_points_that_are_no_rate_are_counted(
    make_formula: Callable[..., Law], tree: object, share: float
) -> None:
    found = trial(make_formula(tree, ("loss", 0.0, 4.0)))
    assert found.finite / found.points == pytest.approx(share, abs=0.002)
    assert not found.ok


def test_points_beyond_the_declared_rates_are_counted(make_formula: Callable[..., Law]) -> None:
    found = trial(make_formula("loss", ("loss", 1.0, 5.0), rates=(2.0, 4.0)))
    assert found.clipped / found.points == pytest.approx(0.5, abs=0.002)
    assert found.ok
