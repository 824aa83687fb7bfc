"""Identifiability: whether a data set can separate the effect of the loss from that of the epoch.

Along any one good schedule one follows from the other (1/ε_t = 1/ε_0 + t/c on a noisy quadratic),
and a fit Ψ(ε, i) is then no more than a fit Ψ(i). Two numbers show it. The condition number of
the two features, as ranks (any monotone relation counts), is √((1 + |ρ|)/(1 − |ρ|)): 1 where they
are unrelated, infinite where one follows from the other. And held-out errors: log α* of cells left
out, predicted from ε alone, i alone, and both (splines, ridge), against a constant.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.stats import spearmanr
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, SplineTransformer

from psi.ideal.rate import cell_weights

LEAST = 20  # cells
FOLDS = 5
POOR = 10.0  # condition number from which ε and i count as not told apart


class Identifiability(NamedTuple):
    """What a fit to these ideal rates can mean. Errors: root mean square of log α, nats."""

    cells: int
    condition: float
    """Condition number of ε and i; inf where one follows from the other."""
    left_out: str
    """What each fold leaves out: task or cell."""
    error_constant: float
    """Held-out error of a constant."""
    error_loss: float
    """Held-out error of Ψ(ε)."""
    error_epoch: float
    """Held-out error of Ψ(i)."""
    error_both: float
    """Held-out error of Ψ(ε, i)."""
    verdict: str


def identifiability(ideal: pd.DataFrame) -> Identifiability:
    """Identifiability of the sure cells of a table of ideal rates (psi.ideal.rate.ideal_rates).

    Features are relative, ε/ε_0 and i/T. Tasks are left out in turn where there are at least 5,
    else cells. Raises ValueError for fewer than 20 sure cells, or all at one loss or epoch.
    """
    sure = ideal[ideal.sure & np.isfinite(ideal.loss) & (ideal.loss > 0)]
    if len(sure) < LEAST:
        raise ValueError(
            f"telling ε and i apart needs >= {LEAST} sure cells, got {len(sure)} of {len(ideal)}"
        )
    loss = np.log((sure.loss / sure.initial_loss).to_numpy(float))
    epoch = (sure.epoch / sure.epochs).to_numpy(float)
    for name, values in (("loss", loss), ("epoch", epoch)):
        if np.ptp(values) == 0:
            raise ValueError(f"all {len(sure)} cells are at one {name}: its effect is not seen")
    rho = abs(float(spearmanr(loss, epoch)[0]))  # pyright: ignore
    condition = float(np.sqrt((1 + rho) / (1 - rho))) if rho < 1 - 1e-9 else float("inf")
    target = np.log(sure.lr.to_numpy(float))
    weight = cell_weights(sure)
    by_task = sure.task.nunique() >= FOLDS
    group = sure.task.astype(str).to_numpy() if by_task else np.arange(len(sure))
    none = np.empty((len(sure), 0))
    errors = [
        _held_out(np.column_stack([none, *columns]), target, weight, group)
        for columns in ((), (loss,), (epoch,), (loss, epoch))
    ]
    left_out = "task" if by_task else "cell"
    verdict = _verdict(condition, errors)
    return Identifiability(len(sure), condition, left_out, *errors, verdict=verdict)


def _held_out(
    x: Float[np.ndarray, "cell feature"],
    y: Float[np.ndarray, " cell"],
    weight: Float[np.ndarray, " cell"],
    group: np.ndarray,
) -> float:
    squares = np.empty(len(y))
    for seen, unseen in GroupKFold(FOLDS).split(x, y, group):
        if x.shape[1] == 0:
            predicted = np.average(y[seen], weights=weight[seen])
        else:
            # Constant beyond what was seen: a held-out task may go further.
            splines = SplineTransformer(4, 3, knots="quantile", extrapolation="constant")
            products = PolynomialFeatures(2, interaction_only=True, include_bias=False)
            model = make_pipeline(splines, products, RidgeCV(np.geomspace(1e-3, 1e3, 13)))
            model.fit(x[seen], y[seen], ridgecv__sample_weight=weight[seen])
            predicted = model.predict(x[unseen])
        squares[unseen] = (predicted - y[unseen]) ** 2
    return float(np.sqrt(np.average(squares, weights=weight)))


def _verdict(condition: float, errors: list[float]) -> str:
    if condition >= POOR:
        return (
            f"ε and i are not told apart (condition number {condition:.3g}): "
            "states off the good trajectories are needed"
        )
    separated = f"ε and i are told apart (condition number {condition:.3g})"
    best = ("neither", "the loss", "the epoch", "both")[errors.index(min(errors))]
    return f"{separated}; what is left out is predicted best from {best}"
