"""What least squares fit a formula to: features, the rate that was ideal there, how sure it is.

Unlike the cells of a data set (`psi.fit.cells`) points hold nothing but the ideal rate, of any
features: raw (ε, i), relative (ε/ε_0, i/T), or those of a problem whose ideal rate is known.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from psi.ideal.rate import cell_weights
from psi.law.features import Observation, values

OBSERVED = ("loss", "epoch", "initial_loss", "epochs", "parameters")
"""Columns of a table of ideal rates that features are made of."""


class Points(NamedTuple):
    """Points of (features, ideal rate). Make them with `points`, which checks them."""

    names: tuple[str, ...]
    """Of the features, in order."""
    values: Float[np.ndarray, "feature point"]
    log_rate: Float[np.ndarray, " point"]
    """log α"""
    weight: Float[np.ndarray, " point"]
    """1 / variance of log α, up to a common factor; >= 0."""
    task: np.ndarray
    """Name of each point's task: what is resampled and what is held out, whole. shape=(point,)"""

    def take(self, index: np.ndarray) -> "Points":
        """The points at `index` (a mask or positions)."""
        return Points(
            self.names,
            self.values[:, index],
            *(column[index] for column in (self.log_rate, self.weight, self.task)),
        )


def points(
    names: Sequence[str],
    values: Float[np.ndarray, "feature point"],
    rate: Float[np.ndarray, " point"],
    weight: Float[np.ndarray, " point"] | None = None,
    task: np.ndarray | None = None,
) -> Points:
    """Checked points; those whose rate, weight or feature is not a finite number are left out.

    Without weights all count alike, without tasks all are of one. Raises ValueError, which names
    the column, where no rate is a finite positive number, a feature is never finite or has one
    distinct value alone, or a weight is negative.
    """
    weight = np.ones(len(rate)) if weight is None else np.asarray(weight, float)
    task = np.full(len(rate), "", object) if task is None else np.asarray(task, object)
    values, rate = np.asarray(values, float), np.asarray(rate, float)
    if values.shape != (len(names), len(rate)) or not len(weight) == len(task) == len(rate):
        raise ValueError(
            f"{len(names)} features of {len(rate)} rates must have shape "
            f"({len(names)}, {len(rate)}), got {values.shape}"
        )
    if (weight < 0).any():
        raise ValueError(f"column weight must be >= 0, got {weight.min():g}")
    good = _good("the ideal rate", rate > 0, rate) & np.isfinite(weight)
    for name, column in zip(names, values, strict=True):
        good &= _good(name, True, column)
    for name, column in zip(names, values, strict=True):
        if len(np.unique(column[good])) < 2:
            raise ValueError(f"column {name} has fewer than two distinct values: nothing to fit")
    if not (weight[good] > 0).any():
        raise ValueError("column weight is zero throughout: no point counts")
    return Points(tuple(names), values[:, good], np.log(rate[good]), weight[good], task[good])


def _good(name: str, allowed: np.ndarray | bool, column: np.ndarray) -> np.ndarray:
    good = np.isfinite(column) & allowed
    if not good.any():
        raise ValueError(f"column {name} holds no usable number in {len(column)} rows")
    return good


def points_of(ideal: pd.DataFrame, features: Sequence[str], scaled: bool = False) -> Points:
    """The sure cells of a table of ideal rates.

    With `scaled` the rate is α/α_0, α_0 the column `scale`. Raises ValueError as `points` does.
    """
    rate = ideal.lr / ideal["scale"] if scaled else ideal.lr
    return points(
        tuple(features),
        feature_values(features, *(ideal[name].to_numpy(float) for name in OBSERVED)),
        rate.to_numpy(float),
        cell_weights(ideal),
        ideal.task.to_numpy(object),
    )


def feature_values(
    names: Sequence[str],
    loss: Float[np.ndarray, " point"],
    epoch: Float[np.ndarray, " point"],
    initial_loss: Float[np.ndarray, " point"],
    epochs: Float[np.ndarray, " point"],
    parameters: Float[np.ndarray, " point"],
) -> Float[np.ndarray, "feature point"]:
    """Features by name, in that order; those that need more than these columns are NaN."""
    best, unknown = np.minimum(loss, initial_loss), np.full_like(loss, np.nan)
    norms = (unknown, unknown, unknown)
    observed = Observation(epoch, epochs, loss, initial_loss, best, *norms, parameters)
    return values(tuple(names), observed, np)
