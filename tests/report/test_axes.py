"""What every picture keeps, whatever its data: measured on the figure as it is drawn."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator
from matplotlib.transforms import Bbox

from psi.report.axes import DOT, Numbers, Ticks, keep_rules, number, with_unit
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


def _axes(figure: Figure):
    return [axes for axes in figure.axes if axes.axison]


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


def _within(x: Bbox, y: Bbox) -> bool:
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
            if not shown and not (bar and axis.axis_name == "x"):
                found.append("an axis without ticks")
    return found


def _points(axes: Axes) -> np.ndarray:
    """Every point that is drawn in the coordinates of the data."""
    points = [line.get_xydata() for line in axes.lines if line.get_transform() == axes.transData]
    for each in axes.collections:
        if each.get_offset_transform() == axes.transData:
            points.append(each.get_offsets())
        if each.get_transform() == axes.transData:
            points += [path.vertices for path in each.get_paths()]
    known = [np.ma.filled(np.ma.asarray(each, float), np.nan) for each in points if len(each)]
    return np.concatenate([np.empty((0, 2)), *(each[np.isfinite(each).all(1)] for each in known)])


def _cut_off(figure: Figure) -> list[str]:
    """Data beyond the limits, and a decade of a logarithmic axis without any."""
    found = []
    drawn = {a: _points(a) for a in _axes(figure) if a.name != "3d" and not _is_bar(a)}
    for axes in drawn:
        for way, axis in enumerate((axes.xaxis, axes.yaxis)):
            shared = (axes.get_shared_x_axes, axes.get_shared_y_axes)[way]()
            own = np.concatenate([drawn[each][:, way] for each in shared.get_siblings(axes)])
            low, high = sorted(axis.get_view_interval())
            log = axis.get_scale() == "log"
            own = own[own > 0] if log else own
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
            if isinstance(each, (LineCollection, ContourSet)) and each.get_array() is None:
                if not {to_hex(c) for c in each.get_edgecolors()} <= colours:
                    found.append("error bars or contours without a name")
    return found


def _colours(handle) -> list:
    if hasattr(handle, "get_colors"):
        return list(handle.get_colors())
    if hasattr(handle, "get_offsets"):
        return list(handle.get_facecolor())
    return [handle.get_color()] if hasattr(handle, "get_color") else [handle.get_facecolor()]
