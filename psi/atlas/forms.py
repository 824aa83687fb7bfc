"""Shapes beside the plain schedules, on the first tasks of an atlas, around their best rates.

    α_i = α_0 (1 − t)^a (1 + b t) (ε_i/ε_0)^c,    t = i/T

over a few a, b and c; ε_i/ε_0 is held within [0.01, 4]. Each is trained at seven rates of the
atlas's sequence: neighbours around the best linear rate, or, where the best by training and by
validation loss lie far apart, spread evenly from two steps below the one to two above the other.
The wider the spread, the higher are regrets, since they are interpolated; of all shapes alike.
"""

import math
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float

from psi.atlas.config import RATIO, SEEDS, AtlasConfig
from psi.atlas.parts import Engine, Job, Part, frame_of, keep, parts, prepared, side_by_side
from psi.atlas.training import Ends, Plan
from psi.lab.data import store
from psi.lab.engine.policy import Policy
from psi.law.features import Observation
from psi.progress import Report, silent

POWERS, BENDS, LOSSES = (0.5, 1.0, 1.5, 2.0, 3.0), (0.0, 2.0), (-0.25, 0.0, 0.25)
HELD = (0.01, 4.0)
AROUND, RATES = 2, 7  # steps on either side; rates in all


class Form(NamedTuple):
    """The exponents and the bend of a shape."""

    power: float
    """a"""
    bend: float
    """b"""
    loss: float
    """c"""


FORMS = tuple(Form(*each) for each in product(POWERS, BENDS, LOSSES))


class Formed(NamedTuple):
    """A lane: a shape and its α_0, shape=(lane,) or () each; numpy's or JAX's."""

    power: Any
    bend: Any
    loss: Any
    peak: Any


def formed(lane: Formed) -> Policy:
    """The policy of a shape."""

    def step(state: tuple[()], seen: Observation) -> tuple[tuple[()], Array]:
        t = seen.epoch / seen.budget
        fallen = jnp.clip(seen.loss / seen.initial_loss, *HELD)
        # A loss that is not finite says nothing.
        fallen = jnp.where(jnp.isfinite(fallen), fallen, 1.0)
        rate = lane.peak * (1 - t) ** lane.power * (1 + lane.bend * t) * fallen**lane.loss
        return state, rate

    return Policy(lambda _: (), step)


def collect_forms(
    config: AtlasConfig, runs: pd.DataFrame, folder: Path, report: Report = silent
) -> pd.DataFrame:
    """Train FORMS on the tasks of `config`, whose plain schedules `runs` has; kept in `folder`.

    The same call goes on where another was stopped. Returns a row a run: task, optimizer, power,
    bend, loss, rate, seed, train_loss, val_loss.
    """
    best = best_linear(runs)
    every = [
        part._replace(tasks=tuple(t for t in part.tasks if (t.number, part.optimizer) in best))
        for part in parts(config)
    ]
    identity = {"forms": [list(form) for form in FORMS], "seeds": SEEDS}
    identity |= {"rates": store.digest([[*key, *best[key]] for key in sorted(best)])}
    engine: Engine = lambda wanted: ((part, _trained(part, best)) for part in wanted)  # noqa: E731
    keep([part for part in every if part.tasks], folder, identity, engine, report)
    return store.arrow_records(folder).to_pandas()


def best_linear(runs: pd.DataFrame) -> dict[tuple[int, str], tuple[float, float]]:
    """The linear schedule's best rates by training and validation loss, the lower one first.

    By (task, optimizer).
    """
    linear = runs[runs.schedule == "linear"]
    keys = ["task", "optimizer"]
    best = pd.DataFrame({
        loss: linear.loc[linear.groupby(keys)[loss].idxmin()].set_index(keys).rate
        for loss in ("train_loss", "val_loss")
    })  # fmt: skip
    pairs = zip(best.index.tolist(), np.sort(best.to_numpy(float), axis=1).tolist(), strict=True)
    return {(int(task), str(name)): (low, high) for (task, name), (low, high) in pairs}


def around(low: float, high: float) -> Float[np.ndarray, " rate"]:
    """RATES of the atlas's sequence, from AROUND steps below `low` to as many above `high`.

    >>> np.log(around(1.0, 1.0)) / np.log(RATIO)
    array([-3., -2., -1.,  0.,  1.,  2.,  3.])
    """
    steps = round(math.log(high / low, RATIO)) + 2 * AROUND
    more = max(0, RATES - 1 - steps)
    first = -AROUND - more // 2
    return low * RATIO ** np.round(np.linspace(first, first + steps + more, RATES))


def lanes_of(rates: Float[np.ndarray, " rate"]) -> Formed:
    """Every shape at every rate, as numpy arrays."""
    forms, peaks = np.array(FORMS, np.float32), rates.astype(np.float32)
    power, bend, loss = np.repeat(forms, len(peaks), axis=0).T
    return Formed(power, bend, loss, np.tile(peaks, len(forms)))


def _trained(part: Part, best: Mapping[tuple[int, str], tuple[float, float]]) -> pd.DataFrame:
    ready = prepared(part)
    rates = [around(*best[each.task.number, part.optimizer]) for each in ready]
    jobs = [Job(e, lanes_of(own), range(SEEDS)) for e, own in zip(ready, rates, strict=True)]
    found = side_by_side(part, Plan(part.optimizer, formed), jobs)
    return pd.concat([_frame(part, *each) for each in found], ignore_index=True)


def _frame(part: Part, job: Job, ends: Ends) -> pd.DataFrame:
    return frame_of(part, job, job.lanes._asdict(), ends).rename(columns={"peak": "rate"})
