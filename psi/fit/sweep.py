"""The best learning rate of each group of runs in a user's own sweep, with its interval.

Runs of equal facts are a group. Around its best run the loss is taken as a quadratic of x, the
logarithms of the rate and of what was tuned beside it, measured from that run:

    L(x) = a + b·x + xᵀ C x,    least at −C⁻¹ b / 2

It is fitted to the third of the group's runs that lost least, with weights 1 − e/h: e is a loss
above the least one, h that of the first run left out. A window of a share of the runs asks for no
unit of the loss and does not widen where the rate matters little. On surfaces like those of
language models (Li et al. 2025, arXiv:2503.04715) exponents had less error so than with windows of
0.5 to 8 % of the loss, which bend them, or with single best runs, which scatter.

The noise of a loss is pooled over all groups in units of their h. With s the standard error that
follows from it (delta method), and b the distance to the least point of half as many runs,

    log α ± (t · s + b)

is the 95 % interval: b is what the curve's asymmetry and the distance between rates may hide. Where
a quadratic has no least point among the rates that were tried, or nothing tells of the noise, the
rate is that of the best run, or the middle of several that are equal, and the interval reaches to
the rates tried beside it.

A group whose best run has the lowest or the highest rate that was tried is at an edge: its best
rate is not known. Runs that diverged count there as tried.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from scipy.stats import t as student

from psi.fit.runs import Columns
from psi.ideal.resampling import TAILS

LEAST = 3  # values of a column, for a curve over it
SHARE = 3  # one cell in so many is in the window
SPARE = 1  # cells in the window, beside as many as the quadratic has coefficients
UNIFORM = 12**-0.5  # standard deviation of a uniform distribution over its width


class Best(NamedTuple):
    """A group's best rate."""

    facts: tuple[float, ...]
    rate: float
    low: float
    high: float
    """Ends of the 95 % interval."""
    error: float
    """Standard error of the rate's logarithm."""
    tuned: tuple[float, ...]
    """What was tuned beside it, of the best run."""
    runs: int
    rates: int
    """How many rates were tried."""
    diverged: int
    edge: str
    """Where the best run has the lowest or highest value tried of a column: which; else empty."""


class _Group(NamedTuple):
    """Runs of equal facts, those of one setting averaged."""

    facts: Float[np.ndarray, " fact"]
    x: Float[np.ndarray, "cell dim"]
    """Logarithms of the rate and of what was tuned beside it, the least loss first."""
    loss: Float[np.ndarray, " cell"]
    runs: Int[np.ndarray, " cell"]
    tuned: tuple[float, ...]
    """What was tuned beside the rate, of the least loss."""


class _Peak(NamedTuple):
    """The least point of a group's quadratic."""

    log_rate: float
    sensitivity: float
    """Standard error of the rate's logarithm over the noise, in units of h."""
    squares: float
    """Weighted sum of squared residuals, in units of h²."""
    shift: float
    """How far the least point moves where the window has half as many cells."""
    spare: int
    """Cells less coefficients."""


def best_rates(runs: pd.DataFrame, columns: Columns) -> tuple[Best, ...]:
    """The best rate of each group in which 3 rates or more were tried and a run did not diverge.

    Args:
        runs: a row a run (`psi.fit.runs.Runs.table`). Runs that agree in all but the loss are
            averaged first; where one of them diverged, so has the average.
        columns: which column is which.

    Returns:
        The groups in the order of their facts.

    Example:
        >>> import pandas as pd
        >>> from psi.fit.runs import Columns
        >>> from psi.fit.sweep import best_rates
        >>> rates = [0.01, 0.02, 0.04, 0.08, 0.16]
        >>> runs = pd.DataFrame({"N": 1e6, "lr": rates, "loss": [2.31, 2.11, 2.0, 2.13, 2.5]})
        >>> (best,) = best_rates(runs, Columns("lr", "loss", facts=("N",)))
        >>> round(best.rate, 3)
        0.037
    """
    groups = [
        group
        for group in _groups(runs, columns)
        if len(np.unique(group.x[:, 0])) >= LEAST and np.isfinite(group.loss[0])
    ]
    peaks = [_peak(group) for group in groups]
    found = [peak for peak in peaks if peak]
    spare = sum(peak.spare for peak in found)
    noise = np.sqrt(sum(peak.squares for peak in found) / spare) if spare else np.nan
    wide = float(student.ppf(TAILS[1], max(spare, 1)))
    pairs = zip(groups, peaks, strict=True)
    return tuple(_best(group, columns, peak, noise, wide) for group, peak in pairs)


def _groups(runs: pd.DataFrame, columns: Columns) -> Iterator[_Group]:
    keys = runs[list(columns.keys)].to_numpy(float)
    cells, of_run = np.unique(keys, axis=0, return_inverse=True)
    counts = np.bincount(of_run.reshape(-1))
    losses = np.bincount(of_run.reshape(-1), runs[columns.loss].to_numpy(float)) / counts
    width = len(columns.facts)
    facts, of_cell = np.unique(cells[:, :width], axis=0, return_inverse=True)
    for k, values in enumerate(facts):
        rows = np.flatnonzero(of_cell.reshape(-1) == k)
        rows = rows[np.argsort(losses[rows], kind="stable")]
        tuned = tuple(cells[rows[0], width + 1 :].tolist())
        yield _Group(values, np.log(cells[rows, width:]), losses[rows], counts[rows], tuned)


def _best(group: _Group, columns: Columns, peak: _Peak | None, noise: float, wide: float) -> Best:
    tried, diverged = np.unique(group.x[:, 0]), ~np.isfinite(group.loss)
    best = group.x[group.loss == group.loss[0], 0]
    log_rate = peak.log_rate if peak else float(best.mean())
    if peak and np.isfinite(noise):
        error = noise * peak.sensitivity
        spread = wide * error + peak.shift
        low, high = np.clip([log_rate - spread, log_rate + spread], *tried[[0, -1]])
    else:
        low, high = _beside(tried, best.min(), best.max())
        error = UNIFORM * (high - low)
    rate, low, high = np.exp([log_rate, low, high]).tolist()
    return Best(
        tuple(group.facts.tolist()), rate, low, high, float(error), group.tuned,
        int(group.runs.sum()), len(tried), int(group.runs[diverged].sum()),
        ", ".join(_edges(group, columns)),
    )  # fmt: skip


def _beside(tried: Float[np.ndarray, " rate"], low: float, high: float) -> tuple[float, float]:
    """The rates tried next to a range of them, or its ends where there are none beyond."""
    return (
        tried[max(np.searchsorted(tried, low) - 1, 0)],
        tried[min(np.searchsorted(tried, high, "right"), len(tried) - 1)],
    )


def _edges(group: _Group, columns: Columns) -> Iterator[str]:
    best = group.loss == group.loss[0]
    for name, values in zip((columns.rate, *columns.tuned), group.x.T, strict=True):
        if len(np.unique(values)) >= LEAST:
            yield from [f"lowest {name}"] * bool(values[best].min() == values.min())
            yield from [f"highest {name}"] * bool(values[best].max() == values.max())


def _peak(group: _Group) -> _Peak | None:
    """None where the quadratic has no least point near the group's best runs."""
    cells = np.isfinite(group.loss)
    kept = [0]
    for k in range(1, group.x.shape[1]):
        if len(np.unique(group.x[cells, k])) >= LEAST:
            kept.append(k)
        else:  # too few values for a curve: the runs that share the best one's
            cells &= group.x[:, k] == group.x[0, k]
    inner = group._replace(
        x=group.x[cells][:, kept], loss=group.loss[cells], runs=group.runs[cells]
    )
    tried = np.unique(group.x[:, 0])
    count = (len(kept) + 1) * (len(kept) + 2) // 2
    size = min(max(-(-len(inner.x) // SHARE), count + SPARE), len(inner.x))
    found = _window(inner, tried, size)
    if size < count or not found:
        return None
    nearer = _window(inner, tried, max(count, size // 2)) or found
    return _Peak(*found, shift=abs(found[0] - nearer[0]), spare=size - count)


def _window(
    group: _Group, tried: Float[np.ndarray, " rate"], size: int
) -> tuple[float, float, float] | None:
    """`_least` of the best cells; None where it is not among the rates that were tried there."""
    above = group.loss - group.loss[0]
    depth = above[size] if size < len(above) else 2 * above[-1]
    if not depth > 0:
        return None
    x, e = group.x[:size], above[:size] / depth
    found = _least(x - x[0], e, np.maximum(1 - e, 1e-3) * group.runs[:size])
    low, high = _beside(tried, x[:, 0].min(), x[:, 0].max())
    if found and low <= x[0, 0] + found[0] <= high:
        return float(x[0, 0] + found[0]), *found[1:]
    return None


def _least(
    x: Float[np.ndarray, "cell dim"], y: Float[np.ndarray, " cell"], w: Float[np.ndarray, " cell"]
) -> tuple[float, float, float] | None:
    """Where the quadratic y(x) is least: the rate's coordinate, its error for noise 1, squares.

    None where the quadratic is not determined or has no least point.
    """
    row, column = np.triu_indices(x.shape[1])
    design = np.column_stack([np.ones(len(x)), x, x[:, row] * x[:, column]])
    weighted = design * np.sqrt(w)[:, None]
    fitted, _, rank, _ = np.linalg.lstsq(weighted, y * np.sqrt(w), rcond=1e-9)
    if rank < design.shape[1]:
        return None
    b, pairs = fitted[1 : 1 + x.shape[1]], fitted[1 + x.shape[1] :]
    c = np.zeros((x.shape[1],) * 2)
    c[row, column] = pairs
    c = (c + c.T) / 2
    if np.linalg.eigvalsh(c)[0] <= 0:
        return None
    inverse = np.linalg.inv(c)[0]  # the row of the rate
    at = -np.linalg.solve(c, b) / 2
    # dx = −C⁻¹ (db/2 + dC x), and half of a pair's coefficient stands on each side of C's diagonal.
    slopes = (inverse[row] * at[column] + inverse[column] * at[row]) / 2
    jacobian = -np.concatenate([[0.0], inverse / 2, slopes])
    error = np.linalg.norm(np.linalg.pinv(weighted).T @ jacobian)
    return float(at[0]), float(error), float((w * (y - design @ fitted) ** 2).sum())
