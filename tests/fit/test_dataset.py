"""From tables of ideal rates to laws: features, scale, and what was held out."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from psi.fit.config import FitConfig
from psi.fit.dataset import fit_surface, optimizer_of, read_estimates
from psi.lab.data import store
from tests.fit.planted import SAMPLE, TASKS, A, B, C, constants_of, scores_of, surface_of, tables

CURVE = FitConfig(family="loss_power*polynomial", resamples=8)


RAW_CURVE = FitConfig(features="raw", family="loss_power*inverse_time", resamples=8)


GIVEN = FitConfig("symbolic", family="saturating*linear", runs=0, resamples=8)


def test_relative_constants():
    ideal, surface = tables()
    law = fit_surface(SAMPLE, surface, ideal, CURVE).law
    assert constants_of(law) == pytest.approx([A, B, C], abs=0.01)
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
    known = pd.DataFrame({"task": list(sizes), "parameters": list(sizes.values())})
    found = store.read_tasks(SAMPLE)
    monkeypatch.setattr(store, "read_tasks", lambda _: known.assign(optimizer=found.optimizer[0]))
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


def test_held_out_domains_are_not_seen():
    ideal, _ = tables()
    far = ideal.assign(lr=ideal.lr * np.where(ideal.domain == "two", 4.0, 1.0))
    law = fit_surface(SAMPLE, surface_of(far), far, CURVE, ("two",)).law
    assert constants_of(law) == pytest.approx([A, B, C], abs=0.01)
    held_out = scores_of(law)["regret in the cells of two, held out"]
    assert held_out == pytest.approx(0.5 * np.log(4) ** 2, abs=0.05)
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
