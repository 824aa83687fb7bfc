"""What a fit sees of each cell: relative features, the ideal rate, and what other rates lose.

The ideal rate often lies just below a cliff: a little more diverges, a little less costs little.
A fit to its logarithm alone falls off the cliff in half of the cells. So laws are fitted to the
*regret*, what a rate loses in a cell against the cell's best,

    lost(α) = score(α) − min over candidates of the score,  linear in log α between candidates,

and the ideal rates serve as the start of the search.
"""

from collections.abc import Callable
from importlib.metadata import version
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from psi.law.law import Law, Provenance, Range, Score
from psi.law.namespace import Array, Namespace

FEATURES = ("loss_ratio", "progress")
BLOWN_UP = 2.0  # times ε_0
NOISE = 0.3  # nats: tasks differ by this much at the same features, however sure each label is
LEAST = 10  # cells


class Labels(NamedTuple):
    """Points to fit, one a cell."""

    loss_ratio: Float[np.ndarray, " cell"]
    """ε/ε_0"""
    progress: Float[np.ndarray, " cell"]
    """i/T"""
    log_rate: Float[np.ndarray, " cell"]
    """log α of the ideal rate"""
    weight: Float[np.ndarray, " cell"]
    """1 / (variance of log_rate + NOISE²); 0 where the cell is flat or its best at an edge"""
    tried: Float[np.ndarray, "cell rate"]
    """log α of the candidates, rising"""
    lost: Float[np.ndarray, "cell rate"]
    """What each candidate lost against the best, in nats"""
    domain: np.ndarray
    """Name of each point's domain, what is left out whole when it is held out."""
    task: np.ndarray
    initial_loss: Float[np.ndarray, " cell"]

    def take(self, index: np.ndarray) -> "Labels":
        """The points at `index` (a mask or positions)."""
        return Labels(*(values[index] for values in self))


def labels(ideal: pd.DataFrame, surface: pd.DataFrame, least: int = LEAST) -> Labels:
    """The cells of an ideal-rate table, with the response surface it came from.

    Left out: cells whose network has blown up (ε > 2 ε_0), which no law is meant for. Raises
    ValueError where fewer than `least` are left that are neither flat nor have their best at an
    edge.
    """
    kept = ideal[ideal.loss <= BLOWN_UP * ideal.initial_loss]
    sure = kept.sure.to_numpy()
    if sure.sum() < least:
        raise ValueError(
            f"a fit needs >= {least} usable cells (interior, not flat, ε <= {BLOWN_UP:g} ε_0), "
            f"got {sure.sum()} of {len(ideal)}"
        )
    groups = surface.sort_values("lr").groupby(["task", "cell"], observed=True)
    cells = [groups.get_group(key) for key in zip(kept.task, kept.cell, strict=True)]
    scores = np.stack([cell.score.to_numpy() for cell in cells])
    return Labels(
        loss_ratio=(kept.loss / kept.initial_loss).to_numpy(),
        progress=(kept.epoch / kept.epochs).to_numpy(dtype=float),
        log_rate=np.log(kept.lr.to_numpy()),
        weight=np.where(sure, 1 / (kept.log_lr_error.to_numpy() ** 2 + NOISE**2), 0.0),
        tried=np.log(np.stack([cell.lr.to_numpy() for cell in cells])),
        lost=scores - scores.min(1, keepdims=True),
        domain=kept.domain.to_numpy(dtype=object),
        task=kept.task.to_numpy(dtype=object),
        initial_loss=kept.initial_loss.to_numpy(),
    )


def lost_at(tried: Array, lost: Array, log_rate: Array, xp: Namespace) -> Array:
    """What the rate exp(log_rate) loses in each cell, shape=(cell,).

    Linear between candidates; beyond them one nat more for each nat of log α, so that a search
    comes back.
    """
    inside = xp.clip(log_rate, tried[:, 0], tried[:, -1])
    left = xp.clip((tried <= inside[:, None]).sum(1) - 1, 0, tried.shape[1] - 2)[:, None]
    x0, x1 = (xp.take_along_axis(tried, left + k, 1)[:, 0] for k in (0, 1))
    y0, y1 = (xp.take_along_axis(lost, left + k, 1)[:, 0] for k in (0, 1))
    return y0 + (y1 - y0) * (inside - x0) / (x1 - x0) + xp.abs(log_rate - inside)


def regret(law: Law, points: Labels) -> float:
    """Mean over cells of what the law's rate loses against the cell's best, in nats."""
    log_rate = np.log(law(np.stack([points.loss_ratio, points.progress])))
    return float(lost_at(points.tried, points.lost, log_rate, np).mean())


def domain(points: Labels) -> tuple[Range, Range]:
    """The ranges of ε/ε_0 and i/T seen."""
    ratio, progress = points.loss_ratio, points.progress
    return (
        Range(float(ratio.min()), float(ratio.max())),
        Range(float(progress.min()), float(progress.max())),
    )


def rates(points: Labels) -> Range:
    """The range of ideal rates seen, of those that are sure."""
    sure = points.log_rate[points.weight > 0]
    return Range(float(np.exp(sure.min())), float(np.exp(sure.max())))


def left_out_scores(fit: Callable[[Labels], Law], points: Labels) -> tuple[Score, ...]:
    """The regret on each domain of a fit to all the others."""
    scores = []
    for name in np.unique(points.domain):
        out = points.domain == name
        if not out.all():
            value = regret(fit(points.take(~out)), points.take(out))
            scores.append(Score(f"regret in the cells of {name}, left out", value))
    return tuple(scores)


def provenance(data_hash: str, config_hash: str, packages: tuple[str, ...]) -> Provenance:
    """Hashes of the data and of their config, versions of the packages that made the law."""
    return Provenance(data_hash, config_hash, tuple(f"{p}=={version(p)}" for p in packages))
