"""Candidate rates tried from the same states: the response surface by branching.

From every state of a cell at epoch i, each of K rates is played over R batch orders for H epochs,
under a continuation (continuation.py). A second round tries K more rates between the neighbours of
the best, on the same batch orders, and so on: what is estimated then is the best of a smooth
function, however widely the first rates were spaced.

Intervals resample the states of a cell, or, where it has only one, its batch orders.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Array, Float, Int, Key

from psi.ideal.continuation import LINEAR, Candidate, Continuation
from psi.ideal.rate import CELL, LEAST, peak
from psi.ideal.returns import cap, capped, score
from psi.ideal.surface import candidates
from psi.lab.engine.branch import States, play
from psi.lab.tasks.task import Task
from psi.law.checks import at_least
from psi.progress import Report, silent, within


@dataclass(frozen=True)
class Branching:
    """How candidates are tried. Raises ValueError where a number makes no sense."""

    horizon: int | None = None
    """H in epochs, at most to the end of the budget; None: to its end, H = T − i."""
    continuation: Continuation = LINEAR
    orders: int = 16
    """R, fresh batch orders a state, shared by the rates; 0: each state's own, for cells of many
    states."""
    rounds: int = 1
    """How many times K rates are tried, closer to the best each time."""

    def __post_init__(self) -> None:
        if self.horizon is not None and self.horizon < 1:
            raise ValueError(f"a horizon must be >= 1 epoch, got {self.horizon}")
        at_least(self, orders=0, rounds=1)


def branch_surface(
    task: Task,
    states: States,
    rates: Float[np.ndarray, " rate"],
    branching: Branching,
    key: Key[Array, ""],
    report: Report = silent,
) -> pd.DataFrame:
    """One row per cell and candidate: the columns of psi.ideal.surface.response_surface.

    Cells with a state whose loss is not finite are left out. Raises ValueError for fewer than 3
    rates, rates that do not rise, states at the end of the budget, and where no cell is left.
    """
    if len(rates) < LEAST or not (np.diff(rates) > 0).all() or rates[0] <= 0:
        raise ValueError(f"rates must be >= {LEAST}, positive and rising, got {rates.tolist()}")
    if (states.epoch >= task.facts.epochs).any():
        raise ValueError(
            f"nothing is left to branch into at epochs {states.epoch.tolist()} of a budget of "
            f"{task.facts.epochs}"
        )
    alive = [bool(np.isfinite(loss).all()) for loss in states.loss]
    if not any(alive):
        raise ValueError(f"no data: all {len(alive)} cells of {task.name} have diverged states")
    horizon = horizons(task, states, branching)
    tried, losses = _rounds(task, states, rates, horizon, branching, key, report)
    cells = []
    for c in np.flatnonzero(alive):
        count, orders, _ = losses[c].shape
        groups = losses[c].mean(1) if count > 1 else losses[c][0]
        cell = candidates(task.facts, task.name, tried[c], groups).assign(
            runs=count * orders,
            cell=c,
            epoch=int(states.epoch[c]),
            horizon=int(horizon[c]),
            continuation=branching.continuation.name,
            loss=float(states.loss[c].mean(dtype=np.float64)),
            initial_loss=float(states.initial_loss[c].mean(dtype=np.float64)),
        )
        cells.append(cell)
    return pd.concat(cells, ignore_index=True)


def horizons(task: Task, states: States, branching: Branching) -> Int[np.ndarray, " cell"]:
    """H of each cell."""
    left = task.facts.epochs - states.epoch
    return left if branching.horizon is None else np.minimum(left, branching.horizon)


def final_losses(
    task: Task, loss: Float[np.ndarray, "cell state order lane"]
) -> Float[np.ndarray, "cell state order lane"]:
    """Losses of single runs, capped (psi.ideal.returns), float64."""
    return capped(loss.astype(np.float64), task.facts.chance_loss, cap(task.facts.network))


def _rounds(
    task: Task,
    states: States,
    rates: Float[np.ndarray, " rate"],
    horizon: Int[np.ndarray, " cell"],
    branching: Branching,
    key: Key[Array, ""],
    report: Report,
) -> tuple[Float[np.ndarray, "cell tried"], Float[np.ndarray, "cell state order tried"]]:
    """All rates tried, rising, and the capped loss of every run."""
    new = np.broadcast_to(rates, (len(horizon), len(rates)))
    tried, losses = np.empty((len(horizon), 0)), None
    for done in range(branching.rounds):
        stage = within(report, done, 1, branching.rounds)
        lanes = lanes_of(states, new, horizon)
        policy, orders = branching.continuation.policy, branching.orders
        run = play(task, states, policy, lanes, horizon, orders, key, report=stage)
        tried = np.concatenate([tried, new], 1)
        found = final_losses(task, run.loss)
        losses = found if losses is None else np.concatenate([losses, found], -1)
        order = tried.argsort(1)
        tried = np.take_along_axis(tried, order, 1)
        losses = np.take_along_axis(losses, order[:, None, None], -1)
        new = _closer(task, tried, losses, len(rates))
    assert losses is not None
    return tried, losses


def lanes_of(
    states: States, rates: Float[np.ndarray, "cell rate"], horizon: Int[np.ndarray, " cell"]
) -> Candidate:
    """Candidate rates of each cell, as lanes."""

    def each(a: Int[np.ndarray, " cell"]) -> np.ndarray:
        return np.broadcast_to(a[:, None], rates.shape).astype(np.int32)

    return Candidate(rates.astype(np.float32), each(states.epoch), each(states.epoch + horizon))


def _closer(
    task: Task,
    tried: Float[np.ndarray, "cell tried"],
    losses: Float[np.ndarray, "cell state order tried"],
    count: int,
) -> Float[np.ndarray, "cell rate"]:
    """`count` more rates between the neighbours of each cell's best."""
    chance, floor = task.facts.chance_loss, task.facts.floor
    best = score(losses.mean((1, 2)), floor, chance).argmin(1)
    middle = np.clip(best, 1, tried.shape[1] - 2)
    inside = np.log(np.take_along_axis(tried, middle[:, None] + np.arange(-1, 2), 1))
    below = count // 2  # so that no rate is tried again, on either side of the middle one
    left, right = (np.arange(1, n + 1) / (n + 1) for n in (below, count - below))
    gaps = np.diff(inside, axis=1)
    new = [inside[:, :1] + gaps[:, :1] * left, inside[:, 1:2] + gaps[:, 1:] * right]
    return np.exp(np.concatenate(new, axis=1))


def best_rates(surface: pd.DataFrame) -> Float[np.ndarray, " cell"]:
    """The ideal rate of each cell of a surface, in the order of the cells, without its interval."""
    groups = surface.sort_values("lr").groupby(list(CELL), observed=True, sort=False)
    return np.array([np.exp(peak(np.log(g.lr.to_numpy()), -g.score.to_numpy())) for _, g in groups])
