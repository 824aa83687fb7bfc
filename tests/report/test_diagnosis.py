"""The figure of a diagnosis is drawn of any log."""

from pathlib import Path

import numpy as np
import pytest

import psi
from psi.advice.diagnosis import diagnose
from psi.advice.log import Series
from psi.advice.replay import replay_log
from psi.advice.smoothing import trend
from psi.report.diagnosis import diagnosis_figure
from tests.advice.logs import STRANGE, log_of

LOGS = STRANGE | {"spiked": 2 * np.exp(-np.arange(40) / 9) + 2.0 * (np.arange(40) == 20)}


@pytest.mark.parametrize("name", LOGS)
@pytest.mark.parametrize("ratio", [np.nan, 1e-3])
def test_the_figure_is_drawn(name: str, ratio: float, tmp_path: Path) -> None:
    log = log_of(LOGS[name], 0.1, ratio)
    along = replay_log(log, psi.load("sgd"))
    diagnosis_figure(log, trend(log), diagnose(log), along, "sgd", tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 5000


@pytest.mark.parametrize("lines", [30, 20_001])
def test_the_figure_shows_every_column_that_speaks(lines: int, tmp_path: Path) -> None:
    """A panel for the gradient norm, a line for the validation loss; Ψ may not have been asked."""
    t = np.arange(float(lines))
    log = log_of(2 * np.exp(-t / lines), 0.1)
    series = Series(t, 1 + np.abs(t / lines - 0.3))
    log = log._replace(validation=series, gradient_norm=series)
    diagnosis_figure(log, trend(log), diagnose(log), None, "sgd", tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 10_000
