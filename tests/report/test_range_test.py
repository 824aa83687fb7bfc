"""The figure of a range test is drawn, with a rate or without one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from psi.advice.range_test import suggestion
from psi.report.range_test import range_figure
from tests.report.test_axes import faults

RATES = np.geomspace(1e-5, 10, 100)
FALLING = 2 - 1 / (1 + (1e-2 / RATES) ** 2) + 4 * np.clip(np.log10(RATES) + 0.5, 0, None) ** 2


NOISE = np.random.default_rng(0).normal(size=(3, 100))
LATE = np.where(RATES < 0.5, FALLING, np.inf)
ENDED = np.where(RATES < 0.5, FALLING, np.nan)
CASES = {
    "falling": (FALLING, True),
    "a fall that is noisy": (FALLING + 0.1 * NOISE, True),
    "infinite at last": (LATE, True),
    "ended runs": (ENDED + 0.1 * NOISE, True),
    "noise": (2 + NOISE, False),
    "below zero": (FALLING - 10, True),
    "a spike": (FALLING + 1e6 * (NOISE > 2.5), None),
    "huge": (1e90 * FALLING, True),
    "too large to draw": (np.full(100, 1e140), None),
    "flat": (np.full(100, 0.3), False),
    "zero": (np.zeros(100), False),
    "never a number": (np.full(100, np.nan), False),
    "not finite at first": (np.where(RATES > 1e-4, FALLING, np.inf), False),
}


@pytest.mark.parametrize("name", CASES)
def test_kind_the_figure_keeps_the_rules(name: str, unsaved: Any, tmp_path: Path) -> None:
    losses, suggested = CASES[name]
    given = suggestion(RATES, np.atleast_2d(losses))
    assert suggested is None or (given.lr is not None) is suggested
    range_figure(given, tmp_path / "a.png")
    assert faults(unsaved(), "") == []


def test_every_loss_is_drawn_or_marked(unsaved: Any, tmp_path: Path) -> None:
    losses = FALLING + 1e6 * (NOISE > 2.5)
    range_figure(suggestion(RATES, losses), tmp_path / "a.png")
    (axes,) = unsaved().axes
    dots = next(line for line in axes.lines if line.get_marker() == ".")
    assert len(dots.get_xdata()) + len(axes.collections[-1].get_offsets()) == losses.size
