"""The ideal rate: the argmax over α of the response surface in one cell.

The argmax over log α is the peak of a cubic spline through the candidates' scores, next to the
best of them. Candidates share batch orders, so that what the spline goes through is smooth; where
rates are a factor of 1.6 apart, the peak of a noisy quadratic is found within 4 %, and better
where they are closer. (A polynomial through seven candidates was up to 20 % off.)

Its interval resamples the G groups of a cell (seeds or states; of one state alone its batch orders,
and then it is of that state's own ideal rate), with Student's t of G − 1 degrees of freedom, and
adds what the distance between candidates may hide:

    log α ± (t · s + b),   s² = G/(G − 1) · var_b log α_b,   b = |log α − log α_half|/8,

α_b the peak of bootstrap resample b of 200, α_half that through every other candidate (a spline's
error falls with the third power of the distance). Over 1,000 small noisy quadratics it covers what
is true in 93 to 97 % (psi verify). In simulations with 8 or 16 groups it did in 92 to 97 %, also
where the noise of each candidate is its own and the peak jumps between them: there a jackknife
covers 77 %; percentiles of the bootstrap were at 84 to 93 %.

A cell is flagged `edge` where the best candidate is the lowest or the highest tried: its interval
is then open on that side. It is `flat` where the rate hardly matters: candidates within 0.05 nats
of the best span half of all that were tried, in log α, or more. It is `sure` where it is neither
and has an interval.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.interpolate import CubicSpline

from psi.ideal.resampling import bootstrap_error, student_width
from psi.ideal.returns import score

FLAT = 0.05  # nats
FINE = 64  # points of the spline between two candidates
LEAST = 3  # candidates
NOISE = 0.3  # nats: tasks differ by this much at the same features, however sure each label is
CELL = ("task", "cell", "horizon", "continuation")
"""What tells one cell of a surface from another."""
STATE = (
    "task", "domain", "cell", "epoch", "epochs", "horizon", "continuation", "loss", "initial_loss",
    "runs",
)  # fmt: skip


def cell_weights(ideal: pd.DataFrame) -> Float[np.ndarray, " cell"]:
    """1/(variance of log α + NOISE²); 0 for a cell that is flat or has its best at an edge."""
    error = ideal.log_lr_error.to_numpy(float)
    return np.where(ideal.sure.to_numpy(bool), 1 / (error**2 + NOISE**2), 0.0)


def ideal_rates(surface: pd.DataFrame) -> pd.DataFrame:
    """One row per cell of a surface: the state (STATE) and its ideal rate.

    Columns beside the state's: lr (the ideal rate), lr_low and lr_high (95 % interval),
    log_lr_error (standard error of log α, nats), gain (by how much the worst candidate's score is
    above the best's, nats), edge, flat, sure. Raises ValueError where a cell has fewer than 3
    candidates.
    """
    groups = surface.groupby(list(CELL), observed=True, sort=False)
    return pd.DataFrame([_cell(group.sort_values("lr")) for _, group in groups])


def peak(
    x: Float[np.ndarray, " rate"], y: Float[np.ndarray, "*sample rate"]
) -> Float[np.ndarray, "*sample"]:
    """The x of the maximum of the cubic spline through (x, y).

    No further than the neighbours of the best x; where that is the first or the last, itself.
    """
    spline = CubicSpline(x, y, axis=-1)
    inner = np.arange(FINE) / FINE
    fine = np.append((x[:-1, None] + inner * np.diff(x)[:, None]).reshape(-1), x[-1])
    best = y.argmax(-1)
    low, high = x[np.maximum(best - 1, 0)], x[np.minimum(best + 1, len(x) - 1)]
    outside = (fine < low[..., None]) | (fine > high[..., None])
    found = fine[np.where(outside, -np.inf, spline(fine)).argmax(-1)]
    return np.where((best == 0) | (best == len(x) - 1), x[best], found)


def _cell(cell: pd.DataFrame) -> dict[str, object]:
    x = np.log(cell.lr.to_numpy())
    y = -cell.score.to_numpy()
    if len(x) < LEAST:
        raise ValueError(f"an ideal rate needs >= {LEAST} candidate rates in a cell, got {len(x)}")
    floor, chance = cell.floor.iloc[0], cell.chance_loss.iloc[0]
    resampled = -score(np.stack(cell.resampled.to_list(), axis=-1), floor, chance)
    best, error, spread = interval(x, y, resampled, int(cell.groups.iloc[0]))
    low, high = np.exp(best - spread), np.exp(best + spread)
    edge = y.argmax() in (0, len(y) - 1)
    if edge:
        low, high = (0.0, np.exp(x[1])) if y.argmax() == 0 else (np.exp(x[-2]), np.inf)
    close = x[y > y.max() - FLAT]
    flat = bool(np.ptp(close) >= np.ptp(x) / 2)
    return {
        **cell.iloc[0][list(STATE)],
        "lr": np.exp(best),
        "lr_low": low,
        "lr_high": high,
        "log_lr_error": error,
        "gain": y.max() - y.min(),
        "edge": edge,
        "flat": flat,
        "sure": bool(np.isfinite(error)) and not (edge or flat),
    }


def interval(
    x: Float[np.ndarray, " rate"],
    y: Float[np.ndarray, " rate"],
    resampled: Float[np.ndarray, "resample rate"],
    groups: int,
) -> tuple[float, float, float]:
    """(log α of the peak, its standard error, half the width of its 95 % interval).

    NaN for both where there is one group alone.
    """
    best = float(peak(x, y))
    if groups < 2:
        return best, np.nan, np.nan
    error = float(bootstrap_error(peak(x, resampled), groups))
    every_other = slice(int(y.argmax()) % 2, None, 2)  # the best among them
    coarse = float(peak(x[every_other], y[every_other])) if len(x) >= 2 * LEAST else best
    return best, error, error * student_width(groups) + abs(best - coarse) / 8
