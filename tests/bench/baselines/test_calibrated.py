"""One setting for all tasks: what the file says, on every task; and how it is chosen."""

from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest

from experiments.calibrate import chosen, curve
from psi.bench.baselines import BASELINES, SCHEDULES
from psi.bench.baselines.calibrated import NADAMW, calibration
from psi.bench.suites import suite
from psi.lab.hyper import Hyper
from psi.lab.optimizers import bounds
from psi.lab.tasks.table import make_task

OPTIMIZERS = ("sgd", "momentum", "adam")
RATES = np.geomspace(1e-3, 1, 17)


def test_it_was_chosen_on_the_suite_train():
    assert calibration().suite == suite("train").digest
    assert set(calibration().rates) == {*OPTIMIZERS, "nadamw"}


def measured(name, task):
    row: Any = BASELINES[name]
    return row.measure(task, np.arange(3), jax.random.key(0))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_task_of_an_optimizer_has_the_same_rate_but_for_its_size(optimizer):
    rates, (c, u) = calibration().rates[optimizer], calibration().power[optimizer]
    for width in (2, 32):
        task = make_task("wine", Hyper(epochs=2, optimizer=optimizer, width=width))
        for name in SCHEDULES:
            of_schedule = measured(f"{name}, calibrated", task)
            assert (of_schedule.rate == rates[name]).all()
            assert of_schedule.gradients == 0
        found = measured("linear × P^u, calibrated", task)
        np.testing.assert_allclose(found.rate, c * (task.facts.parameters / 1000) ** u)
    assert NADAMW.default == calibration().rates["nadamw"]["cosine"]


def test_a_power_of_a_large_network_stays_within_what_was_tried():
    task = make_task("wine", Hyper(epochs=2, optimizer="adam"))
    huge = task._replace(facts=replace(task.facts, parameters=10**30))
    found = measured("linear × P^u, calibrated", huge)
    np.testing.assert_allclose(found.rate, bounds("adam")[0])


def planted(exponent):
    """Scores that are least at 0.1 (P/1000)^exponent, in two domains of unequal size."""
    rows = []
    for number, (domain, size) in enumerate([("a", 100), ("a", 1000), ("a", 1e4), ("b", 3e3)]):
        at = np.log(0.1) + exponent * np.log(size / 1000)
        for schedule in SCHEDULES:
            score = (np.log(RATES) - at) ** 2
            facts = {"optimizer": "adam", "task": number, "domain": domain, "parameters": size}
            rows.append(
                pd.DataFrame({**facts, "schedule": schedule, "rate": RATES, "score": score})
            )
    return pd.concat(rows)


@pytest.mark.parametrize("exponent", [0.0, -0.5, 0.25])
def test_a_planted_power_is_found(exponent):
    settings: Any = chosen(planted(exponent), "digest")
    c, u = settings["power"]["adam"]
    grid = np.log(RATES[1] / RATES[0])
    assert abs(u - exponent) < 0.1
    assert abs(np.log(c / 0.1)) < grid
    if not exponent:
        assert abs(np.log(settings["rates"]["adam"]["cosine"] / 0.1)) < grid


def test_domains_weigh_alike_and_rates_beyond_the_grid_are_its_ends():
    mean = curve(planted(0.0).query("schedule == 'linear'"))
    table = planted(0.0).query("schedule == 'linear'")
    by_hand = table.groupby(["rate", "domain"]).score.mean().groupby("rate").mean()
    np.testing.assert_allclose([mean(np.log(r), 0.0) for r in RATES], by_hand, rtol=1e-9)
    assert mean(np.log(1e9), 0.0) == pytest.approx(by_hand.iloc[-1])
