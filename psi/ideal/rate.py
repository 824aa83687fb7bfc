"""The ideal rate: the argmax over α of the response surface in one cell.

The argmax over log α is the vertex of a parabola through the best candidate and its neighbours;
its interval comes from the same on bootstrap resamples of the seeds. A cell is flagged `edge`
where the best candidate is the lowest or the highest tried, and `flat` where the rate hardly
matters: the returns of all candidates lie within 0.05 nats.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float

FLAT = 0.05  # nats


def ideal_rates(surface: pd.DataFrame) -> pd.DataFrame:
    """One row per cell of a surface: the state (task, …, epoch, loss) and its ideal rate.

    Columns beside the state's: lr (the ideal rate), lr_low and lr_high (95 % bootstrap interval),
    log_lr_error (bootstrap standard error of log α, nats), gain (return over that of the worst
    candidate, nats), edge, flat.
    """
    groups = surface.groupby(["task", "cell"], observed=True, sort=False)
    return pd.DataFrame([_cell(group.sort_values("lr")) for _, group in groups])


def vertex(
    x: Float[np.ndarray, " rate"], y: Float[np.ndarray, "*resample rate"]
) -> Float[np.ndarray, "*resample"]:
    """The x of the maximum of y, refined by a parabola through its neighbours, kept between them.

    At the edge, or where y has no curvature there, the best x itself.
    """
    best = y.argmax(-1)
    mid = np.clip(best, 1, len(x) - 2)
    y0, y1, y2 = (np.take_along_axis(y, (mid + k)[..., None], -1)[..., 0] for k in (-1, 0, 1))
    x0, x1, x2 = x[mid - 1], x[mid], x[mid + 1]
    left, right = (y1 - y0) / (x1 - x0), (y2 - y1) / (x2 - x1)
    bend = left - right
    with np.errstate(divide="ignore", invalid="ignore"):
        # The slope of the parabola falls linearly from `left` at the middle of [x0, x1] to
        # `right` at the middle of [x1, x2]; its zero is the vertex.
        peak = (x0 + x1) / 2 + left / bend * (x2 - x0) / 2
    interior = (best == mid) & (bend > 0)
    return np.where(interior, np.clip(peak, x0, x2), x[best])


def _cell(cell: pd.DataFrame) -> dict[str, object]:
    x = np.log(cell.lr.to_numpy())
    y = cell["return"].to_numpy()
    if len(x) < 3:
        raise ValueError(f"an ideal rate needs >= 3 candidate rates in a cell, got {len(x)}")
    spread = vertex(x, np.stack(cell.resampled.to_list(), axis=-1))
    low, high = np.exp(np.quantile(spread, [0.025, 0.975]))
    state = cell.iloc[0][["task", "domain", "cell", "epoch", "horizon", "loss", "initial_loss"]]
    return {
        **state,
        "lr": np.exp(vertex(x, y)),
        "lr_low": low,
        "lr_high": high,
        "log_lr_error": spread.std(),
        "gain": y.max() - y.min(),
        "edge": y.argmax() in (0, len(y) - 1),
        "flat": y.max() - y.min() < FLAT,
    }
