"""The ideal rate: the argmax over α of the response surface in one cell.

The argmax over log α is the peak of a cubic spline through the candidates, near the best of
them; its interval comes from the same on bootstrap resamples of the seeds. (On a noisy quadratic
whose ideal rate is known, with rates a factor of two apart, a parabola through three candidates
found 0.79 to 1.0 of it, the spline 0.79 to 1.06 and mostly within 0.07 of 1.)

A cell is flagged `edge` where the best candidate is the lowest or the highest tried, and `flat`
where the rate hardly matters: the returns of all candidates lie within 0.05 nats. It is `sure`
where it is neither.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.interpolate import CubicSpline

FLAT = 0.05  # nats
FINE = 64  # points of the spline between two candidates


def ideal_rates(surface: pd.DataFrame) -> pd.DataFrame:
    """One row per cell of a surface: the state (task, …, epoch, loss) and its ideal rate.

    Columns beside the state's: lr (the ideal rate), lr_low and lr_high (95 % bootstrap interval),
    log_lr_error (bootstrap standard error of log α, nats), gain (return over that of the worst
    candidate, nats), edge, flat, sure.
    """
    groups = surface.groupby(["task", "cell"], observed=True, sort=False)
    return pd.DataFrame([_cell(group.sort_values("lr")) for _, group in groups])


def peak(
    x: Float[np.ndarray, " rate"], y: Float[np.ndarray, "*resample rate"]
) -> Float[np.ndarray, "*resample"]:
    """The x of the maximum of the cubic spline through (x, y).

    No further than the neighbours of the best x; where that is the first or the last, itself.
    """
    spline = CubicSpline(x, y, axis=-1)
    fine = np.linspace(x[0], x[-1], FINE * (len(x) - 1) + 1)
    best = y.argmax(-1)
    low, high = x[np.maximum(best - 1, 0)], x[np.minimum(best + 1, len(x) - 1)]
    outside = (fine < low[..., None]) | (fine > high[..., None])
    found = fine[np.where(outside, -np.inf, spline(fine)).argmax(-1)]
    return np.where((best == 0) | (best == len(x) - 1), x[best], found)


def _cell(cell: pd.DataFrame) -> dict[str, object]:
    x = np.log(cell.lr.to_numpy())
    y = cell["return"].to_numpy()
    if len(x) < 3:
        raise ValueError(f"an ideal rate needs >= 3 candidate rates in a cell, got {len(x)}")
    spread = peak(x, np.stack(cell.resampled.to_list(), axis=-1))
    low, high = np.exp(np.quantile(spread, [0.025, 0.975]))
    edge = y.argmax() in (0, len(y) - 1)
    flat = bool(y.max() - y.min() < FLAT)
    state = cell.iloc[0][["task", "domain", "cell", "epoch", "horizon", "loss", "initial_loss"]]
    return {
        **state,
        "lr": np.exp(peak(x, y)),
        "lr_low": low,
        "lr_high": high,
        "log_lr_error": spread.std(),
        "gain": y.max() - y.min(),
        "edge": edge,
        "flat": flat,
        "sure": not (edge or flat),
    }
