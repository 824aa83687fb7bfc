"""Figures of a suite's run keep the rules of every picture, however many rows and panels."""

import numpy as np
import pandas as pd
import pytest

from psi.report.standings import KINDS, prices_figure, profiles_figure, regrets_figure
from tests.report.test_axes import faults

OPTIMIZERS = ("adam", "momentum", "sgd")
COUNTS = {"few": (1, 4), "one optimizer": (1, 12), "a suite": (3, 64)}


def rows(panels, count, intervals=True):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        [(name, k) for name in OPTIMIZERS[:panels] for k in range(count)],
        columns=["optimizer", "k"],
    )
    kinds = [
        "law",
        "calibrated",
        "reference",
        "tuned",
        "search",
        "oracle",
        *["rule"] * max(count - 6, 0),
    ]
    regret, half = rng.normal(0.3, 0.5, len(table)), rng.uniform(0.05, 0.3, len(table))
    runs = {"tuned": 340, "reference": 1080, "search": 30}
    kind = [kinds[k] for k in table.k]
    return table.assign(
        kind=kind, regret=regret, tuning_runs=[runs.get(each, 0) for each in kind],
        method=[f"a {each} of a long name, {k} runs" for k, each in enumerate(kind)],
        low=regret - half if intervals else np.nan, high=regret + half if intervals else np.nan,
    )  # fmt: skip


def profiles(table):
    tau = np.linspace(-1, 2, 31)
    curves = [
        pd.DataFrame(
            {"optimizer": row.optimizer, "method": row.method, "kind": row.kind, "tau": tau,
             "share": (tau > row.regret).astype(float), "low": 0.0, "high": 1.0}
        )
        for row in table[table.k < 8].itertuples()
    ]  # fmt: skip
    return pd.concat(curves)


@pytest.mark.parametrize("intervals", [True, False])
@pytest.mark.parametrize("size", COUNTS)
def test_kind_the_figures_keep_the_rules(size, intervals, unsaved, tmp_path):
    table = rows(*COUNTS[size], intervals)
    regrets_figure(table, tmp_path / "a.png")
    assert faults(unsaved(), "cross_entropy") == []
    prices_figure(table, tmp_path / "b.png")
    assert faults(unsaved(), "cross_entropy") == []
    profiles_figure(profiles(table), tmp_path / "c.png")
    assert faults(unsaved(), "cross_entropy") == []


def test_every_row_is_drawn_and_named_the_best_on_top(unsaved, tmp_path):
    table = rows(3, 64)
    regrets_figure(table, tmp_path / "a.png")
    figure = unsaved()
    for axis, (name, own) in zip(figure.axes, table.groupby("optimizer"), strict=True):
        assert axis.get_title() == name
        ordered = own.sort_values("regret").method.tolist()
        assert [label.get_text() for label in axis.get_yticklabels()] == ordered
        drawn = np.concatenate(
            [dots.get_xdata() for dots in axis.lines if dots.get_marker() == "o"]
        )
        assert sorted(drawn) == sorted(own.regret)
        assert axis.get_ylim()[0] > axis.get_ylim()[1]
    named = {text.get_text() for text in figure.legends[0].get_texts()}
    assert named == {"no difference", *(name for _, name in KINDS.values())}
