"""Fits recover what was planted; the exported network is the Flax network."""

from dataclasses import replace
from functools import partial

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from flax import nnx

import psi
from psi.fit import network as network_room
from psi.fit.cells import Labels, labels, left_out_scores, lost_at, regret
from psi.fit.closed import fit_closed
from psi.fit.config import FitConfig
from psi.fit.formula.families import RAW, RELATIVE, Free, family
from psi.fit.network import PsiNetwork, fit_network
from psi.fit.refine import closed_form, intervals, least_squares, mean_lost, minimise
from psi.fit.search.candidates import Kind
from psi.law.network import Network
from psi.law.parsing import parse

POWERS = FitConfig(family="loss_power*polynomial")
FAMILY = family("loss_power*polynomial", RELATIVE)
ROUGH = Kind(FAMILY.name, FAMILY.tree, FAMILY.constants, np.array([0.0, 0.1, 0.1]))
A, B, C = 0.8, 0.4, 0.7


def fit_curve(points, optimizer, resamples=20):
    return fit_closed(points, replace(POWERS, resamples=resamples), optimizer).law


FITS = {"curve": fit_curve, "network": fit_network}


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
    return Labels(
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


def solve(points):
    """(log a, p, q) of least squares."""
    return least_squares(ROUGH, RELATIVE, points).start


def test_planted_constants_are_recovered():
    """400 points, 5 % noise: standard errors are below 0.01, the tolerance is four of them; the
    valleys are known at points 0.75 nats apart, which adds as much."""
    law = fit_curve(planted(), "sgd")
    a, b, c = law.constants
    assert (a.value, b.value, c.value) == pytest.approx((A, B, C), abs=0.08)
    for constant, truth in zip(law.constants, (A, B, C), strict=True):
        assert constant.low < constant.value < constant.high
        assert constant.low - 0.04 < truth < constant.high + 0.04
    assert regret(law, planted(noise=0.0, seed=9)) < 0.09  # linear interpolation costs 0.07


def test_least_squares_are_exact_without_noise():
    np.testing.assert_allclose(solve(planted(noise=0.0)), [np.log(A), B, C], atol=1e-6)


def test_the_fit_keeps_away_from_a_cliff():
    """Above its ideal rate each cell falls off a cliff: the law stays below most of them, where
    least squares would pass through the middle."""
    points = planted(noise=0.5)
    over = points.tried > points.log_rate[:, None]
    points = points._replace(lost=points.lost + 20.0 * over)
    middle = least_squares(ROUGH, RELATIVE, points)
    careful = minimise(middle, RELATIVE, points)
    lost = mean_lost(ROUGH, RELATIVE, points)
    assert careful.start[0] < middle.start[0] - 0.3
    assert lost(careful.start) < 0.5 * lost(middle.start)


def test_the_search_in_the_cells_finds_the_least_of_a_grid():
    """A constant rate: the mean of piecewise linear functions is least at one of their points."""
    points = planted(noise=0.3)
    flat = Kind("constant", parse("a"), (Free("a", "rate"),), np.array([0.5]))
    lost = mean_lost(flat, RELATIVE, points)
    best = min(lost(np.array([x])) for x in np.unique(points.tried))
    assert lost(minimise(flat, RELATIVE, points).start) == pytest.approx(best, abs=1e-3)


def test_constants_of_any_sign_and_size_are_searched():
    """A formula of a symbolic search, its constants as they stand in the tree."""
    points = planted(noise=0.0)
    free = tuple(Free(name, "exponent") for name in ("k", "m", "n"))
    kind = Kind("symbolic", parse("k*(loss*m)^n*(1 - progress)^0.7"), free, np.array([50, 4e-3, 1]))
    found = minimise(kind, ("loss", "progress"), points)
    law = closed_form(found, ("loss", "progress"), points, "sgd")
    assert regret(law, points) < 0.09
    assert minimise(Kind("one", parse("1"), (), np.zeros(0)), RELATIVE, points).start.size == 0


def test_a_rate_that_is_none_is_led_back():
    """a − ε/ε_0 is no rate where ε/ε_0 > a, which is in some cells at the start."""
    kind = Kind("", parse("a - loss_ratio"), (Free("a", "exponent"),), np.array([0.5]))
    points = planted()
    lost = mean_lost(kind, RELATIVE, points)
    found = minimise(kind, RELATIVE, points).start
    assert lost(kind.start) > 5
    assert found[0] > points.values(RELATIVE)[0].max()
    assert lost(found) < 2


def test_lost_is_linear_between_candidates_and_grows_outside():
    tried = np.array([[0.0, 1.0, 3.0]] * 6)
    lost = np.array([[2.0, 0.0, 4.0]] * 6)
    at = np.array([0.0, 0.5, 2.0, 3.0, -1.0, 5.0])
    expected = [2.0, 1.0, 2.0, 4.0, 3.0, 6.0]
    np.testing.assert_allclose(lost_at(tried, lost, at, np), expected)
    np.testing.assert_allclose(lost_at(tried, lost, at, jnp), expected)


def test_the_fit_is_robust_to_wild_labels():
    points = planted()
    wild = points.log_rate.copy()
    wild[::20] += 6
    np.testing.assert_allclose(solve(points._replace(log_rate=wild)), [np.log(A), B, C], atol=0.1)


def test_weights_count():
    points = planted()
    off = points.domain == "two"
    moved = points._replace(log_rate=points.log_rate + 2.0 * off, weight=np.where(off, 0, 1.0))
    np.testing.assert_allclose(solve(moved), [np.log(A), B, C], atol=0.04)


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_contract_of_a_fit(fit, tmp_path):
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
    path = tmp_path / ("law.safetensors" if fit is fit_network else "law.json")
    law.save(path)
    np.testing.assert_array_equal(psi.load(path)(grid), law(grid))


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_scores_come_from_domains_left_out(fit):
    """Domain two wants rates e² times higher: a fit to the other loses 2²/2 nats there."""
    points = planted()
    points = shifted(points, 2.0 * (points.domain == "two"))
    scores = left_out_scores(partial(fit, optimizer="sgd"), points)
    if fit is fit_curve:  # the same without a search from many starts
        own = fit(points, "sgd", resamples=2).scores[:2]
        assert [s.name for s in own] == [s.name for s in scores]
        assert [s.value for s in own] == pytest.approx([s.value for s in scores], abs=1e-3)
    assert [s.name for s in scores] == [
        "regret in the cells of one, left out", "regret in the cells of two, left out"]  # fmt: skip
    assert [s.value for s in scores] == pytest.approx([2.0, 2.0], abs=0.3)


def test_the_exported_network_is_the_flax_network(monkeypatch):
    """Same weights, Flax in float32 against the law in float64."""
    kept = []
    real = network_room._train
    monkeypatch.setattr(
        network_room, "_train", lambda graph, *rest: kept.append((graph, real(graph, *rest)))
        or kept[-1][1],
    )  # fmt: skip
    points = planted()
    law = fit_network(points, "sgd", names=RAW)
    graph, state = kept[0]
    flax = nnx.merge(graph, state)
    assert isinstance(flax, PsiNetwork)
    assert isinstance(law.model, Network)
    assert law.model.transforms == ("log", "identity")
    features = np.stack([np.log(points.loss), points.epoch], 1)
    z = (features - features.mean(0)) / features.std(0)
    centre = points.log_rate.mean()  # all weights are 1
    expected = [float(flax(jnp.asarray(row, jnp.float32))) + centre for row in z[:50]]
    got = np.log(law(np.stack([points.loss, points.epoch])[:, :50]))
    np.testing.assert_allclose(got, expected, atol=2e-6)


def test_formula_is_what_it_says():
    law = fit_curve(planted(), "sgd", resamples=2)
    a, p, q = (constant.value for constant in law.constants)
    assert [constant.name for constant in law.constants] == ["a", "p", "q"]
    assert str(law) == f"{a:.4g}*loss_ratio^{p:.4g}*(1 - progress)^{q:.4g}"
    assert law(np.array([0.5, 0.25])) == pytest.approx(a * 0.5**p * 0.75**q, rel=1e-12)


def test_intervals_are_over_tasks():
    """Tasks apart by 0.5 nats: log a is known to 0.5/√8 = 0.18 from 8 tasks; as if every cell were
    a task of its own it would be to 0.5/√400 = 0.03."""
    points = planted()
    effect = 0.5 * np.random.default_rng(1).normal(size=8)
    points = shifted(points, effect[[int(name[1:]) for name in points.task]])
    kind = minimise(least_squares(ROUGH, RELATIVE, points), RELATIVE, points)
    alone = points._replace(task=np.arange(400).astype(str).astype(object))
    wide, narrow = (
        np.log(each.high / each.low)
        for each in (intervals(kind, RELATIVE, p, 60)[0] for p in (points, alone))
    )
    assert wide / (2 * 1.96) == pytest.approx(0.18, rel=0.5)
    assert narrow < 0.4 * wide
    one = points._replace(task=np.full(400, "t", object))
    assert intervals(kind, RELATIVE, one, 60) == ()


def ideal_table(**change):
    row = {
        "task": "t", "domain": "d", "epoch": 2, "epochs": 10, "loss": 0.5, "initial_loss": 1.0,
        "parameters": 500, "lr": 0.3, "log_lr_error": 0.1, "edge": False, "flat": False,
        "sure": True,
    } | change  # fmt: skip
    return pd.DataFrame([row | {"cell": k} for k in range(20)])


def surface_table():
    lrs, scores = [0.1, 0.2, 0.4], [-1.0, -3.0, -2.0]
    rows = [
        {"task": "t", "cell": k, "lr": lr, "score": value}
        for k in range(20)
        for lr, value in zip(lrs, scores, strict=True)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("change", [{"sure": False}, {"loss": 2.5}])
def test_labels_need_cells_that_mean_something(change):
    with pytest.raises(ValueError, match="got 0 of 20"):
        labels(ideal_table(**change), surface_table())


@pytest.mark.parametrize("column", ["loss", "initial_loss", "lr"])
def test_a_column_without_a_number_is_named(column):
    with pytest.raises(ValueError, match=f"column {column} holds no usable number in 20 rows"):
        labels(ideal_table(**{column: np.nan}), surface_table())


def test_labels():
    kept = labels(ideal_table(), surface_table())
    expected = [[0.5], [2.0], [0.5], [0.2]]
    names = ("loss", "epoch", "loss_ratio", "progress")
    np.testing.assert_array_equal(kept.values(names), np.repeat(expected, 20, axis=1))
    np.testing.assert_array_equal(kept.values(("progress",)), [[0.2] * 20])
    np.testing.assert_allclose(kept.weight, 1 / (0.1**2 + 0.3**2))
    np.testing.assert_allclose(kept.tried[0], np.log([0.1, 0.2, 0.4]))
    np.testing.assert_allclose(kept.lost, [[2.0, 0.0, 1.0]] * 20)


def test_scaled_labels_are_over_the_scale():
    ideal = ideal_table(scale=0.4)
    ideal.loc[3, "scale"] = np.nan
    kept = labels(ideal, surface_table(), scaled=True)
    assert len(kept.task) == 19
    np.testing.assert_allclose(np.exp(kept.log_rate), 0.75)
    np.testing.assert_allclose(np.exp(kept.tried[0]), [0.25, 0.5, 1.0])


def test_cells_that_are_not_sure_weigh_nothing_as_ideal_rates():
    ideal = ideal_table()
    ideal.loc[:6, "sure"] = False
    weight = labels(ideal, surface_table()).weight
    assert (weight[:7] == 0).all()
    assert (weight[7:] > 0).all()
