"""Figures of a demo and of laws: what is drawn, not only that something is."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

import psi
from psi.law.evaluation import stand_in
from psi.report.figures import (
    Line,
    Surface,
    binned_mean,
    comparison_figure,
    curves_figure,
    law_figure,
    psi_figure,
    rates_figure,
    surface_figure,
)
from tests.report.conftest import labels

LINES = [
    Line("Ψ closed form", [1.0, 0.5, 0.25], [0.3, 0.2, 0.1]),
    Line("linear, untuned (0.1)", [1.2, None, 0.6], [0.1, 0.05, 0.0]),
    Line("linear, tuned (0.4)", [1.1, 0.6, 0.3], [0.4, 0.2, 0.0]),
]


def test_a_mean_is_taken_over_what_is_in_a_bin():
    """One bin with values 1 and 4 of weights 1 and 2, one with 5, two with nothing."""
    x, y = pd.Series([0.1, 0.2, 1.5]), pd.Series([0.5, 0.6, 1.5])
    edges = (np.arange(3.0), np.arange(3.0))
    mean = binned_mean(x, y, edges, pd.Series([1.0, 4.0, 5.0]), pd.Series([1.0, 2.0, 1.0]))
    np.testing.assert_allclose(mean, [[3.0, np.nan], [np.nan, 5.0]])


def test_curves_are_the_mean_losses_and_the_criterion(drawn, tmp_path):
    curves_figure(LINES, 0.4, tmp_path / "curves.png")
    (axis,) = drawn().axes
    *lines, criterion = axis.lines
    assert labels(drawn()) == [*(line.name for line in LINES), "criterion"]
    for line, shown in zip(LINES, lines, strict=True):
        np.testing.assert_array_equal(shown.get_xdata(), [1, 2, 3])
        np.testing.assert_array_equal(shown.get_ydata(), np.array(line.losses, float))
    np.testing.assert_array_equal(criterion.get_ydata(), [0.4, 0.4])
    law, untuned, tuned = lines
    assert law.get_linewidth() > tuned.get_linewidth()
    assert to_hex(untuned.get_color()) == to_hex(tuned.get_color()) != to_hex(law.get_color())
    assert (untuned.get_linestyle(), tuned.get_linestyle()) == ("--", "-")


def test_rates_of_zero_are_not_drawn_on_a_logarithmic_axis(drawn, tmp_path):
    rates_figure(LINES, tmp_path / "rates.png")
    (axis,) = drawn().axes
    np.testing.assert_array_equal(axis.lines[2].get_ydata(), [0.4, 0.2, np.nan])
    low, high = axis.get_ylim()
    assert 0.02 < low < 0.05 < 0.4 < high < 1
    assert axis.get_yscale() == "log"


def test_a_comparison_has_losses_and_rates_of_each_task_in_the_same_colours(drawn, tmp_path):
    comparison_figure([("a", LINES[1:]), ("b", LINES)], tmp_path / "comparison.png")
    axes = drawn().axes
    assert [axis.get_title() for axis in axes] == ["a", "", "b", ""]
    assert sorted(labels(drawn())) == sorted(line.name for line in LINES)
    np.testing.assert_array_equal(axes[2].lines[0].get_ydata(), [1.0, 0.5, 0.25])
    np.testing.assert_array_equal(axes[3].lines[2].get_ydata(), [0.4, 0.2, np.nan])
    colours = {(line.get_label(), to_hex(line.get_color())) for axis in axes for line in axis.lines}
    assert len(colours) == len(LINES)


def test_psi_over_loss_and_epoch_has_the_states_that_were_visited(drawn, tmp_path):
    visited = pd.DataFrame({"epoch": [0, 3], "loss": [1.0, 0.2]})
    laws = [Surface("one", lambda loss, _: loss), Surface("two", lambda loss, _: 2 * loss)]
    psi_figure(laws, (0.1, 1.0), 5, visited, tmp_path / "psi.png")
    *axes, bar = drawn().axes
    assert [axis.get_title() for axis in axes] == ["one", "two"]
    for axis in axes:
        assert axis.get_xlim() == (0, 4)
        assert axis.get_ylim() == pytest.approx((0.1, 1.0))
        np.testing.assert_array_equal(axis.lines[0].get_xydata(), [[0, 1.0], [3, 0.2]])
    # From the lowest of the first to the highest of the second.
    assert bar.get_ylim() == pytest.approx((0.1, 2.0))


def test_a_law_s_figure_names_its_formula_and_size(drawn, tmp_path):
    law = psi.load("momentum")
    facts = psi.Facts(parameters=700, classes=10)
    law_figure(law, 10, tmp_path / "law.png", facts)
    axis = drawn().axes[0]
    title = axis.get_title().replace("\n", " ")
    assert title.startswith(f"Ψ: {law}, parameters = 700, stream = 0, rows = ".replace("*", " * "))
    highest = axis.collections[0].get_array().max()
    law_figure(law, 10, tmp_path / "law.png", psi.Facts(parameters=7_000, classes=10))
    exponent = next(each.value for each in law.constants if each.name == "parameters")
    higher = drawn().axes[0].collections[0].get_array().max()
    assert higher / highest == pytest.approx(10**exponent)
    assert f", batch = {stand_in(law, 'batch'):.4g}, steps = " in title
    assert ", budget = 10, chance_loss = 2.303, classes = 10, weight_rms = 0.19" in title
    assert axis.get_ylim() == pytest.approx((law.initial_loss / 100, law.initial_loss))


def test_the_response_surface_is_what_a_rate_lost_against_its_cell_s_best(drawn, tmp_path):
    """Two candidates in each of two cells: 0 and 2 nats lost early, 0 and 1 late."""
    surface = pd.DataFrame(
        {
            "task": "a", "cell": [0, 0, 1, 1], "epoch": [0, 0, 9, 9], "epochs": 10,
            "loss": [1.0, 1.0, 0.1, 0.1], "initial_loss": 1.0, "lr": [0.01, 1.0, 0.01, 1.0],
            "score": [-1.0, 1.0, -2.0, -3.0],
        }
    )  # fmt: skip
    ideal = surface.iloc[[0, 3]].assign(sure=[True, False])
    surface_figure(surface, ideal, tmp_path / "surface.png")
    figure = drawn()
    left, right, _ = figure.axes
    lost = np.ma.filled(left.collections[0].get_array(), np.nan)  # of rate, progress
    assert (lost[0, 0], lost[-1, 0], lost[0, -1], lost[-1, -1]) == (0, 2, 1, 0)
    assert np.isfinite(lost).sum() == 4  # what was not visited stays grey
    assert len(left.lines[0].get_xdata()) == len(right.lines[0].get_xdata()) == 1
