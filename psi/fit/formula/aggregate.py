"""Very many points reduced to few: means over small boxes of each task's features.

Within a box log Ψ is nearly linear in its features (log ε, i), so that the weighted mean of log α
belongs to the weighted mean of the features, with the sum of the weights. Only starts and resamples
use it: a fit to very many points ends with all of them.
"""

import numpy as np

from psi.fit.formula.points import Points
from psi.ideal.resampling import numbered

MANY = 20_000  # points
BOXES = 32  # along each feature


def aggregated(points: Points) -> Points:
    """The points themselves where they are at most MANY, else weighted means over boxes."""
    if len(points.task) <= MANY:
        return points
    task = numbered(points.task)
    shares = np.linspace(0, 1, BOXES + 1)[1:-1]  # boxes of equal counts
    columns = [np.searchsorted(np.quantile(c, shares), c, side="right") for c in points.values]
    key = np.ravel_multi_index((task, *columns), (task.max() + 1, *[BOXES] * len(columns)))
    first, box = np.unique(key, return_index=True, return_inverse=True)[1:]
    weight = np.bincount(box, points.weight)
    some = weight > 0

    def mean(column: np.ndarray) -> np.ndarray:
        return np.bincount(box, points.weight * column)[some] / weight[some]

    values = np.stack(
        [np.exp(mean(np.log(c))) if (c > 0).all() else mean(c) for c in points.values]
    )
    names = points.task[first][some]
    return Points(points.names, values, mean(points.log_rate), weight[some], names)
