"""Small synthetic atlases whose best rates follow planted exponents.

    log α* = w · facts + domain's offset + task's noise + the schedule's offset,

around the middle of the rates, and a valley that is a parabola below α*, three times as steep above
it, ends at the loss of the best constant predictor below and diverges far above. Scores have noise,
which the tables declare.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from psi.fit.scale.facts import FactSet, design, facts_of
from psi.fit.scale.table import Atlas

WEIGHTS = {"parameters": -0.5, "stream": 1.2, "batch": 0.2, "steps": -0.35, "budget": -0.2}
MIDDLE = -3.5
OFFSETS = {"linear": 0.0, "cosine": -0.1, "constant": -0.7}
EXTRA = {"linear": 0.0, "cosine": 0.03, "constant": 0.15}
"""Nats that a schedule's best rate loses against the linear one's."""
BEND, STEEPER, CLIFF = 0.4, 3.0, 2.5
RATES = np.exp(np.linspace(-9.5, 1.0, 17))


class Planted(NamedTuple):
    atlas: Atlas
    log_rate: np.ndarray
    """log α* of the linear schedule. shape=(task,)"""


def planted(
    seed: int = 0,
    domains: int = 10,
    each: int = 12,
    spread: float = 0.3,
    domain_spread: float = 0.0,
    noise: float = 0.03,
    weights: Mapping[str, float] = WEIGHTS,
    more: Callable[[pd.DataFrame], np.ndarray] | None = None,
) -> Planted:
    """An atlas of `domains` × `each` tasks and the best rates that it was made from.

    `spread`, `domain_spread`: of the tasks' and the domains' noise in log α*, nats; `noise`: of
    scores, nats; `more`: what facts do to log α* beside the power law.
    """
    rng = np.random.default_rng(seed)
    tasks = _tasks(rng, domains, each)
    chosen = FactSet("planted", tuple(weights))
    facts = facts_of(tasks)
    log_rate = design(facts, chosen) @ [*weights.values()]
    log_rate += 0 if more is None else more(facts)
    log_rate += MIDDLE - np.median(log_rate)
    log_rate += domain_spread * rng.normal(size=domains).repeat(each)
    log_rate += spread * rng.normal(size=len(tasks))
    runs = [_runs(rng, tasks, log_rate, name, noise) for name in OFFSETS]
    table = pd.concat(runs, ignore_index=True).assign(optimizer="adam", seeds=3)
    return Planted(Atlas(tasks, table), log_rate)


def _tasks(rng: np.random.Generator, domains: int, each: int) -> pd.DataFrame:
    count = domains * each
    stream = (np.arange(domains) % 3 == 0).repeat(each)

    def spread(low: float, high: float) -> np.ndarray:
        """Log-uniform, each domain around a middle of its own."""
        u = 0.5 * rng.uniform(size=domains).repeat(each) + 0.5 * rng.uniform(size=count)
        return np.exp(np.log(low) + u * np.log(high / low)).round()

    classes = spread(2, 20)
    return pd.DataFrame({
        "task": np.arange(count) + 100,
        "domain": [f"domain {k}" for k in np.arange(domains).repeat(each)],
        "parameters": spread(50, 300_000),
        "rows": np.where(stream, 0, spread(60, 20_000)),
        "stream": stream,
        "batch": spread(8, 256),
        "steps": spread(3, 400),
        "epochs": spread(5, 100),
        "classes": classes,
        "chance_loss": np.log(classes),
        "train_chance_loss": np.log(classes),
        "floor": np.where(stream, 0.1 * np.log(classes), 0.0),
        "weight_rms": np.exp(rng.normal(-2, 0.5, count)),
        "initial_grad_norm": np.exp(np.random.default_rng(count).normal(0, 0.5, count)),
    })  # fmt: skip


def _runs(
    rng: np.random.Generator, tasks: pd.DataFrame, log_rate: np.ndarray, schedule: str, noise: float
) -> pd.DataFrame:
    """Every rate on every task, row after row."""
    count = len(tasks)
    span = (tasks.chance_loss - tasks.floor).to_numpy()[:, None]
    u = np.log(RATES)[None] - (log_rate + OFFSETS[schedule])[:, None]
    least = np.log(0.1 * span) + EXTRA[schedule]
    y = least + BEND * np.where(u > 0, STEEPER, 1.0) * u**2
    y = np.minimum(y, np.log(1.01 * span)) + noise * rng.normal(size=u.shape)
    loss = np.exp(y) - 0.01 * span + tasks.floor.to_numpy()[:, None]
    loss = np.where(u > CLIFF, np.inf, loss)
    error = noise * np.exp(y)
    columns = {"train_loss": loss, "val_loss": loss, "train_error": error, "val_error": error}
    table = {name: each.ravel() for name, each in columns.items()}
    return pd.DataFrame({
        "task": tasks.task.repeat(len(RATES)).to_numpy(), "schedule": schedule,
        "rate": np.tile(RATES, count), **table, "diverged": np.isinf(loss).ravel() * 1.0,
    })  # fmt: skip
