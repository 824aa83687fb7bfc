"""Bins over several quantities at once, with means, medians and resampled weights in each.

Intervals come from a Poisson bootstrap over runs (psi.ideal.resampling): in each resample a run
counts Poisson(1) times in all the bins that it visits, however many of its epochs fall into one.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from psi.ideal.resampling import TAILS, poisson_counts

RESAMPLES = 100


class Grid(NamedTuple):
    """A box of bins, one axis a quantity."""

    names: tuple[str, ...]
    edges: tuple[Float[np.ndarray, " edge"], ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Bins along each axis."""
        return tuple(len(e) - 1 for e in self.edges)

    @property
    def size(self) -> int:
        """Bins in all."""
        return int(np.prod(self.shape))

    def bins(self, *points: Float[np.ndarray, " point"]) -> Int[np.ndarray, " point"]:
        """The number of each point's bin; −1 outside the box. Lower edges belong to a bin."""
        index = [np.searchsorted(e, x, side="right") - 1 for e, x in zip(self.edges, points)]  # noqa: B905
        inside = [(k >= 0) & (k < n) for k, n in zip(index, self.shape, strict=True)]
        clipped = [np.clip(k, 0, n - 1) for k, n in zip(index, self.shape, strict=True)]
        return np.where(np.all(inside, axis=0), np.ravel_multi_index(clipped, self.shape), -1)

    def table(self) -> pd.DataFrame:
        """One row a bin: NAME_low and NAME_high of each axis."""
        columns = {}
        index = np.unravel_index(np.arange(self.size), self.shape)
        for name, edges, k in zip(self.names, self.edges, index, strict=True):
            columns |= {f"{name}_low": edges[k], f"{name}_high": edges[k + 1]}
        return pd.DataFrame(columns)


class Binned(NamedTuple):
    """Points sorted by bin, and by value within it."""

    bin: Int[np.ndarray, " point"]
    value: Float[np.ndarray, " point"]
    run: Int[np.ndarray, " point"]
    order: Int[np.ndarray, " point"]
    """Position of each point before it was sorted."""
    box: int
    """Number of bins, empty ones included."""


def binned(
    bin: Int[np.ndarray, " point"],
    value: Float[np.ndarray, " point"],
    run: Int[np.ndarray, " point"],
    box: int,
) -> Binned:
    """Points of a box of `box` bins, sorted by bin and value; those outside it (−1) left out."""
    order = np.lexsort((value, bin))
    order = order[bin[order] >= 0]
    return Binned(bin[order], value[order], run[order], order, box)


def runs_in(points: Binned) -> Int[np.ndarray, " bin"]:
    """Distinct runs that visited each bin."""
    pairs = np.unique(np.stack([points.bin, points.run]), axis=1)[0]
    return np.bincount(pairs, minlength=points.box)


def weights(points: Binned, resamples: int = RESAMPLES) -> Iterator[Float[np.ndarray, " point"]]:
    """The original sample, then `resamples` Poisson bootstrap weights, drawn per run."""
    yield np.ones(len(points.run))
    runs = int(points.run.max(initial=-1)) + 1
    for counts in poisson_counts(runs, resamples, np.random.default_rng(0)):
        yield counts[points.run]


def means(
    points: Binned, weight: Float[np.ndarray, " point"], value: Float[np.ndarray, " point"]
) -> Float[np.ndarray, " bin"]:
    """Weighted mean of a value in each bin; NaN in an empty bin."""
    total = np.bincount(points.bin, weight, points.box)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.bincount(points.bin, weight * value, points.box) / total


def medians(points: Binned, weight: Float[np.ndarray, " point"]) -> Float[np.ndarray, " bin"]:
    """Weighted (lower) median of the points' own value in each bin; NaN in an empty bin."""
    total = np.bincount(points.bin, weight, points.box)
    running = np.cumsum(weight)
    before = np.concatenate([[0.0], np.cumsum(total)[:-1]])
    at = np.searchsorted(running, before + total / 2)
    found = points.value[np.minimum(at, len(points.value) - 1)]
    return np.where(total > 0, found, np.nan)


def intervals(
    samples: Sequence[Float[np.ndarray, " bin"]],
) -> tuple[Float[np.ndarray, " bin"], Float[np.ndarray, " bin"], Float[np.ndarray, " bin"]]:
    """(standard error, 2.5 % point, 97.5 % point) over resamples; NaN in a bin without a value."""
    table = np.stack(samples)
    empty = np.isnan(table).all(0)
    table = np.where(empty, 0.0, table)
    missing = np.where(empty, np.nan, 0.0)
    with np.errstate(invalid="ignore"):  # the log of a mean of 0 is infinite
        low, high = np.nanquantile(table, TAILS, axis=0)
        return np.nanstd(table, axis=0) + missing, low + missing, high + missing
