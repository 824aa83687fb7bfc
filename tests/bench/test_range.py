"""What a range test's rate is worth: one task measured, the summary, and the page's figures."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest

from psi.bench.range import OPTIMIZERS, SPECS, Worth, cells, summary, worth
from psi.lab.hyper import Hyper
from psi.lab.tasks.table import make_task

PACKAGE = Path(__file__).parents[2] / "psi"


def made(ratio: float | None, given: float | None, optimizer: str = "sgd") -> Worth:
    return Worth(optimizer, "a", ratio, 1.0, given, 0.1, given, "")


def test_one_task_is_tested_tuned_and_scored() -> None:
    found = worth(make_task("wine", Hyper(epochs=4)), jax.random.key(0))
    assert found.suggested is not None
    assert 0.01 < found.suggested < found.tuned < 10
    assert found.loss_suggested is not None
    assert found.loss_suggested > found.loss_tuned
    assert found.given_away is not None
    assert found.given_away > 0


def test_the_summary_counts_what_is_near_and_what_is_none() -> None:
    found = summary([made(0.25, 1.0), made(0.6, 0.0), made(3.0, 0.5, "adam"), made(None, None)])
    assert found["all"] == {
        "tasks": 4, "suggested": 3, "ratio_10%": pytest.approx(0.32), "ratio_median": 0.6,
        "ratio_90%": pytest.approx(2.52), "within_2": pytest.approx(1 / 3, abs=1e-3),
        "within_4": 1.0, "above_tuned": pytest.approx(1 / 3, abs=1e-3),
        "given_away_mean": 0.5, "given_away_median": 0.5,
    }  # fmt: skip
    assert found["sgd"]["tasks"] == 3
    assert "momentum" not in found


def test_the_page_holds_the_measured_figures() -> None:
    kept = json.loads((PACKAGE / "bench" / "range.json").read_text())
    page = (PACKAGE / "advice" / "range_test.md").read_text()
    found = [Worth(**row) for row in kept["tasks"]]
    assert len(found) == len(SPECS) * len(OPTIMIZERS) >= 40
    assert kept["summary"] == summary(found)
    for each in found:
        assert f"| {' | '.join(cells(each))} |" in page
    for name, figures in kept["summary"].items():
        assert f"| {name} | {' | '.join(f'{v:g}' for v in figures.values())} |" in page
    assert np.isfinite([each.loss_tuned for each in found]).all()
