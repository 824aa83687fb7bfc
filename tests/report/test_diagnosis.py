"""The figure of a diagnosis is drawn of any log."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import psi
from psi.advice.diagnosis import diagnose
from psi.advice.log import Series
from psi.advice.replay import replay_log
from psi.advice.smoothing import trend
from psi.report.diagnosis import diagnosis_figure
from tests.advice.logs import STRANGE, log_of, trained
from tests.report.test_axes import faults

LOGS = STRANGE | {
    "spiked": 2 * np.exp(-np.arange(40) / 9) + 2.0 * (np.arange(40) == 20),
    "too high": trained(np.full(40, 2.2)).loss,
}


@pytest.mark.parametrize("name", LOGS)
@pytest.mark.parametrize("ratio", [np.nan, 1e-3])
def test_kind_the_figure_of_a_strange_log_keeps_the_rules(
    name: str, ratio: float, unsaved: Any, tmp_path: Path
) -> None:
    log = log_of(LOGS[name], 0.1, ratio)
    along = replay_log(log, psi.load("sgd"))
    diagnosis_figure(log, trend(log), diagnose(log), along, "sgd", tmp_path / "a.png")
    assert faults(unsaved(), "") == []


@pytest.mark.parametrize("end", [0.0, 1e-12, np.nan])
def test_a_rate_that_ends_at_zero_is_marked_and_does_not_fill_the_axis(
    end: float, unsaved: Any, tmp_path: Path
) -> None:
    rates = np.append(np.geomspace(0.1, 1e-3, 29), end)
    log = log_of(np.linspace(2, 1, 30), rates)
    diagnosis_figure(log, trend(log), [], None, "sgd", tmp_path / "a.png")
    assert faults(unsaved(), "") == []
    low, _ = unsaved().axes[1].get_ylim()
    assert low > 1e-7
    named = [text.get_text() for text in unsaved().legends[0].get_texts()]
    assert any("your rate: 0" in text for text in named) is bool(end < 1)


@pytest.mark.parametrize("lines", [30, 20_001])
def test_the_figure_shows_every_column_that_speaks(lines: int, tmp_path: Path) -> None:
    """A panel for the gradient norm, a line for the validation loss; Ψ may not have been asked."""
    t = np.arange(float(lines))
    log = log_of(2 * np.exp(-t / lines), 0.1)
    series = Series(t, 1 + np.abs(t / lines - 0.3))
    log = log._replace(validation=series, gradient_norm=series)
    diagnosis_figure(log, trend(log), diagnose(log), None, "sgd", tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 10_000
