"""The worth of a shape, recovered from planted ones."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from psi.atlas.config import RATIO
from psi.atlas.tables import seed_means
from psi.fit.scale import forms
from psi.fit.scale.facts import FactSet
from psi.fit.scale.forms import FORM, LINEAR, regret_by_form
from psi.fit.scale.linear import Candidate, fit_linear
from tests.fit.scale.planted import BEND, STEEPER, planted

FACTS = FactSet("planted", ("parameters", "stream", "batch", "steps", "budget"))
MADE = planted(3, domains=8, each=20, spread=0.1, noise=0.01)
SHAPES = {LINEAR: (0.0, 0.0), (2.0, 0.0, 0.0): (0.3, -0.1), (0.5, 2.0, 0.25): (-0.4, 0.2)}
"""log of the factor on the linear schedule's rate, and nats that the best rate loses against it."""
SEEN = 60


def runs():
    """Three seeds at five rates around the best linear one, of every third task."""
    rng, rows = np.random.default_rng(0), []
    tasks = MADE.atlas.tasks.assign(log_rate=MADE.log_rate).iloc[: SEEN * 2 : 2]
    for (power, bend, loss), (factor, extra) in SHAPES.items():
        for step in range(-2, 3):
            rate = np.exp(tasks.log_rate + step * np.log(RATIO))
            u = step * np.log(RATIO) - factor
            span = tasks.chance_loss - tasks.floor
            y = np.log(0.1 * span) + extra + BEND * (STEEPER if u > 0 else 1.0) * u**2
            for seed in range(3):
                value = np.exp(y + 0.01 * rng.normal(size=len(y))) - 0.01 * span + tasks.floor
                rows.append(pd.DataFrame({
                    "task": tasks.task, "optimizer": "adam", "power": power, "bend": bend,
                    "loss": loss, "rate": rate, "seed": seed, "train_loss": value,
                    "val_loss": value,
                }))  # fmt: skip
    return pd.concat(rows, ignore_index=True)


def on_a_lattice():
    """Rates as an atlas has them: of one sequence."""
    made = runs()
    step = np.log(RATIO) / 8
    return made.assign(rate=np.exp(np.round(np.log(made.rate) / step) * step))


def means():
    keys = ["task", "optimizer", *FORM, "rate"]
    return seed_means(on_a_lattice(), MADE.atlas.tasks, keys)


def test_what_a_shape_gains_and_its_factor_are_found():
    found = regret_by_form(MADE.atlas, means(), "adam", "validation", Candidate(FACTS))
    forms = zip(found.power, found.bend, found.loss, strict=True)
    by_form = dict(zip(forms, found.itertuples(), strict=True))
    assert list(found[["power", "bend", "loss"]].iloc[0]) == [2.0, 0.0, 0.0]
    for form, (factor, extra) in SHAPES.items():
        row: Any = by_form[form]
        assert row.more == pytest.approx(extra, abs=0.04), form
        assert np.log(row.factor) == pytest.approx(factor, abs=0.15), form
        assert row.more_low <= row.more <= row.more_high
    assert found.more[found.power == 1].iloc[0] == 0


def test_without_the_linear_schedule_there_is_nothing_to_compare_with():
    made = means()
    with pytest.raises(ValueError, match=r"the shape \(1.0, 0.0, 0.0\) must be among them"):
        regret_by_form(MADE.atlas, made[made.power != 1], "adam", "validation", Candidate(FACTS))


def test_no_scale_has_seen_the_domains_that_it_is_judged_on(monkeypatch):
    seen = []

    def spy(tasks, candidate):
        seen.append(set(tasks.domain))
        return fit_linear(tasks, candidate)

    monkeypatch.setattr(forms, "fit_linear", spy)
    regret_by_form(MADE.atlas, means(), "adam", "validation", Candidate(FACTS))
    every = set(MADE.atlas.tasks.domain)
    left_out = [domain for each in seen for domain in every - each]
    assert sorted(left_out) == sorted(every)
