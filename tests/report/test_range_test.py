"""The figure of a range test is drawn, with a rate or without one."""

from pathlib import Path

import numpy as np
import pytest

from psi.advice.range_test import suggestion
from psi.report.range_test import range_figure

RATES = np.geomspace(1e-5, 10, 100)
FALLING = 2 - 1 / (1 + (1e-2 / RATES) ** 2) + 4 * np.clip(np.log10(RATES) + 0.5, 0, None) ** 2


@pytest.mark.parametrize(("losses", "found"), [(FALLING, True), (np.full(100, np.nan), False)])
def test_the_figure_is_drawn(losses: np.ndarray, found: bool, tmp_path: Path) -> None:
    given = suggestion(RATES, losses[None])
    assert (given.lr is not None) is found
    range_figure(given, tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 5000
