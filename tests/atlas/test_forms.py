"""Shapes around the best rates of an atlas, made and gone on with."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from psi.atlas.collect import collect
from psi.atlas.config import RATIO
from psi.atlas.forms import FORMS, RATES, Formed, around, best_linear, collect_forms, formed
from psi.atlas.tables import summarise
from psi.fit.scale.forms import LINEAR
from psi.law.features import Observation
from tests.atlas.test_collect import SMALL, quick

__all__ = ["quick"]


def seen(**known):
    unseen: Any = dict.fromkeys(Observation._fields, jnp.nan)
    return Observation(**unseen | known)


@pytest.mark.parametrize(
    ("loss", "factor"),
    [(0.5, 0.25**0.5), (2.0, 1.0), (400.0, 4.0**0.5), (1e-9, 0.01**0.5), (np.nan, 1.0)],
)
def test_a_shape_is_its_formula(loss, factor):
    lane = Formed(*map(jnp.asarray, (1.5, 2.0, 0.5, 0.3)))
    policy = formed(lane)
    at = seen(epoch=3, budget=12, loss=loss, initial_loss=2.0)
    rate = policy.step(policy.init(at), at)[1]
    assert float(rate) == pytest.approx(0.3 * 0.75**1.5 * 1.5 * factor, rel=1e-5)


def test_shapes_are_trained_around_the_best_linear_rate(quick, tmp_path):
    collect(SMALL, tmp_path / "plain")
    plain = summarise(SMALL, tmp_path / "plain")
    made = collect_forms(SMALL, plain.runs, tmp_path / "forms")
    best = best_linear(plain.runs)
    for task in (0, 1):
        own = made[made.task == task]
        assert len(own) == len(FORMS) * RATES * 3
        rates = np.unique(own.rate.to_numpy(np.float32))
        np.testing.assert_allclose(rates, around(*best[task, "sgd"]), rtol=1e-6)
    # (1 − t) is the linear schedule of the atlas, from the same seeds.
    linear = made[(made[["power", "bend", "loss"]] == [*LINEAR]).all(axis=1)]
    means = linear.groupby(["task", "rate"]).val_loss.mean().reset_index()
    matched = 0
    for task, rate, value in means.itertuples(index=False):
        runs = plain.runs[(plain.runs.task == task) & (plain.runs.schedule == "linear")]
        same = runs[np.isclose(runs.rate, rate, rtol=1e-4) & (runs.seeds == 3)]
        if len(same) and value < 10:
            assert same.val_loss.iloc[0] == pytest.approx(value, rel=1e-4)
            matched += 1
    assert matched >= 4
    assert set(collect_forms(SMALL, plain.runs[plain.runs.task == 1], tmp_path / "one").task) == {1}
    kept = {path.name: path.read_bytes() for path in (tmp_path / "forms/records").iterdir()}
    name = min(kept)
    (tmp_path / "forms/records" / name).unlink()
    collect_forms(SMALL, plain.runs, tmp_path / "forms")
    assert (tmp_path / "forms/records" / name).read_bytes() == kept[name]


def test_best_linear_rates_are_those_of_both_losses():
    runs = pd.DataFrame({
        "task": 0, "optimizer": "sgd", "schedule": ["linear", "linear", "cosine"],
        "rate": [0.1, 0.2, 0.3], "train_loss": [1.0, 0.5, 0.1], "val_loss": [1.0, 2.0, 0.1],
    })  # fmt: skip
    assert best_linear(runs) == {(0, "sgd"): (0.1, 0.2)}


@pytest.mark.parametrize("apart", range(12))
def test_rates_reach_two_steps_beyond_the_best_ones(apart):
    rates = around(0.1, 0.1 * RATIO**apart)
    steps = np.log(rates / 0.1) / np.log(RATIO)
    assert len(set(steps.round(6))) == RATES
    np.testing.assert_allclose(steps, steps.round(), atol=1e-6)
    assert steps[0] <= -2 + 1e-6
    assert steps[-1] >= apart + 2 - 1e-6
    assert steps[-1] - steps[0] <= max(apart + 4, 6) + 1e-6
