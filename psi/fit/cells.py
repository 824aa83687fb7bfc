"""What a fit sees of each cell: features, the ideal rate, and what other rates lose.

The ideal rate often lies just below a cliff: a slightly higher rate diverges, a slightly lower one
costs little. A fit to log α alone falls off the cliff in half of the cells. So laws are fitted to
the *regret*, what a rate loses in a cell against the cell's best,

    lost(α) = score(α) − min over candidates of the score,  linear in log α between candidates,

and the ideal rates serve as the start of the search. For a law that is scale × shape all rates are
divided by the α_0 of the cell's task.
"""

import contextlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from psi.fit.formula.points import OBSERVED, Points, feature_values, points
from psi.ideal.rate import cell_weights
from psi.law.expression import Expression
from psi.law.law import Law, Range, Score
from psi.law.namespace import Array, Namespace
from psi.law.network import Network
from psi.progress import Report, silent

BLOWN_UP = 2.0  # times ε_0
LEAST = 10  # cells


class Cells(NamedTuple):
    """What a fit sees of each cell."""

    loss: Float[np.ndarray, " cell"]
    """ε_i, nats"""
    epoch: Float[np.ndarray, " cell"]
    """i, epochs"""
    initial_loss: Float[np.ndarray, " cell"]
    """ε_0, nats"""
    epochs: Float[np.ndarray, " cell"]
    """T, epochs"""
    parameters: Float[np.ndarray, " cell"]
    """P"""
    log_rate: Float[np.ndarray, " cell"]
    """log α of the ideal rate"""
    weight: Float[np.ndarray, " cell"]
    """psi.ideal.rate.cell_weights: 0 where the cell is flat or its best at an edge"""
    tried: Float[np.ndarray, "cell rate"]
    """log α of the candidates, rising"""
    lost: Float[np.ndarray, "cell rate"]
    """What each candidate lost against the best, in nats"""
    domain: np.ndarray
    """Name of each cell's domain, which is held out whole."""
    task: np.ndarray

    def take(self, index: np.ndarray) -> "Cells":
        """The cells at `index` (a mask or positions)."""
        return Cells(*(values[index] for values in self))

    def values(self, names: Sequence[str]) -> Float[np.ndarray, "feature cell"]:
        """Features by name, in that order."""
        return feature_values(names, *(getattr(self, column) for column in OBSERVED))

    def points(self, names: Sequence[str]) -> Points:
        """The ideal rates alone, for least squares. Raises ValueError as `points` does."""
        return points(names, self.values(names), np.exp(self.log_rate), self.weight, self.task)


def cells_of(
    ideal: pd.DataFrame, surface: pd.DataFrame, least: int = LEAST, scaled: bool = False
) -> Cells:
    """The cells of an ideal-rate table, with the response surface it came from.

    With `scaled` rates are divided by the column `scale` of `ideal`. Cells whose network has blown
    up (ε > 2 ε_0) are left out: no law is meant for them. Raises ValueError where fewer than
    `least` are left that are neither flat nor have their best at an edge, or a column holds no
    number at all.
    """
    for name in ("loss", "initial_loss", "lr", *(("scale",) if scaled else ())):
        if not np.isfinite(ideal[name]).any():
            raise ValueError(f"column {name} holds no usable number in {len(ideal)} rows")
    usable = np.isfinite(ideal.lr) & (ideal.loss <= BLOWN_UP * ideal.initial_loss)
    kept = ideal[usable & np.isfinite(ideal["scale"])] if scaled else ideal[usable]
    sure = int(kept.sure.sum())
    if sure < least:
        raise ValueError(
            f"a fit needs >= {least} usable cells (interior, not flat, ε <= {BLOWN_UP:g} ε_0), "
            f"got {sure} of {len(ideal)}: make the data again with more --cells (psi generate, or "
            "psi ideal for --ideal)"
        )
    groups = surface.sort_values("lr").groupby(["task", "cell"], observed=True)
    candidates = [groups.get_group(key) for key in zip(kept.task, kept.cell, strict=True)]
    scores = np.stack([cell.score.to_numpy() for cell in candidates])
    scale = kept["scale"].to_numpy(float) if scaled else np.ones(len(kept))
    tried = np.stack([cell.lr.to_numpy(float) for cell in candidates])
    return Cells(
        *(kept[name].to_numpy(float) for name in OBSERVED),
        log_rate=np.log(kept.lr.to_numpy(float) / scale),
        weight=cell_weights(kept),
        tried=np.log(tried / scale[:, None]),
        lost=scores - scores.min(1, keepdims=True),
        domain=kept.domain.to_numpy(dtype=object),
        task=kept.task.to_numpy(dtype=object),
    )


def lost_at(tried: Array, lost: Array, log_rate: Array, xp: Namespace) -> Array:
    """What the rate exp(log_rate) loses in each cell, shape=(cell,), nats.

    Linear between candidates; beyond them one nat more for each nat of log α, so that a search
    comes back.
    """
    inside = xp.clip(log_rate, tried[:, 0], tried[:, -1])
    left = xp.clip((tried <= inside[:, None]).sum(1) - 1, 0, tried.shape[1] - 2)[:, None]
    x0, x1 = (xp.take_along_axis(tried, left + k, 1)[:, 0] for k in (0, 1))
    y0, y1 = (xp.take_along_axis(lost, left + k, 1)[:, 0] for k in (0, 1))
    return y0 + (y1 - y0) * (inside - x0) / (x1 - x0) + xp.abs(log_rate - inside)


def log_rates(law: Law, cells: Cells) -> Float[np.ndarray, " cell"]:
    """The law's log Ψ in each cell; where Ψ is no positive number, that of its lowest rate."""
    with np.errstate(all="ignore"):
        rate = np.nan_to_num(law(cells.values(law.features)), nan=0.0, posinf=law.rates.high)
    return np.log(np.where(rate > 0, rate, law.rates.low))


def regret(law: Law, cells: Cells) -> float:
    """Mean over cells of what the law's rate loses against the cell's best, in nats."""
    return float(lost_at(cells.tried, cells.lost, log_rates(law, cells), np).mean())


def domain(cells: Cells, names: Sequence[str]) -> tuple[Range, ...]:
    """The range of each feature seen."""
    return tuple(Range(float(row.min()), float(row.max())) for row in cells.values(names))


def law_of(model: Expression | Network, names: Sequence[str], cells: Cells, optimizer: str) -> Law:
    """A model fitted to cells as a law, with the range of their features and sure ideal rates."""
    sure = cells.log_rate[cells.weight > 0]
    return Law(
        model=model,
        features=tuple(names),
        domain=domain(cells, names),
        rates=Range(float(np.exp(sure.min())), float(np.exp(sure.max()))),
        optimizer=optimizer,
        initial_loss=float(np.median(cells.initial_loss)),
    )


def left_out_scores(
    fit: Callable[[Cells], Law], cells: Cells, report: Report = silent
) -> tuple[Score, ...]:
    """The regret on each domain of a fit to all the others.

    A domain without which too little is left for a fit has no score.
    """
    scores, names = [], np.unique(cells.domain)
    for done, name in enumerate(names if len(names) > 1 else []):
        report(done, len(names), str(name))
        out = cells.domain == name
        with contextlib.suppress(ValueError):
            value = regret(fit(cells.take(~out)), cells.take(out))
            scores.append(Score(f"regret in the cells of {name}, left out", value))
    report(len(names), len(names), "")
    return tuple(scores)
