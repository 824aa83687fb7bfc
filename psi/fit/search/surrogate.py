"""Intervals over tasks for what a search found, without searching anew for every resample.

Laws scattered around the end of a search are trained on all tasks; for every resample of tasks a
parabola is fitted to their mean regret and its lowest point is the resample's answer. (A response
surface of second order, Box & Wilson 1951.)
"""

import numpy as np
from jaxtyping import Float

from psi.ideal.resampling import bootstrap, percentiles

RESAMPLES = 400


def scattered(
    centre: Float[np.ndarray, " dim"], count: int, spread: float
) -> Float[np.ndarray, "lane dim"]:
    """Laws scattered around one, normally, in pairs on opposite sides of it."""
    half = np.random.default_rng(0).normal(size=(-(-count // 2), len(centre)))
    return centre + spread * np.concatenate([half, -half])[:count]


def task_intervals(
    regrets: Float[np.ndarray, "task lane"], lanes: Float[np.ndarray, "lane dim"]
) -> tuple[Float[np.ndarray, " dim"], Float[np.ndarray, " dim"]]:
    """95 % interval of the best law over resamples of tasks, within what was tried.

    Where a resample's parabola opens downwards its answer is the best law that was tried.
    """
    centre, scale = lanes.mean(0), lanes.std(0)
    z = (lanes - centre) / scale
    picks = bootstrap(len(regrets), RESAMPLES, np.random.default_rng(0))
    lowest = np.array([_lowest(z, regrets[pick].mean(0)) for pick in picks])
    low, high = percentiles(lowest)
    return centre + scale * low, centre + scale * high


def _lowest(z: Float[np.ndarray, "lane dim"], regret: Float[np.ndarray, " lane"]) -> np.ndarray:
    rows, columns = np.triu_indices(z.shape[1])
    design = np.c_[np.ones(len(z)), z, z[:, rows] * z[:, columns]]
    # Laws beyond a cliff would bend the parabola at its bottom.
    near = regret <= np.quantile(regret, 0.75)
    found = np.linalg.lstsq(design[near], regret[near], rcond=None)[0]
    gradient, curvature = found[1 : 1 + z.shape[1]], np.zeros((z.shape[1],) * 2)
    curvature[rows, columns] = found[1 + z.shape[1] :]
    curvature = curvature + curvature.T
    if np.linalg.eigvalsh(curvature)[0] <= 0:
        return z[regret.argmin()]
    return np.clip(-np.linalg.solve(curvature, gradient), z.min(0), z.max(0))
