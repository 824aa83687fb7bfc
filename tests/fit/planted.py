"""Cells and tables whose law is known, and what every fit of one must keep."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import psi
from psi.fit.cells import Cells, left_out_scores, regret
from psi.fit.formula.families import RELATIVE, family

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
FORMULA = family("loss_power*polynomial", RELATIVE).formula
START = np.array([0.0, 0.1, 0.1])
A, B, C = 0.8, 0.4, 0.7
TASKS = 6


def lost_by(tried, best):
    """A smooth valley around log α = `best`."""
    return 0.5 * (tried - best[:, None]) ** 2


def planted(noise=0.05, cells=400, tasks=8, seed=0):
    """α = A (ε/ε_0)^B (1 − i/T)^C with log-normal noise, from `tasks` tasks of two domains."""
    rng = np.random.default_rng(seed)
    ratio, progress = np.exp(rng.uniform(-3, 0.2, cells)), rng.uniform(0, 0.95, cells)
    log_rate = np.log(A) + B * np.log(ratio) + C * np.log1p(-progress)
    task = rng.integers(0, tasks, cells)
    label = log_rate + noise * rng.normal(size=cells)
    tried = np.linspace(-7, 2, 13) + rng.uniform(0, 0.7, (cells, 1))
    return Cells(
        loss=2.3 * ratio,
        epoch=20 * progress,
        initial_loss=np.full(cells, 2.3),
        epochs=np.full(cells, 20.0),
        parameters=np.full(cells, 500.0),
        log_rate=label,
        weight=np.ones(cells),
        tried=tried,
        lost=lost_by(tried, label),
        domain=np.array(["one", "two"], object)[task % 2],
        task=np.array([f"t{k}" for k in range(tasks)], object)[task],
    )


def shifted(points, by):
    """The same points wanting rates exp(by) times as high."""
    log_rate = points.log_rate + by
    return points._replace(log_rate=log_rate, lost=lost_by(points.tried, log_rate))


def assert_contract(fit, path):
    """A fit is reproducible, keeps the features, ranges and regret, and is the same from a file."""
    points = planted()
    law = fit(points, "momentum")
    assert law.features == ("loss_ratio", "progress")
    assert law.optimizer == "momentum"
    assert law.initial_loss == pytest.approx(2.3)
    grid = points.values(RELATIVE)
    assert law.domain[0] == pytest.approx((grid[0].min(), grid[0].max()))
    assert regret(law, planted(seed=5)) < 0.12
    again = fit(points, "momentum")
    np.testing.assert_array_equal(law(grid), again(grid))
    law.save(path)
    np.testing.assert_array_equal(psi.load(path)(grid), law(grid))


def scores_of_domains_apart(fit):
    """Domain two wants rates e² times higher: a fit to the other loses 2²/2 nats there."""
    points = planted()
    points = shifted(points, 2.0 * (points.domain == "two"))
    scores = left_out_scores(partial(fit, optimizer="sgd"), points)
    assert [s.name for s in scores] == [
        "regret in the cells of one, left out", "regret in the cells of two, left out"]  # fmt: skip
    assert [s.value for s in scores] == pytest.approx([2.0, 2.0], abs=0.3)
    return points, scores


def tables(rate=None, noise=0.0, cells=240, effect=0.0, seed=0):
    """(ideal rates, response surface) of six tasks in two domains; each with a scale of its own."""
    rng = np.random.default_rng(seed)
    initial = np.exp(rng.uniform(-0.5, 1.5, TASKS))
    scales = np.exp(effect * rng.normal(size=TASKS))
    task = np.arange(cells) % TASKS
    ideal = pd.DataFrame(
        {
            "task": [f"t{k}" for k in task],
            "domain": np.array(["one", "two"])[task % 2],
            "cell": np.arange(cells),
            "epoch": rng.integers(0, 19, cells),
            "epochs": 20,
            "initial_loss": initial[task],
            "parameters": 300 * (1 + task),
            "log_lr_error": 0.05,
            "sure": True,
            "scale": scales[task],
        }
    )
    ideal["loss"] = ideal.initial_loss * np.exp(rng.uniform(-3, 0.2, cells))
    ratio, progress = ideal.loss / ideal.initial_loss, ideal.epoch / ideal.epochs
    shape = A * ratio**B * (1 - progress) ** C if rate is None else rate(ideal)
    ideal["lr"] = ideal.scale * shape * np.exp(noise * rng.normal(size=cells))
    return ideal, surface_of(ideal)


def surface_of(ideal, shift=None):
    """Valleys around each ideal rate times exp(shift)."""
    steps, shift = np.linspace(-2, 2, 41), np.zeros(1) if shift is None else shift
    best = np.log(ideal.lr.to_numpy())[:, None]
    rows = ideal.loc[ideal.index.repeat(len(steps)), ["task", "cell"]].reset_index(drop=True)
    score = 0.5 * (steps - shift[:, None] + 0 * best) ** 2
    return rows.assign(lr=np.exp(best + steps).reshape(-1), score=score.reshape(-1))


def constants_of(law):
    return [constant.value for constant in law.constants]


def scores_of(law):
    return {score.name: score.value for score in law.scores}


def saturating(table):
    ratio = table.loss / table.initial_loss
    return 0.3 * ratio / (ratio + 0.1) * (1 - table.epoch / table.epochs)


def planted_sweep(rng, noise=0.003, scatter=0.0, skew=0.3, rates=None, sizes=None, seeds=1):
    """Runs at each (N, D) whose best rate is 2e-3 (N/1e8)^-0.6 (D/1e10)^0.3, or e^scatter away.

    The loss rises like e^(skew·u) − 1 − skew·u in u = log rate; far above the best, runs diverge.
    """
    rates = 2e-4 * 2 ** (np.arange(20) / 2) if rates is None else np.asarray(rates)
    grid = [(n, d) for n in 1e7 * 4.0 ** np.arange(4) for d in (1e9, 4e9, 1.6e10)]
    frames = []
    for n, d in sizes or grid:
        best = np.log(2e-3) - 0.6 * np.log(n / 1e8) + 0.3 * np.log(d / 1e10)
        u = np.repeat(np.log(rates) - best - scatter * rng.normal(), seeds)
        valley = 0.06 * (np.expm1(skew * u) - skew * u) / skew**2 if skew else 0.03 * u**2
        loss = 2 + 100 * n**-0.3 + valley + noise * rng.normal(size=len(u))
        loss[u > 3] = np.inf
        frames.append(pd.DataFrame({"N": n, "D": d, "lr": np.repeat(rates, seeds), "loss": loss}))
    return pd.concat(frames, ignore_index=True)
