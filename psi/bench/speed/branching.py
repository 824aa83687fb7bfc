"""What branching costs: S states, K rates and R batch orders for H epochs, beside as many runs.

The canonical network on digits (bench/speed/engine), four epochs into its training; the runs beside
it are of H epochs each, trained by the population engine with everything recorded. In turns, so
that a busy minute falls on both.
"""

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import numpy as np

from psi.bench.speed.engine import canonical_task
from psi.ideal.branched import lanes_of
from psi.ideal.continuation import LINEAR
from psi.lab.engine.branch import along, play
from psi.lab.engine.policy import trajectory
from psi.lab.engine.population import population
from psi.lab.engine.timing import alternately
from psi.lab.engine.work import layout
from psi.progress import Report, silent

BEHIND = 4  # epochs before the branch
STATES, RATES, ORDERS = 8, 16, 16


def bench_branching(quick: bool = False, report: Report = silent) -> dict[str, Any]:
    """Microseconds a run and epoch of both, for H = 1 and 6, and how much branching costs of it."""
    task, key = canonical_task(), jax.random.key(0)
    states, orders = (2, 2) if quick else (STATES, ORDERS)
    start = along(task, np.full((1, 10), 0.2), np.array([BEHIND]), np.arange(states), key)
    rates = np.geomspace(0.01, 1.0, RATES).astype(np.float32)
    found: dict[str, Any] = {"states": states, "rates": RATES, "orders": orders}
    for done, horizon in enumerate((1, 6)):
        report(50 * done, 100, f"H = {horizon}")
        ahead = np.array([horizon])
        lanes = lanes_of(start, rates[None], ahead)
        branch = partial(play, task, start, LINEAR.policy, lanes, ahead, orders, key)
        short = task._replace(facts=replace(task.facts, epochs=horizon))
        plans = np.repeat(rates[:, None], horizon, axis=1)
        seeds = np.arange(states * orders)
        runs = partial(population, short, trajectory, plans, seeds, key, layout(RATES))
        spent = alternately([branch, runs], 1 if quick else 5)
        epochs = states * orders * RATES * horizon
        branching, whole = (float(np.median(each)) / epochs * 1e6 for each in spent)
        found[f"branching_us_h{horizon}"] = round(branching, 1)
        found[f"runs_us_h{horizon}"] = round(whole, 1)
        found[f"branching_of_runs_h{horizon}"] = round(float(np.median(spent[0] / spent[1])), 3)
    report(100, 100, "")
    return found
