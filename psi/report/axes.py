"""Rules that every picture keeps: ticks, limits, colour bars, units and legends.

`psi.report.figures.save` applies `keep_rules` to each figure before it is written: round ticks that
fit beside each other, three at least on a colour bar, limits from the data. A picture adds a legend
that names every line, marker and colour (`legend_below`), and a loss's unit (`with_unit`).
"""

from collections.abc import Iterable, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PolyQuadMesh, QuadMesh
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import (
    AutoLocator,
    Formatter,
    Locator,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
    SymmetricalLogLocator,
)

if TYPE_CHECKING:  # psi show and psi diagnose draw where it is not installed
    from jaxtyping import Float

FONT = 9  # points
LABEL = 8  # points, of ticks and legends
DOT = 5  # points: the size of a "." that is still seen when a picture is shrunk to a phone's width
GREY = "0.85"
RED = "tab:red"
NO_DATA = Patch(color=GREY, label="no data")
UNITS = {"cross_entropy": " [nats]", "squared_error": " [½ squared error]"}
MOST = 8  # ticks of an axis
BLOWN_UP = 2.0  # times ε_0: states beyond are left out of pictures
MAX_DRAWN = 1e100  # beyond that, the ticks of an axis overflow
SEEN = 2000  # marks in a row: more look the same
GLYPH = 0.6  # width of a character over the height of its font
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def with_unit(text: str, losses: Iterable[str]) -> str:
    """A label with the unit that these loss functions share; without one where they differ.

    >>> from psi.report.axes import with_unit
    >>> with_unit("loss ε", ["cross_entropy"])
    'loss ε [nats]'
    >>> with_unit("loss ε", ["cross_entropy", "squared_error"])
    'loss ε'
    """
    units = {UNITS.get(loss, "") for loss in losses}
    return text + (units.pop() if len(units) == 1 else "")


def number(value: float) -> str:
    """A tick's label: plain within 10⁻⁴ … 10⁵, else with a power of ten.

    >>> from psi.report.axes import number
    >>> number(0.02), number(-1e-7), number(3e8)
    ('0.02', '−10⁻⁷', '3·10⁸')
    """
    power = int(np.floor(np.log10(abs(value)) + 1e-9)) if value else 0
    if -4 <= power < 5:
        return f"{value:.10g}".replace("-", "−")
    factor = f"{value / 10.0**power:.10g}".replace("-", "−")
    prefix = factor[:-1] if factor in ("1", "−1") else f"{factor}·"
    return f"{prefix}10{str(power).translate(SUPERSCRIPTS)}"


class Numbers(Formatter):
    """Labels made by `number`, the noise of rounding left out."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """The label of one tick."""
        del pos
        low, high = self.axis.get_view_interval()  # pyright: ignore
        linear = self.axis.get_scale() == "linear"  # pyright: ignore
        return number(0.0 if linear and abs(x) < 1e-9 * abs(high - low) else x)


class Ticks(Locator):
    """As many round numbers as fit beside each other, on a linear or a logarithmic axis.

    Args:
        least: how many are wanted at least.
        integer: whether they are whole numbers.
    """

    def __init__(self, least: int = 2, integer: bool = False) -> None:
        self.least, self.integer = least, integer

    def __call__(self) -> Sequence[float]:
        """The ticks of the axis as it is now."""
        return self.tick_values(*sorted(self.axis.get_view_interval()))  # pyright: ignore

    def tick_values(self, vmin: float, vmax: float) -> Sequence[float]:
        """The finest of the candidates that fit; else the most that do, two ends at least."""
        if not (np.isfinite(vmin) and np.isfinite(vmax)):
            return []
        most: Sequence[float] = []
        for ticks in self._candidates(vmin, vmax):
            slack = 1e-9 * (vmax - vmin)
            ticks = ticks[(ticks >= vmin - slack) & (ticks <= vmax + slack)]
            if self.integer:
                ticks = ticks[ticks == np.round(ticks)]
            if len(ticks) <= MOST and self._fit(ticks):
                if len(ticks) >= self.least:
                    return ticks.tolist()
                most = max(most, ticks.tolist(), key=len)
            if len(ticks) > 2 and self._fit(ticks[[0, -1]]):
                most = max(most, ticks[[0, -1]].tolist(), key=len)
        return most

    def nonsingular(self, v0: float, v1: float) -> tuple[float, float]:
        """Limits of data: half and double a constant on a logarithmic axis, no empty decades."""
        if not self._scale("log"):
            if 0 < v1 - v0 <= 1e-9 * max(abs(v0), abs(v1)):
                v0 = v1  # a constant, but for rounding
            low, high = super().nonsingular(v0, v1)
            return (low - 0.5, high + 1) if self.integer and high - low < 1 else (low, high)
        if not (np.isfinite(v0) and np.isfinite(v1)) or v1 <= 0:
            return 1.0, 10.0
        low = v0 if v0 > 0 else float(self.axis.get_minpos())  # pyright: ignore
        return (low, v1) if v1 > low * (1 + 1e-6) else (low / 2, v1 * 2)

    def _scale(self, name: str) -> bool:
        return self.axis.get_scale() == name  # pyright: ignore

    def _candidates(self, low: float, high: float) -> "Iterable[Float[np.ndarray, ' tick']]":
        """From fine to coarse."""
        if self._scale("symlog"):
            threshold = self.axis.get_transform().linthresh  # pyright: ignore
            powers = np.ravel(10.0 ** np.arange(-3, 9)[:, None] * [1, 3])
            for stride in (1, 2, 4):
                side = powers[powers >= threshold][::stride]
                yield np.concatenate([-side[::-1], [0.0], side])
        if self._scale("log") and low > 0:
            powers = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
            for factors in (np.arange(1, 10), np.array([1, 2, 5]), np.array([1, 3])):
                if len(powers) <= MOST:
                    yield np.ravel(10.0 ** powers[:, None] * factors)
            for stride in range(1, len(powers) + 1):
                yield 10.0 ** powers[powers % stride == 0]
        for count in range(MOST - 1, 0, -1):
            steps = MaxNLocator(count, steps=[1, 2, 2.5, 5, 10], integer=self.integer)
            yield np.array(steps.tick_values(low, high))

    def _fit(self, ticks: "Float[np.ndarray, ' tick']") -> bool:
        """Whether the labels leave a character's room between each other."""
        axis: Any = self.axis
        box, across = axis.axes.get_window_extent(), axis.axis_name == "x"
        length = (box.width if across else box.height) * 72 / axis.get_figure(root=True).dpi
        low, high = axis.get_transform().transform(np.array(axis.get_view_interval()))
        places = axis.get_transform().transform(ticks) / (high - low) * length
        labels = axis.get_major_formatter().format_ticks(ticks)
        sizes = np.array([len(label) * GLYPH + 1 if across else 1.5 for label in labels])
        return bool((np.abs(np.diff(places)) >= LABEL * (sizes[1:] + sizes[:-1]) / 2).all())


def keep_rules(figure: Figure) -> None:
    """Give every axis whose ticks nobody has chosen `Ticks`, three at least on a colour bar."""
    for axes in figure.axes:
        if axes.name == "3d":
            continue
        least = 3 if axes.get_label() == "<colorbar>" else 2
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_tick_params(labelsize=LABEL)
            axis.label.set_fontsize(FONT)
            if type(axis.get_major_locator()) in (AutoLocator, LogLocator, SymmetricalLogLocator):
                axis.set_major_locator(Ticks(least))
            if isinstance(axis.get_major_locator(), Ticks):
                axis.set_major_formatter(Numbers())
                axis.set_minor_formatter(NullFormatter())
                if axis.get_scale() == "symlog":
                    axis.set_minor_locator(NullLocator())
        if any(isinstance(each, (QuadMesh, PolyQuadMesh)) for each in axes.collections):
            axes.margins(0)  # bins fill their axes
        if axes.get_yscale() == "log":  # a margin of less than a decade
            low, high = axes.dataLim.minposy, axes.dataLim.ymax
            if 0 < low < high < np.inf:
                axes.set_ymargin(min(axes.get_ymargin(), 0.5 / np.log10(high / low)))
        axes.autoscale_view()
        for name, axis in (("xlim", axes.xaxis), ("ylim", axes.yaxis)):
            if axis.get_scale() == "log" and min(axis.get_view_interval()) <= 0:
                axes.set(**{name: (1.0, 10.0)})  # nothing can be drawn there


def integers(*axes: Axes) -> None:
    """Whole numbers alone on the horizontal axes."""
    for each in axes:
        each.xaxis.set_major_locator(Ticks(integer=True))


def panel_title(axis: Axes, name: str) -> None:
    """A name over a panel, on as many lines as its width asks for."""
    width = axis.get_position().width * axis.get_figure(root=True).get_figwidth()  # pyright: ignore
    most = max(12, int(width * 72 / (FONT * GLYPH)))
    axis.set_title(fill(name, most, break_on_hyphens=False), fontsize=FONT)


def beyond(
    axis: Axes, x: Any, y: Any, limit: float, name: str, below: bool = False, colour: str = RED
) -> None:
    """Triangles at `limit` for what is above it, or `below` it, or not finite.

    Of points x, y, shape (points,); of very many, some.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    out = np.flatnonzero(~(np.isfinite(y) & (y >= limit if below else y <= limit)))
    if len(out):
        out = out[:: 1 + len(out) // SEEN]
        style = {"s": 14, "c": colour, "marker": "v" if below else "^", "label": name}
        axis.scatter(x[out], np.full(len(out), limit), **style)


def legend_below(figure: Figure, *more: Artist) -> None:
    """One legend for all panels below them, each label once; `more` are handles with labels.

    The figure grows by its height.
    """
    handles = {str(each.get_label()): each for each in more}
    for axis in figure.axes:
        found, labels = axis.get_legend_handles_labels()
        handles = dict(zip(labels, found, strict=True)) | handles
    longest = max((len(label) for label in handles), default=0) + 6  # the handle's width
    columns = int(figure.get_figwidth() * 72 / (LABEL * GLYPH * longest))
    columns = min(max(columns, 1), max(len(handles), 1))
    rows = -(-len(handles) // columns)
    figure.set_figheight(figure.get_figheight() + (rows + 1) * 1.5 * LABEL / 72)
    figure.legend(
        list(handles.values()), list(handles), loc="outside lower center", frameon=False,
        fontsize=LABEL, ncols=columns,
    )  # fmt: skip
