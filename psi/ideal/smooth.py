"""A smooth response surface through the bins: a Gaussian process or boosted trees.

Both are scikit-learn's, fitted to the return of visited bins over (log ε, epoch, log α). Which one
is chosen by held-out error: the runs are halved by their seeds, each model is fitted to the bins of
one half and predicts those of the other. A prediction is given where runs have been, nowhere else.
"""

import warnings
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from psi.ideal.binned import Bins, By, Features, binned_surface
from psi.ideal.grid import Grid

MODELS = ("gaussian_process", "gradient_boosting")
LEAST = 12  # bins that a model needs
MOST = 300  # bins that a Gaussian process takes: its cost is cubic
Z = 1.96


class Choice(NamedTuple):
    """Which model, and how wrong each was on runs it had not seen."""

    model: str
    held_out_error: tuple[tuple[str, float], ...]
    """(model, root mean square of the return's error over bins, nats), by visits."""


def smooth_surface(
    records: pd.DataFrame,
    tasks: pd.DataFrame,
    surface: pd.DataFrame,
    features: Features,
    by: By,
    bins: Bins | None = None,
) -> tuple[pd.DataFrame, dict[str, Choice]]:
    """The binned surface with three more columns, and the choice of each group.

    smooth (the model's return, nats), smooth_error (its standard error: the process's own, or the
    trees' held-out error) and model; empty where the bin was not visited. Groups with fewer than 12
    usable bins in a half are left empty. `surface` is the binned surface of these records.
    """
    axes = ("loss", "epoch", "lr")
    edges = [np.append(surface[f"{name}_low"], surface[f"{name}_high"]) for name in axes]
    grid = Grid(axes, tuple(np.unique(each) for each in edges))

    def half(part: pd.DataFrame) -> pd.DataFrame:
        try:
            return binned_surface(part, tasks, features, by, bins, grid, resamples=0)
        except ValueError:  # one trajectory only: it compares no rates
            return surface.iloc[:0]

    even = records.seed.to_numpy() % 2 == 0
    halves = [half(records[even]), half(records[~even])]
    tables, choices = [], {}
    for name, table in surface.groupby("group", sort=False):
        table = table.assign(smooth=np.nan, smooth_error=np.nan, model="")
        pair = [_usable(half, table) for half in halves]
        if all(len(half) >= LEAST for half in pair):
            choices[str(name)] = choice = _choose(pair)
            _fill(table, choice)
        tables.append(table)
    return pd.concat(tables, ignore_index=True), choices


def _usable(half: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """The bins of one group that half of the runs visited often enough.

    Their intervals are those of all runs, √2 times as wide.
    """
    own = half[half.group == table.group.iloc[0]].reset_index(drop=True)
    if own.empty:
        return own
    width = (table.return_high - table.return_low).to_numpy() / np.sqrt(2)
    own = own.assign(return_low=own["return"] - width, return_high=own["return"] + width)
    return own[own.visited & np.isfinite(own["return"]) & np.isfinite(width)]


def _choose(halves: list[pd.DataFrame]) -> Choice:
    errors = []
    for model in MODELS:
        squares, weight = 0.0, 0.0
        for seen, unseen in (halves, halves[::-1]):
            predicted = _fit(model, seen)(unseen)[0]
            square = (predicted - unseen["return"].to_numpy()) ** 2
            squares += float((square * unseen.visits).sum())
            weight += float(unseen.visits.sum())
        errors.append((model, float(np.sqrt(squares / weight))))
    return Choice(min(errors, key=lambda each: each[1])[0], tuple(errors))


def _fill(table: pd.DataFrame, choice: Choice) -> None:
    visited = table.visited.to_numpy()
    known = table[table.visited & np.isfinite(table["return"])]
    value, error = _fit(choice.model, known)(table[table.visited])
    error = dict(choice.held_out_error)[choice.model] if error is None else error
    table.loc[visited, "smooth"] = value
    table.loc[visited, "smooth_error"] = error
    table.loc[visited, "model"] = choice.model


def _fit(model: str, table: pd.DataFrame) -> Any:
    """Bins → (return, its standard error or None)."""
    y = table["return"].to_numpy()
    if model == "gradient_boosting":
        trees = HistGradientBoostingRegressor(min_samples_leaf=5, random_state=0)
        trees.fit(_points(table), y, sample_weight=table.visits.to_numpy(float))
        return lambda bins: (trees.predict(_points(bins)), None)
    # Most visited first: they are the most certain.
    table = table.sort_values("visits", ascending=False).head(MOST)
    x, y = _points(table), table["return"].to_numpy()
    centre, scale, mean = x.mean(0), x.std(0) + 1e-12, y.mean()
    noise = ((table.return_high - table.return_low).to_numpy() / (2 * Z)) ** 2 + 1e-4
    lengths: Any = np.ones(3)
    kernel = ConstantKernel(1.0) * RBF(lengths, (0.05, 50.0)) + WhiteKernel(0.01, (1e-6, 10.0))
    process = GaussianProcessRegressor(kernel, alpha=noise, random_state=0)
    with warnings.catch_warnings():
        # A length at its bound is a feature that does not matter: no news.
        warnings.simplefilter("ignore", ConvergenceWarning)
        process.fit((x - centre) / scale, y - mean)

    def predict(bins: pd.DataFrame) -> tuple[Float[np.ndarray, " bin"], Float[np.ndarray, " bin"]]:
        found: Any = process.predict((_points(bins) - centre) / scale, return_std=True)
        return found[0] + mean, found[1]

    return predict


def _points(table: pd.DataFrame) -> Float[np.ndarray, "bin feature"]:
    return np.stack([np.log(table.loss), table.epoch, np.log(table.lr)], axis=1).astype(float)
