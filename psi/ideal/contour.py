"""Iso-rate contours: the learning rate at which the loss falls at a given rate of convergence."""

import numpy as np
import pandas as pd
from jaxtyping import Float

from psi.ideal.rate import CELL


def iso_rate(surface: pd.DataFrame, nats: float) -> Float[np.ndarray, " cell"]:
    """The smallest α of each cell whose return is `nats` above that of standing still.

    Of standing still: −log of the cell's loss ε_i above the floor. Linear in log α between
    candidates; NaN where no candidate reaches it, or the lowest does already: nothing is
    extrapolated. Where a best rate is unbounded this is what there is to know (exponential tails,
    ground truth of Zhang et al. 2025, arXiv 2504.04105).
    """
    cells = surface.groupby(list(CELL), observed=True, sort=False)
    return np.array([_of_cell(cell, nats) for _, cell in cells])


def _of_cell(cell: pd.DataFrame, nats: float) -> float:
    cell = cell.sort_values("lr")
    excess = float(cell.loss.iloc[0] - cell.floor.iloc[0])
    gain = cell["return"].to_numpy() + np.log(excess) - nats
    x = np.log(cell.lr.to_numpy())
    crossed = np.flatnonzero((gain[:-1] < 0) & (gain[1:] >= 0))
    if not crossed.size:
        return float("nan")
    k = crossed[0]
    return float(np.exp(x[k] - gain[k] * (x[k + 1] - x[k]) / (gain[k + 1] - gain[k])))
