"""Shapes beside the plain schedules, on the first tasks of an atlas, around their best rates.

    α_i = α_0 (1 − t)^a (1 + b t) (ε_i/ε_0)^c,    t = i/T

over a few a, b and c; ε_i/ε_0 is held within [0.01, 4]. Each is trained at the best linear rate of
the task and at two rates of the atlas's sequence on either side, so that its own best is among them
or near.
"""

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
AROUND = 2  # rates on either side


class Form(NamedTuple):
    """The exponents and the bend of a shape."""

    power: float
    """a"""
    bend: float
    """b"""
    loss: float
    """c"""


FORMS = tuple(Form(*each) for each in product(POWERS, BENDS, LOSSES))
LINEAR = Form(1.0, 0.0, 0.0)


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
    known = set(best.index)
    every = [
        part._replace(tasks=tuple(t for t in part.tasks if (t.number, part.optimizer) in known))
        for part in parts(config)
    ]
    identity = {"forms": [list(form) for form in FORMS], "seeds": SEEDS}
    identity |= {"rates": store.digest(best.reset_index().to_numpy().tolist())}
    engine: Engine = lambda wanted: ((part, _trained(part, best)) for part in wanted)  # noqa: E731
    keep([part for part in every if part.tasks], folder, identity, engine, report)
    return store.arrow_records(folder).to_pandas()


def best_linear(runs: pd.DataFrame) -> "pd.Series[float]":
    """The rate of the linear schedule with the lowest validation loss, by (task, optimizer)."""
    linear = runs[runs.schedule == "linear"]
    least = linear.loc[linear.groupby(["task", "optimizer"]).val_loss.idxmin()]
    return least.set_index(["task", "optimizer"]).rate


def around(rate: float) -> Float[np.ndarray, " rate"]:
    """The rate and its neighbours in the atlas's sequence."""
    return rate * RATIO ** np.arange(-AROUND, AROUND + 1.0)


def lanes_of(rate: float) -> Formed:
    """Every shape at every rate around `rate`, as numpy arrays."""
    forms, rates = np.array(FORMS, np.float32), around(rate).astype(np.float32)
    power, bend, loss = np.repeat(forms, len(rates), axis=0).T
    return Formed(power, bend, loss, np.tile(rates, len(forms)))


def _trained(part: Part, best: "pd.Series[float]") -> pd.DataFrame:
    jobs = [
        Job(each, lanes_of(best[each.task.number, part.optimizer]), range(SEEDS))
        for each in prepared(part)
    ]
    found = side_by_side(part, Plan(part.optimizer, formed), jobs)
    return pd.concat([_frame(part, *each) for each in found], ignore_index=True)


def _frame(part: Part, job: Job, ends: Ends) -> pd.DataFrame:
    return frame_of(part, job, job.lanes._asdict(), ends).rename(columns={"peak": "rate"})
