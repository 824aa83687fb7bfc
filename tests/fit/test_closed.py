"""Which formula is chosen, by ideal rates or by how it schedules, and what is said of it."""

from dataclasses import replace

import numpy as np
import pytest

from psi.fit.cells import regret
from psi.fit.closed import REGRET, fit_closed
from psi.fit.config import FitConfig
from psi.fit.dataset import fit_surface
from psi.fit.formula.families import RELATIVE, family
from psi.fit.symbolic.front import table
from psi.law.printing import text
from tests.fit.planted import (
    SAMPLE,
    A,
    B,
    C,
    assert_contract,
    planted,
    saturating,
    scores_of,
    scores_of_domains_apart,
    surface_of,
    tables,
)

POWERS = FitConfig(family="loss_power*polynomial")
GIVEN = FitConfig("symbolic", family="saturating*linear", runs=0, resamples=8)


def fit_curve(points, optimizer, resamples=20):
    return fit_closed(points, replace(POWERS, resamples=resamples), optimizer).law


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


def test_contract_of_a_fit(tmp_path):
    assert_contract(fit_curve, tmp_path / "law.json")


def test_scores_come_from_domains_left_out():
    """Those of the law are the same as fits of its own, which search from many starts."""
    points, scores = scores_of_domains_apart(fit_curve)
    own = fit_curve(points, "sgd", resamples=2).scores[:2]
    assert [s.name for s in own] == [s.name for s in scores]
    assert [s.value for s in own] == pytest.approx([s.value for s in scores], abs=1e-3)


def test_formula_is_what_it_says():
    law = fit_curve(planted(), "sgd", resamples=2)
    a, p, q = (constant.value for constant in law.constants)
    assert [constant.name for constant in law.constants] == ["a", "p", "q"]
    assert str(law) == f"{a:.4g}*loss_ratio^{p:.4g}*(1 - progress)^{q:.4g}"
    assert law(np.array([0.5, 0.25])) == pytest.approx(a * 0.5**p * 0.75**q, rel=1e-12)


def test_the_simplest_family_within_a_standard_error_is_chosen(monkeypatch):
    names = ("constant", "linear", "polynomial", "loss_power*linear")
    some = tuple(family(name, RELATIVE) for name in names)
    monkeypatch.setattr(FitConfig, "table", lambda _: some)
    ideal, surface = tables(lambda t: 0.5 * (1 - t.epoch / t.epochs), noise=0.2, effect=0.3)
    assert str(fit_surface(SAMPLE, surface, ideal, FitConfig(resamples=2)).law).endswith(
        "*(1 - progress)"
    )


def played(regret_of):
    """A Play that knows what each formula loses, by its text."""

    def play(formulas, fitted, domain):
        assert [len(each) for each in domain] == [2, 2]
        return np.array(
            [[regret_of(text(f.bound(each))) for f, each in zip(formulas, fitted, strict=True)]]
        )

    return play


def test_the_shortest_curve_of_those_that_schedule_best_is_chosen(monkeypatch):
    """Cells say linear; trainings say that a power of the loss is worth 0.1, a warm-up nothing."""
    names = ("constant", "linear", "polynomial", "loss_power*linear", "loss_power*linear*warmup")
    some = tuple(family(name, RELATIVE) for name in names)
    monkeypatch.setattr(FitConfig, "table", lambda _: some)
    ideal, surface = tables(lambda t: 0.5 * (1 - t.epoch / t.epochs), noise=0.2, effect=0.3)
    play = played(lambda formula: 0.3 - 0.1 * ("loss" in formula) - 0.01 * ("min(" in formula))
    law = fit_surface(SAMPLE, surface, ideal, FitConfig(resamples=2), play=play).law
    assert "loss_ratio" in str(law)
    assert "min(" not in str(law)
    assert scores_of(law)[REGRET] == pytest.approx(0.2)


def test_a_formula_is_chosen_from_a_front_that_is_kept():
    ideal, surface = tables(saturating, noise=0.1, effect=0.2)
    law, candidate, front = fit_surface(SAMPLE, surface, ideal, GIVEN)
    assert front is not None
    assert candidate is not None
    rows = table(front)
    assert rows.chosen.sum() == 1
    assert len(rows) >= 3
    assert str(law).count("loss_ratio") == 2
    assert len(law.constants) == len(candidate.start) == 2
    assert law.constants[1].value == pytest.approx(0.1, rel=0.2)
    assert law.provenance is not None
    assert any(each.startswith("pyoperon==") for each in law.provenance.versions)


def test_the_formula_of_a_front_that_schedules_best_is_chosen():
    """Where the longest schedules best it is taken, refined if that is better still."""
    ideal, surface = tables(saturating, noise=0.1, effect=0.2)
    rule = fit_surface(SAMPLE, surface, ideal, GIVEN).front
    assert rule is not None
    listed = [text(row.expression) for row in rule.rows]
    longest = listed[-1]

    def by(refined: float):
        regrets = dict.fromkeys(listed, 0.5) | {longest: 0.1}
        return played(lambda formula: regrets.get(formula, refined))

    law, _, front = fit_surface(SAMPLE, surface, ideal, GIVEN, play=by(0.4))
    assert front is not None
    assert front.chosen is front.rows[-1]
    assert law.model == front.chosen.expression
    assert law.constants == front.chosen.constants
    assert scores_of(law)[REGRET] == pytest.approx(0.1)
    rows = table(front)
    assert rows.chosen.tolist() == [False] * (len(rows) - 1) + [True]
    assert rows.regret.tolist() == [0.5] * (len(rows) - 1) + [0.1]
    refined = fit_surface(SAMPLE, surface, ideal, GIVEN, play=by(0.0))
    assert scores_of(refined.law)[REGRET] == 0.0
    assert refined.law.model not in [row.expression for row in front.rows]


def test_a_formula_is_refined_in_the_cells_unless_domains_left_out_say_no():
    """Valleys half a nat above the ideal rates everywhere are worth a refit; those that are above
    in one domain and below in the other are not: what one domain gains costs the other more."""
    ideal, _ = tables(saturating, noise=0.1)
    up = 0.5 * np.ones(len(ideal))
    split = np.where(ideal.domain == "one", 0.5, -0.5)
    fits = [fit_surface(SAMPLE, surface_of(ideal, by), ideal, GIVEN) for by in (up, split)]
    better, same = (fitted.law for fitted in fits)
    row = fits[1].front and fits[1].front.chosen
    assert row
    assert same.model == row.expression
    assert same.constants == row.constants
    grid = np.array([[0.3], [0.4]])
    assert np.log(better(grid) / same(grid))[0] == pytest.approx(0.5, abs=0.1)
    left_out = [value for name, value in scores_of(same).items() if "left out" in name]
    assert left_out == pytest.approx([0.125, 0.125], abs=0.03)


def test_one_task_alone_has_no_intervals():
    ideal, surface = (t[t.task == "t0"] for t in tables(cells=360))
    for config in (replace(POWERS, resamples=8), replace(GIVEN, family="linear")):
        law = fit_surface(SAMPLE, surface, ideal, config).law
        assert law.constants == ()
        assert not [name for name in scores_of(law) if "left out" in name]
