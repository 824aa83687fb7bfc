"""The shipped laws give the rates that they gave, on a grid and along streams of losses.

What the golden file holds of NAME@0.1.0 and NAME-scaled, version 0.1.0 computed. It changes only
where a law file of psi/pretrained does, and then in the same commit: `python -m
tests.law.test_shipped` writes it.
"""

import json
import warnings
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import psi
import psi.pretrained
from tests.schedulers.drivers import clock_rates
from tests.schedulers.streams import EPOCHS, STREAMS, single

GOLDEN = Path(__file__).with_name("shipped_rates.json")
LAWS = tuple(psi.pretrained.laws())
GRID = {
    "loss_ratio": (1e-3, 0.05, 0.3, 1.0, 1.7),
    "progress": (0.0, 0.125, 0.5, 0.9, 0.975),
    "parameters": (1.0, 300.0, 5_000.0, 1e6),
}
FACTS = {
    "stream": (0.0, 1.0, 0.0),
    "rows": (150.0, 1.0, 50_000.0, 2_000.0),
    "batch": (32.0, 8.0, 500.0),
    "steps": (5.0, 63.0, 1_000.0, 20.0),
    "budget": (20.0, 5.0, 300.0),
    "chance_loss": (0.69, 2.3, 0.01),
    "classes": (2.0, 10.0, 1.0, 300.0),
    "weight_rms": (0.1, 0.4, 0.02, 1.0),
    "initial_grad_norm": (1.0, 0.2, 30.0, 4.0),
}
"""They change from point to point beside the grid, or there would be too many."""


def rates_on_grid(name: str) -> list[float]:
    """α of the law at every point of GRID, inside its domain and out of it."""
    law = psi.load(name)
    grid = np.array(list(product(*(GRID[each] for each in law.features if each in GRID)))).T
    seen = dict(zip([each for each in law.features if each in GRID], grid, strict=True))
    seen |= {each: np.resize(FACTS[each], grid.shape[1]) for each in law.features if each in FACTS}
    return [float(rate) for rate in law(np.array([seen[each] for each in law.features]))]


def rates_along(name: str, stream: str) -> list[float]:
    """α of every epoch of a stream, by the clock."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of losses that are no number
        facts = psi.Facts(parameters=1_000, rows=500, batch=20, classes=10)
        given: dict[str, Any] = {"facts": facts}
        return [
            float(rate)
            for rate in clock_rates(psi.load(name), single(STREAMS[stream]), EPOCHS, **given)
        ]


@pytest.fixture(scope="module")
def golden() -> dict[str, dict[str, list[float]]]:
    return json.loads(GOLDEN.read_text())


def test_every_law_has_golden_rates(golden) -> None:
    assert set(golden) == set(LAWS)


@pytest.mark.parametrize("name", LAWS)
def test_rates_on_a_grid(name: str, golden) -> None:
    former = "@" in name or name.endswith("-scaled")
    assert (psi.load(name).features == tuple(GRID)) == former
    np.testing.assert_allclose(rates_on_grid(name), golden[name]["grid"], rtol=1e-12)


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("name", LAWS)
def test_rates_along_a_stream(name: str, stream: str, golden) -> None:
    np.testing.assert_allclose(rates_along(name, stream), golden[name][stream], rtol=1e-12)


if __name__ == "__main__":
    rows = {
        name: {"grid": rates_on_grid(name)} | {s: rates_along(name, s) for s in STREAMS}
        for name in LAWS
    }
    GOLDEN.write_text(json.dumps(rows) + "\n")
