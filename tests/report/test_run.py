"""The picture of a run under a law: losses, the rate with its parts, the feedback."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from psi.law.parts import Course, Parts
from psi.report import run as module
from psi.report.run import run_figure

ONE = np.ones(4)
LOSSES = np.array([2.0, 1.0, 0.5, 0.25])


def drawn(monkeypatch, tmp_path, feedback: np.ndarray, limits: np.ndarray) -> Figure:
    kept: list[Figure] = []
    monkeypatch.setattr(module, "save", lambda figure, _: kept.append(figure))
    shape = np.array([1.0, 0.75, 0.5, 0.25])
    parts = Parts(0.1 * ONE, shape, np.exp(feedback), limits)
    course = Course(np.prod(parts, axis=0), parts, feedback)
    run_figure(course, LOSSES, 2 * LOSSES, tmp_path / "run.png", "a run", "cross_entropy")
    return kept[0]


def labels(figure: Figure) -> set[str]:
    return {text.get_text() for legend in figure.legends for text in legend.get_texts()}


def test_what_each_part_did_is_an_area_and_u_a_panel(monkeypatch, tmp_path) -> None:
    figure = drawn(monkeypatch, tmp_path, np.array([0.0, 0.5, -0.5, 0.0]), 0.5 * ONE)
    assert len(figure.axes) == 3
    assert {f"what the {n} did" for n in ("shape", "feedback", "limits")} < labels(figure)
    (loss, value) = figure.axes[0].lines[:2]
    assert np.asarray(loss.get_ydata()).tolist() == LOSSES.tolist()
    assert np.asarray(value.get_xdata()).tolist() == [1, 2, 3, 4]  # after each epoch
    rate = figure.axes[1].lines[-1].get_ydata()
    assert rate == pytest.approx(0.05 * np.array([1, 0.75, 0.5, 0.25]) * np.exp([0, 0.5, -0.5, 0]))


def test_what_did_nothing_is_not_drawn(monkeypatch, tmp_path) -> None:
    figure = drawn(monkeypatch, tmp_path, 0 * ONE, ONE)
    assert len(figure.axes) == 2
    said = labels(figure)
    assert "what the shape did" in said
    assert not {"what the feedback did", "what the limits did"} & said
