"""The error of a law as that of its scale and that of its shape.

With residuals r = log Ψ − log α of weight w, m_t their mean over task t and W_t the sum of its
weights,

    scale = √(Σ_t W_t (m_t − m)² / Σ_t W_t),   m = Σ_t W_t m_t / Σ_t W_t,
    shape = √(Σ w (r − m_t)² / Σ w),           nats,

so that scale² + shape² + m² is the mean of r²: how far tasks want one factor more or less at all
points, and how far the law is off within a task when each has its own.
"""

import numpy as np
from jaxtyping import Float

from psi.fit.cells import Cells, log_rates
from psi.ideal.resampling import numbered
from psi.law.law import Law, Score


def split_error(
    residual: Float[np.ndarray, " point"], weight: Float[np.ndarray, " point"], task: np.ndarray
) -> tuple[float, float]:
    """(error of the scale, of the shape) of weighted residuals by this module's formula, nats."""
    number = numbered(task)
    total = np.bincount(number, weight)
    mean = np.bincount(number, weight * residual) / np.maximum(total, 1e-300)
    scale = np.average((mean - np.average(mean, weights=total)) ** 2, weights=total)
    shape = np.average((residual - mean[number]) ** 2, weights=weight)
    return float(np.sqrt(scale)), float(np.sqrt(shape))


def error_scores(law: Law, cells: Cells) -> tuple[Score, Score]:
    """A law's errors of scale and shape at the cells that count."""
    scale, shape = split_error(log_rates(law, cells) - cells.log_rate, cells.weight, cells.task)
    return Score("error of the scale, nats", scale), Score("error of the shape, nats", shape)
