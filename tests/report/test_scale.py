"""What the figures of the scale show: bars that add to one, lines with their bands."""

import numpy as np
import pandas as pd
import pytest

from psi.fit.scale.variance import SHARES
from psi.report import scale

SHARE = (0.4, 0.3, 0.2, 0.06, 0.04)


def shares():
    return pd.DataFrame([
        {"optimizer": optimizer, "target": target, "part": part, "share": share}
        for optimizer in ("sgd", "adam")
        for target in ("validation", "train")
        for part, share in zip(SHARES, SHARE, strict=True)
    ])  # fmt: skip


def curves():
    return pd.DataFrame([
        {
            "optimizer": optimizer, "target": target, "tasks": tasks, "regret": 10 / tasks,
            "low": 8 / tasks, "high": 15 / tasks,
        }
        for optimizer in ("sgd", "adam")
        for target in ("validation", "train")
        for tasks in (30, 100, 300)
    ])  # fmt: skip


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """A function that draws, and returns the figure that it saved."""
    kept = []
    real = scale.save
    monkeypatch.setattr(scale, "save", lambda fig, path: (kept.append(fig), real(fig, path)))

    def draw(function, table):
        function(table, tmp_path / "a.png")
        assert (tmp_path / "a.png").stat().st_size > 5000
        return kept[-1]

    return draw


def test_every_part_of_the_variance_has_its_bar(drawn):
    assert set(scale.COLOURS) == set(SHARES)
    axis = drawn(scale.variance_figure, shares()).axes[0]
    for bars, part in zip(axis.containers, scale.COLOURS, strict=True):
        assert bars.get_label() == part
        assert [bar.get_width() for bar in bars] == pytest.approx([SHARE[SHARES.index(part)]] * 4)
    ends = [bar.get_x() + bar.get_width() for bar in axis.containers[-1]]
    assert ends == pytest.approx([1.0] * 4)
    names = [label.get_text() for label in axis.get_yticklabels()]
    assert names == ["sgd, validation", "sgd, train", "adam, validation", "adam, train"]
    # Numbers where they fit.
    assert {text.get_text() for text in axis.texts} == {"40%", "30%", "20%", "6%", ""}


def test_learning_curves_have_their_bands(drawn):
    figure = drawn(scale.learning_figure, curves())
    assert len(figure.axes) == 2
    for axis in figure.axes:
        for line, band in zip(axis.lines, axis.collections, strict=True):
            np.testing.assert_allclose(line.get_xdata(), [30, 100, 300])
            np.testing.assert_allclose(line.get_ydata(), [1 / 3, 0.1, 1 / 30])
            edge = band.get_paths()[0].vertices
            assert edge[:, 1].max() == pytest.approx(0.5)
            assert edge[edge[:, 0] == 300][:, 1].min() == pytest.approx(8 / 300)
