"""From tables of ideal rates to laws: features, scale, front, and what a formula is worth."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import psi
from psi.fit.cells import labels
from psi.fit.closed import REGRET
from psi.fit.config import FitConfig
from psi.fit.dataset import fit_law, fit_surface, optimizer_of, read_estimates
from psi.fit.decompose import apart
from psi.fit.formula.families import RELATIVE, family
from psi.fit.symbolic.front import table
from psi.fit.trainings import probed_scales, rebuilt, reference, schedule_regrets
from psi.lab.data import store
from psi.law.law import Law
from psi.law.printing import text

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
CURVE = FitConfig(family="loss_power*polynomial", resamples=8)
RAW_CURVE = FitConfig(features="raw", family="loss_power*inverse_time", resamples=8)
GIVEN = FitConfig("symbolic", family="saturating*linear", runs=0, resamples=8)
A, P, Q = 0.8, 0.5, 0.7
TASKS = 6


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
    shape = A * ratio**P * (1 - progress) ** Q if rate is None else rate(ideal)
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


def test_relative_constants():
    ideal, surface = tables()
    law = fit_surface(SAMPLE, surface, ideal, CURVE).law
    assert constants_of(law) == pytest.approx([A, P, Q], abs=0.01)
    assert law.scale is None
    assert law.optimizer == "sgd"
    assert law.provenance is not None
    assert law.provenance.data_hash == store.data_hash(SAMPLE)
    assert any(each.startswith("optimistix==") for each in law.provenance.versions)


def test_raw_constants():
    ideal, surface = tables(lambda t: 0.3 * t.loss**0.6 / (1 + t.epoch / 8))
    law = fit_surface(SAMPLE, surface, ideal, RAW_CURVE, command="psi fit somewhere").law
    assert law.features == ("loss", "epoch")
    assert law.domain[1] == (0, 18)
    assert constants_of(law) == pytest.approx([0.3, 0.6, 8], rel=0.03)
    assert law.provenance is not None
    assert law.provenance.command == "psi fit somewhere"


@pytest.mark.parametrize("kind", ["curve", "network"])
def test_sized_laws_see_the_number_of_parameters(kind, monkeypatch):
    """The data set tells it; P goes in as what its table of tasks says."""
    sizes = {f"t{k}": 100 * 4**k for k in range(TASKS)}
    said = pd.DataFrame({"task": list(sizes), "parameters": list(sizes.values())})
    found = store.read_tasks(SAMPLE)
    monkeypatch.setattr(store, "read_tasks", lambda _: said.assign(optimizer=found.optimizer[0]))
    ideal, surface = tables(lambda t: A * (t.task.map(sizes) / 1000) ** -0.25)
    family = "size_power" if kind == "curve" else "auto"
    law = fit_surface(SAMPLE, surface, ideal, FitConfig(kind, "sized", family, resamples=2)).law
    assert law.domain[2] == (100, 100 * 4 ** (TASKS - 1))
    if kind == "curve":
        assert constants_of(law) == pytest.approx([A, -0.25], abs=0.01)
    middle = np.array([[0.5] * TASKS, [0.5] * TASKS, list(sizes.values())])
    wanted = A * (middle[2] / 1000) ** -0.25
    np.testing.assert_allclose(law(middle), wanted, rtol=0.01 if kind == "curve" else 0.1)


@pytest.mark.parametrize("times", [8.0, 3.0])
def test_a_relative_law_does_not_know_the_unit_of_the_loss(times):
    """Losses that are all `times` as large, scores log(times) higher: bit for bit where a float
    is multiplied without rounding, and to the search's tolerance elsewhere."""
    ideal, surface = tables(noise=0.2)
    other = ideal.assign(loss=times * ideal.loss, initial_loss=times * ideal.initial_loss)
    laws = [
        fit_surface(SAMPLE, s, i, CURVE).law
        for i, s in ((ideal, surface), (other, surface.assign(score=surface.score + np.log(times))))
    ]
    assert laws[1].initial_loss == pytest.approx(times * laws[0].initial_loss)
    grid = np.stack([np.geomspace(0.01, 1.2, 30), np.linspace(0, 0.9, 30)])
    np.testing.assert_allclose(laws[1](grid), laws[0](grid), rtol=1e-2)
    np.testing.assert_allclose(laws[1].domain, laws[0].domain, rtol=1e-12)
    if times == 8:
        np.testing.assert_allclose(laws[1](grid), laws[0](grid), rtol=1e-9)


def test_a_raw_law_does():
    ideal, surface = tables(lambda t: 0.3 * t.loss**0.6 / (1 + t.epoch / 8))
    other = ideal.assign(loss=8 * ideal.loss, initial_loss=8 * ideal.initial_loss)
    law = fit_surface(SAMPLE, surface, other, RAW_CURVE).law
    assert constants_of(law)[0] == pytest.approx(0.3 * 8**-0.6, rel=0.03)


def scores_of(law):
    return {score.name: score.value for score in law.scores}


def test_scale_and_shape_are_reported_apart():
    """Tasks whose rates are a factor apart: an absolute law is off by it, one of α/α_0 is not."""
    ideal, surface = tables(effect=0.8, noise=0.1)
    pure = fit_surface(SAMPLE, surface, ideal, CURVE).law
    scaled = fit_surface(SAMPLE, surface, ideal, replace(CURVE, scaled=True)).law
    each = np.log(ideal.groupby("task").scale.first())
    assert scores_of(pure)["error of the scale, nats"] == pytest.approx(each.std(ddof=0), rel=0.15)
    assert scores_of(scaled)["error of the scale, nats"] < 0.05
    assert scores_of(scaled)["error of the shape, nats"] == pytest.approx(0.1, rel=0.15)
    assert 0.09 < scores_of(pure)["error of the shape, nats"] < 0.16
    assert scaled.scale == pytest.approx(np.median(np.exp(each)))
    assert constants_of(scaled) == pytest.approx([A, P, Q], rel=0.1)
    assert scaled.rates.high < 1.5 * A


def test_errors_apart_by_hand():
    """Two tasks of weights 3 and 1 with means 1 and −1: m = ½, scale = √(¾·¼ + ¼·9/4) = √¾."""
    residual = np.array([0.0, 1.5, -1.0])
    parts = apart(residual, np.array([1.0, 2.0, 1.0]), np.array(["a", "a", "b"], object))
    assert parts.scale == pytest.approx(np.sqrt(0.75))
    assert parts.shape == pytest.approx(np.sqrt((1 + 2 * 0.25) / 4))
    mean = 0.5
    total = np.average(residual**2, weights=[1, 2, 1])
    assert parts.scale**2 + parts.shape**2 + mean**2 == pytest.approx(total)
    assert apart(residual, np.ones(3), np.full(3, "a", object)).scale == 0


def test_held_out_domains_are_not_seen():
    ideal, _ = tables()
    far = ideal.assign(lr=ideal.lr * np.where(ideal.domain == "two", 4.0, 1.0))
    law = fit_surface(SAMPLE, surface_of(far), far, CURVE, ("two",)).law
    assert constants_of(law) == pytest.approx([A, P, Q], abs=0.01)
    held_out = scores_of(law)["regret in the cells of two, held out"]
    assert held_out == pytest.approx(0.5 * np.log(4) ** 2, abs=0.05)
    assert not [name for name in scores_of(law) if "left out" in name]


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

    def play(kinds, domain):
        assert [len(each) for each in domain] == [2, 2]
        return np.array([regret_of(text(kind.formula(kind.start))) for kind in kinds])

    return play


def test_the_shortest_curve_of_those_that_schedule_best_is_chosen(monkeypatch):
    """Labels say linear; trainings say that a power of the loss is worth 0.1, a warm-up nothing."""
    names = ("constant", "linear", "polynomial", "loss_power*linear", "loss_power*linear*warmup")
    some = tuple(family(name, RELATIVE) for name in names)
    monkeypatch.setattr(FitConfig, "table", lambda _: some)
    ideal, surface = tables(lambda t: 0.5 * (1 - t.epoch / t.epochs), noise=0.2, effect=0.3)
    play = played(lambda formula: 0.3 - 0.1 * ("loss" in formula) - 0.01 * ("min(" in formula))
    law = fit_surface(SAMPLE, surface, ideal, FitConfig(resamples=2), play=play).law
    assert "loss_ratio" in str(law)
    assert "min(" not in str(law)
    assert scores_of(law)[REGRET] == pytest.approx(0.2)


def saturating(table):
    ratio = table.loss / table.initial_loss
    return 0.3 * ratio / (ratio + 0.1) * (1 - table.epoch / table.epochs)


def test_a_formula_is_chosen_from_a_front_that_is_kept():
    ideal, surface = tables(saturating, noise=0.1, effect=0.2)
    law, kind, front = fit_surface(SAMPLE, surface, ideal, GIVEN)
    assert front is not None
    assert kind is not None
    rows = table(front)
    assert rows.chosen.sum() == 1
    assert len(rows) >= 3
    assert str(law).count("loss_ratio") == 2
    assert len(law.constants) == len(kind.start) == 2
    assert law.constants[1].value == pytest.approx(0.1, rel=0.2)
    assert law.provenance is not None
    assert any(each.startswith("pyoperon==") for each in law.provenance.versions)


def test_the_formula_of_a_front_that_schedules_best_is_chosen():
    """Where the longest schedules best it is taken, refined if that is better still."""
    ideal, surface = tables(saturating, noise=0.1, effect=0.2)
    rule = fit_surface(SAMPLE, surface, ideal, GIVEN).front
    assert rule is not None
    listed = [text(row.formula) for row in rule.rows]
    longest = listed[-1]

    def by(refined: float):
        regrets = dict.fromkeys(listed, 0.5) | {longest: 0.1}
        return played(lambda formula: regrets.get(formula, refined))

    law, _, front = fit_surface(SAMPLE, surface, ideal, GIVEN, play=by(0.4))
    assert front is not None
    assert front.chosen is front.rows[-1]
    assert law.model == front.chosen.formula
    assert law.constants == front.chosen.constants
    assert scores_of(law)[REGRET] == pytest.approx(0.1)
    rows = table(front)
    assert rows.chosen.tolist() == [False] * (len(rows) - 1) + [True]
    assert rows.regret.tolist() == [0.5] * (len(rows) - 1) + [0.1]
    refined = fit_surface(SAMPLE, surface, ideal, GIVEN, play=by(0.0))
    assert scores_of(refined.law)[REGRET] == 0.0
    assert refined.law.model not in [row.formula for row in front.rows]


def test_a_formula_is_refined_in_the_cells_unless_domains_left_out_say_no():
    """Valleys half a nat above the ideal rates everywhere are worth a refit; those that are above
    in one domain and below in the other are not: what one domain gains costs the other more."""
    ideal, _ = tables(saturating, noise=0.1)
    up = 0.5 * np.ones(len(ideal))
    apart_ = np.where(ideal.domain == "one", 0.5, -0.5)
    fits = [fit_surface(SAMPLE, surface_of(ideal, by), ideal, GIVEN) for by in (up, apart_)]
    better, same = (fitted.law for fitted in fits)
    row = fits[1].front and fits[1].front.chosen
    assert row
    assert same.model == row.formula
    assert same.constants == row.constants
    grid = np.array([[0.3], [0.4]])
    assert np.log(better(grid) / same(grid))[0] == pytest.approx(0.5, abs=0.1)
    left_out = [value for name, value in scores_of(same).items() if "left out" in name]
    assert left_out == pytest.approx([0.125, 0.125], abs=0.03)


def test_one_task_alone_has_no_intervals():
    ideal, surface = (t[t.task == "t0"] for t in tables(cells=360))
    for config in (CURVE, replace(GIVEN, family="linear")):
        law = fit_surface(SAMPLE, surface, ideal, config).law
        assert law.constants == ()
        assert not [name for name in scores_of(law) if "left out" in name]


@pytest.mark.parametrize(
    ("change", "config", "message"),
    [
        ({"lr": np.nan}, CURVE, "column lr holds no usable number in 240 rows"),
        ({"loss": np.nan}, CURVE, "column loss holds no usable number in 240 rows"),
        ({"loss": 0.5, "initial_loss": 1.0}, CURVE, "column loss_ratio has fewer than two"),
        ({"loss": 0.5, "initial_loss": 1.0}, RAW_CURVE, "column loss has fewer than two"),
        ({"epoch": 3}, GIVEN, "column progress has fewer than two"),
        ({"scale": np.nan}, replace(CURVE, scaled=True), "column scale holds no usable number"),
        ({"sure": False}, CURVE, "a fit needs >= 3 usable cells .* got 0 of 240"),
        ({"sure": False}, FitConfig(), "a fit needs >= 5 usable cells .* got 0 of 240"),
        ({"sure": False}, GIVEN, "a fit needs >= 20 usable cells .* got 0 of 240"),
        ({}, replace(CURVE, optimizer="adam"), "trained with sgd, got optimizer adam"),
    ],
)
def test_bad_tables(change, config, message):
    ideal, surface = tables()
    with pytest.raises(ValueError, match=message):
        fit_surface(SAMPLE, surface, ideal.assign(**change), config)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"family": "parabola"}, "unknown family 'parabola' .* allowed: constant, warmup"),
        ({"family": "linear", "features": "raw"}, "unknown family 'linear' in loss and epoch"),
        ({"family": "linear", "kind": "network"}, "a network has no family, got 'linear'"),
        ({"resamples": 0}, "resamples must be >= 2, got 0"),
        ({"seed": -1}, "seed must be >= 0, got -1"),
        ({"generations": 0}, "generations must be >= 1, got 0"),
    ],
)
def test_bad_configs(change, message):
    with pytest.raises(ValueError, match=message):
        FitConfig(**change)


def test_a_law_is_for_one_optimizer_of_the_data_set():
    several = pd.DataFrame({"optimizer": ["sgd", "adam", "sgd"]})
    with pytest.raises(ValueError, match="trained with adam, sgd: optimizer must be one"):
        optimizer_of(SAMPLE, several, FitConfig())
    assert optimizer_of(SAMPLE, several, FitConfig(optimizer="adam")) == "adam"
    with pytest.raises(ValueError, match="trained with adam, sgd, got optimizer momentum"):
        optimizer_of(SAMPLE, several, FitConfig(optimizer="momentum"))


def test_estimates_of_a_folder_are_those_to_the_end_of_the_budget(tmp_path):
    rows = pd.DataFrame({"label": ["linear-1", "linear-end"], "lr": [0.1, 0.2]})
    rows.to_parquet(tmp_path / "branched.parquet")
    rows.to_parquet(tmp_path / "ideal.parquet")
    with pytest.raises(ValueError, match="holds no finished tables of psi ideal"):
        read_estimates(tmp_path, SAMPLE)
    (tmp_path / "summary.json").write_text(json.dumps({"data": store.data_hash(SAMPLE)}))
    surface, ideal = read_estimates(tmp_path, SAMPLE)
    assert surface.lr.tolist() == ideal.lr.tolist() == [0.2]
    rows.assign(label=["linear-1", "linear-2"]).to_parquet(tmp_path / "ideal.parquet")
    with pytest.raises(ValueError, match="several horizons and none to the end, linear-1, lin"):
        read_estimates(tmp_path, SAMPLE)
    (tmp_path / "summary.json").write_text(json.dumps({"data": "another"}))
    with pytest.raises(ValueError, match="are not of the data set"):
        read_estimates(tmp_path, SAMPLE)


def test_the_reference_is_the_best_linear_schedule_of_the_pilot():
    """Against a loop over rates: mean over seeds of the capped last loss, its score, the least."""
    records = store.read_records(SAMPLE)
    task, _ = next(each for each in rebuilt(SAMPLE, "sgd") if each.task.name == "wine")
    pilot = records[(records.task == "wine") & (records.family == "pilot_linear")]
    last, chance = pilot[pilot.epoch == 5], task.facts.chance_loss
    scores = []
    for _, runs in last.groupby(np.arange(len(last)) // 5):  # five seeds a rate, in order
        mean = np.mean([2 * chance if not v <= 2 * chance else v for v in runs.val_loss])
        scores.append(np.log(min(mean, 2 * chance) + 0.01 * chance))
    assert len(scores) == 15
    assert reference(records, "wine", task.facts) == pytest.approx(min(scores), rel=1e-6)
    with pytest.raises(ValueError, match="no linear pilot of wine"):
        reference(records[records.family != "pilot_linear"], "wine", task.facts)


def test_labels_of_the_demo_have_relative_and_raw_features():
    """Points for least squares are those of the cells, whatever the features."""
    ideal, surface = tables()
    cells = labels(ideal, surface)
    for names in (RELATIVE, ("loss", "epoch")):
        np.testing.assert_array_equal(cells.points(names).values, cells.values(names))


@pytest.mark.slow
def test_the_regret_of_a_schedule_that_the_pilot_has_trained():
    """The linear family at a rate of the pilot is that very schedule, from the same seeds."""
    records = store.read_records(SAMPLE)
    fitted = fit_law(SAMPLE, FitConfig(family="linear"), schedule=False)
    assert fitted.kind is not None
    best = {}
    for task, _ in rebuilt(SAMPLE, "sgd"):
        pilot = records[(records.task == task.name) & (records.family == "pilot_linear")]
        means = pilot[pilot.epoch == 5].val_loss.to_numpy().reshape(15, 5).astype(float)
        means = np.fmin(np.nan_to_num(means, nan=np.inf), 2 * task.facts.chance_loss).mean(1)
        best[task.name] = float(pilot[pilot.epoch == 0].lr.to_numpy()[5 * means.argmin()])
    kinds = [fitted.kind._replace(start=np.log([rate])) for rate in best.values()]
    wide = tuple(r._replace(low=0.0, high=9.0) for r in fitted.law.domain)
    found = schedule_regrets(kinds, wide, SAMPLE, FitConfig(), records, "sgd")
    assert np.diag(found) == pytest.approx([0, 0], abs=1e-3)
    assert (found > -1e-3).all()


@pytest.mark.slow
def test_a_scaled_law_of_the_sample(tmp_path):
    scales = probed_scales(SAMPLE, "sgd")
    assert set(scales) == {"wine", "teacher-0"}
    fitted = fit_law(SAMPLE, FitConfig(family="linear", scaled=True))
    law = fitted.law
    assert law.scale == pytest.approx(np.median(list(scales.values())))
    assert np.isfinite(scores_of(law)[REGRET])
    law.save(tmp_path / "law.json")
    again: Law = psi.load(tmp_path / "law.json")
    assert again == law
