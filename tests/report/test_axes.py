"""What every picture keeps, whatever its data: measured on the figure as it is drawn."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import Collection, LineCollection
from matplotlib.colors import LogNorm, to_hex
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator
from matplotlib.transforms import Bbox, BboxBase

from psi.report.axes import Ticks, keep_rules, number, with_unit
from psi.report.figures import DPI
from tests.report.pictures import PICTURES, SPREADS

ROUNDING = 1e-6
SEEN = 1.5  # pixels


def faults(figure: Figure, loss: str) -> list[str]:
    """Every rule that the picture breaks."""
    figure.set_dpi(DPI)
    figure.draw_without_rendering()
    found = [*_texts(figure), *_ticks(figure), *_cut_off(figure), *_unexplained(figure)]
    words = " ".join(text.get_text() for text in figure.findobj(Text))
    if loss != "cross_entropy" and "nats" in words:
        found.append("nats of a loss that is not a cross-entropy")
    return found


def _is_bar(axes: Axes) -> bool:
    return axes.get_label() == "<colorbar>"


def _axes(figure: Figure) -> list[Any]:
    return [axes for axes in figure.axes if axes.axison and axes.get_visible()]


def _labels(figure: Figure) -> list[tuple[str, Bbox]]:
    """Labels of ticks within the limits, with the boxes they fill."""
    labels = []
    for axes in _axes(figure):
        for axis in axes._axis_map.values():
            low, high = sorted(axis.get_view_interval())
            for tick in axis.get_major_ticks() + axis.get_minor_ticks():
                for text in (tick.label1, tick.label2):
                    slack = ROUNDING * (high - low)
                    inside = low - slack <= tick.get_loc() <= high + slack
                    if text.get_visible() and text.get_text() and inside:
                        labels.append((text.get_text(), text.get_window_extent()))
    return labels


def _texts(figure: Figure) -> list[str]:
    labels = _labels(figure)
    free = [t for axes in _axes(figure) for t in (axes.title, axes.xaxis.label, axes.yaxis.label)]
    boxes = [(t.get_text(), t.get_window_extent()) for t in free if t.get_text()]
    boxes += [("legend", legend.get_window_extent()) for legend in figure.legends]
    pairs = combinations(labels + boxes, 2)
    found = [f"{a!r} over {b!r}" for (a, x), (b, y) in pairs if _overlap(x, y)]
    outside = [a for a, x in labels + boxes if not _within(x, figure.bbox)]
    return found + [f"{a!r} outside the picture" for a in outside]


def _overlap(x: Bbox, y: Bbox) -> bool:
    both = Bbox.intersection(x, y)
    return both is not None and both.width > 0.5 and both.height > 0.5


def _within(x: Bbox, y: BboxBase) -> bool:
    return x.x0 >= y.x0 - 1 and x.y0 >= y.y0 - 1 and x.x1 <= y.x1 + 1 and x.y1 <= y.y1 + 1


def _ticks(figure: Figure) -> list[str]:
    found = []
    for axes in _axes(figure):
        bar = _is_bar(axes)
        for axis in axes._axis_map.values():
            low, high = sorted(axis.get_view_interval())
            shown = [at for at in axis.get_majorticklocs() if low <= at <= high]
            categories = isinstance(axis.get_major_locator(), FixedLocator)
            if shown and len(shown) < (3 if bar else 2) and not categories:
                found.append(f"{len(shown)} ticks from {low:g} to {high:g}")
            names = axis.get_major_formatter().format_ticks(shown)
            if len(set(names)) < len(names) and not categories:
                found.append(f"two ticks with one label among {names}")
            if not shown and not (bar and axis.axis_name == "x"):
                found.append("an axis without ticks")
    return found


def _points(axes: Any) -> np.ndarray:
    """Every point that is drawn in the coordinates of the data."""
    points = [line.get_xydata() for line in axes.lines if line.get_transform() == axes.transData]
    across = [line for line in axes.lines if line.get_transform() == axes.get_yaxis_transform()]
    level = np.array([line.get_ydata()[0] for line in across], float)
    for each in axes.collections:
        if each.get_offset_transform() == axes.transData:
            points.append(each.get_offsets())
        if each.get_transform() == axes.transData:
            points += [path.vertices for path in each.get_paths()]
    known = [np.ma.filled(np.ma.asarray(each, float), np.nan) for each in points if len(each)]
    known = [each[np.isfinite(each).all(1)] for each in known]
    return np.concatenate([*known, np.stack([np.full(len(level), np.nan), level], 1)])


def _cut_off(figure: Figure) -> list[str]:
    """Data beyond the limits, and a decade of a logarithmic axis without any."""
    found = []
    drawn = {a: _points(a) for a in _axes(figure) if a.name != "3d" and not _is_bar(a)}
    for axes in drawn:
        for way, axis in enumerate((axes.xaxis, axes.yaxis)):
            shared = (axes.get_shared_x_axes, axes.get_shared_y_axes)[way]()
            own = np.concatenate(
                [drawn[each][:, way] for each in shared.get_siblings(axes) if each in drawn]
            )
            low, high = sorted(axis.get_view_interval())
            log = axis.get_scale() == "log"
            own = own[own > 0] if log else own[np.isfinite(own)]
            if not len(own):
                continue
            slack = ROUNDING * (low if log else high - low)
            if own.min() < low - slack or own.max() > high + ROUNDING * abs(high):
                found.append(f"data from {own.min():g} to {own.max():g} in {low:g} … {high:g}")
            if log and max(own.min() / low, high / own.max()) > 10:
                found.append(f"an empty decade: {own.min():g} … {own.max():g}, {low:g} … {high:g}")
    return found


def _unexplained(figure: Figure) -> list[str]:
    """Lines and markers that no legend names, and markers that are too small."""
    legends = [*figure.legends, *(a.get_legend() for a in figure.axes if a.get_legend())]
    handles = [h for legend in legends for h in legend.legend_handles]
    looks = {
        (to_hex(h.get_color()), h.get_linestyle(), h.get_marker())
        for h in handles
        if hasattr(h, "get_marker")
    }
    found, colours = [], {to_hex(c) for h in handles for c in _colours(h)}
    for axes in _axes(figure):
        if _is_bar(axes) or axes.name == "3d":
            continue
        for line in axes.lines:
            look = (to_hex(line.get_color()), line.get_linestyle(), line.get_marker())
            caps = line.get_marker() in "|_" or line.get_marker() in (0, 1, 2, 3)
            if len(line.get_xdata()) and look not in looks and not caps:
                found.append(f"a line {look} without a name")
            size = line.get_markersize() * (0.5 if line.get_marker() == "." else 1) * DPI / 72
            if line.get_marker() not in ("", "None", None) and size < SEEN:
                found.append(f"a marker of {size:.2g} pixels")
        for each in axes.collections:
            plain = isinstance(each, (LineCollection, ContourSet)) and each.get_array() is None
            if plain and not {to_hex(c) for c in _colours(each)} <= colours:
                found.append("error bars or contours without a name")
    return found


def _colours(handle: Any) -> list[Any]:
    if isinstance(handle, Collection):
        filled = handle.get_facecolor()
        return list(filled if len(filled) else handle.get_edgecolor())
    return [handle.get_color()] if hasattr(handle, "get_color") else [handle.get_facecolor()]


# Each picture with one spread in every run, and with all of them among the slow tests.
PAIRS = [
    pytest.param(name, kind, marks=[] if (row - column) % len(SPREADS) == 4 else pytest.mark.slow)
    for row, name in enumerate(PICTURES)
    for column, kind in enumerate(SPREADS)
]


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_kind_pictures_keep_the_rules(name, kind, unsaved, tmp_path):
    PICTURES[name](SPREADS[kind], tmp_path / "a.png")
    assert faults(unsaved(), SPREADS[kind].loss) == []


def _plotted(values, scale="log", size=(3.0, 2.0)) -> Figure:
    figure = Figure(figsize=size, layout="constrained")
    axis = figure.subplots()
    axis.plot(values, values, "o", label="values")
    axis.set(xscale=scale, yscale=scale)
    axis.legend()
    keep_rules(figure)
    return figure


@pytest.mark.parametrize("scale", ["log", "linear"])
def test_kind_ticks_fit_whatever_the_range(scale):
    """Random ranges on small and on large axes; each is drawn and measured."""
    rng = np.random.default_rng(0)
    for _ in range(8):
        middle, decades = 10 ** rng.uniform(-7, 5), 10 ** rng.uniform(-4, 1)
        values = middle * 10 ** np.linspace(-decades / 2, decades / 2, 5)
        figure = _plotted(values, scale, tuple(rng.uniform(1.6, 7, 2)))
        assert faults(figure, "") == [], (middle, decades)


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ([1.0, 2.0], "an empty decade"),
        ([1.0, 300.0], "data from"),
    ],
)
def test_the_measurements_find_what_they_are_for(values, fault):
    figure = _plotted(values)
    figure.axes[0].set_ylim(1e-3, 100)
    assert any(fault in each for each in faults(figure, ""))


def test_the_measurements_find_overlaps_sizes_names_and_units():
    figure = _plotted([1.0, 2.0], "linear")
    axis = figure.axes[0]
    axis.set_xticks([1.0, 1.01], labels=["one", "two"])
    axis.plot([1, 2], [1, 2], "r.", ms=1)
    axis.set_ylabel("loss [nats]")
    found = " ".join(faults(figure, "squared_error"))
    for part in ("'one' over 'two'", "without a name", "a marker of 0.9 pixels", "nats"):
        assert part in found


def test_the_measurements_find_labels_that_are_the_same():
    figure = _plotted([1e-30, 1.0])
    figure.axes[0].yaxis.set_major_formatter(lambda value, _: f"{value:.0f}")
    assert any("two ticks with one label" in each for each in faults(figure, ""))


def test_a_constant_gets_less_than_a_decade_and_nothing_gets_one():
    assert Ticks().tick_values(np.nan, 1.0) == []
    low, high = _plotted([0.1, 0.1]).axes[0].get_ylim()
    assert high / low < 10
    assert _plotted([np.nan, np.nan]).axes[0].get_ylim() == pytest.approx((1, 10), rel=0.2)


@pytest.mark.parametrize(
    ("value", "label"),
    [(0.0, "0"), (0.1 + 0.2, "0.3"), (-2.5, "−2.5"), (1e-5, "10⁻⁵"), (2e-9, "2·10⁻⁹"), (1e5, "10⁵"),
     (99999, "99999"), (-3e6, "−3·10⁶"), (1e-200, "10⁻²⁰⁰")],
)  # fmt: skip
def test_labels_of_ticks(value, label):
    assert number(value) == label


def test_a_unit_stands_where_all_losses_have_it():
    assert with_unit("ε", ["cross_entropy"] * 2) == "ε [nats]"
    assert with_unit("ε", ["squared_error"]) == "ε [½ squared error]"
    assert with_unit("ε", ["cross_entropy", "own"]) == with_unit("ε", ["own"]) == "ε"


@pytest.mark.parametrize(("low", "high"), [(1.9, 3.2), (0.19, 0.32)])
def test_a_colour_bar_over_less_than_a_decade_has_three_ticks(low, high):
    """Digits alone would be two, 2 and 3."""
    figure = Figure(figsize=(3, 2))
    bar = figure.colorbar(ScalarMappable(LogNorm(low, high)), ax=figure.subplots())
    keep_rules(figure)
    figure.draw_without_rendering()
    ticks = np.array(bar.ax.yaxis.get_majorticklocs())
    assert ((ticks >= low) & (ticks <= high)).sum() >= 3
