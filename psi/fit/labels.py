"""What a fit sees: relative features, log of the ideal rate, weights."""

from collections.abc import Callable
from importlib.metadata import version
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from psi.law.law import Law, Provenance, Range, Score

FEATURES = ("loss_ratio", "progress")
BLOWN_UP = 2.0  # times ε_0
NOISE = 0.3  # nats: tasks differ by this much at the same features, however sure each label is


class Labels(NamedTuple):
    """Points to fit, one a cell."""

    loss_ratio: Float[np.ndarray, " cell"]
    """ε/ε_0"""
    progress: Float[np.ndarray, " cell"]
    """i/T"""
    log_rate: Float[np.ndarray, " cell"]
    """log α of the ideal rate"""
    weight: Float[np.ndarray, " cell"]
    """1 / (variance of the label + NOISE²), mean 1"""
    domain: np.ndarray
    """Name of each point's domain, what is left out whole when it is held out."""
    task: np.ndarray
    initial_loss: Float[np.ndarray, " cell"]

    def take(self, index: np.ndarray) -> "Labels":
        """The points at `index` (a mask or positions)."""
        return Labels(*(values[index] for values in self))


def labels(ideal: pd.DataFrame, least: int = 10) -> Labels:
    """The cells of an ideal-rate table whose argmax means something.

    Left out: flat ones, those whose best rate is at an edge, and those whose network has blown up
    (ε > 2 ε_0), which no law is meant for. Raises ValueError where fewer than `least` are left.
    """
    kept = ideal[~ideal.flat & ~ideal.edge & (ideal.loss <= BLOWN_UP * ideal.initial_loss)]
    if len(kept) < least:
        raise ValueError(
            f"a fit needs >= {least} usable cells (interior, not flat, ε <= {BLOWN_UP:g} ε_0), "
            f"got {len(kept)} of {len(ideal)}"
        )
    weight = 1 / (kept.log_lr_error.to_numpy() ** 2 + NOISE**2)
    return Labels(
        loss_ratio=(kept.loss / kept.initial_loss).to_numpy(),
        progress=(kept.epoch / kept.horizon).to_numpy(dtype=float),
        log_rate=np.log(kept.lr.to_numpy()),
        weight=weight / weight.mean(),
        domain=kept.domain.to_numpy(dtype=object),
        task=kept.task.to_numpy(dtype=object),
        initial_loss=kept.initial_loss.to_numpy(),
    )


def domain(points: Labels) -> tuple[Range, Range]:
    """The ranges of ε/ε_0 and i/T seen."""
    ratio, progress = points.loss_ratio, points.progress
    return (
        Range(float(ratio.min()), float(ratio.max())),
        Range(float(progress.min()), float(progress.max())),
    )


def rates(points: Labels) -> Range:
    """The range of ideal rates seen."""
    return Range(float(np.exp(points.log_rate.min())), float(np.exp(points.log_rate.max())))


def label_error(law: Law, points: Labels) -> float:
    """Weighted mean of |log Ψ − log α|, in nats."""
    predicted = np.log(law(np.stack([points.loss_ratio, points.progress])))
    return float(np.average(np.abs(predicted - points.log_rate), weights=points.weight))


def left_out_scores(fit: Callable[[Labels], Law], points: Labels) -> tuple[Score, ...]:
    """The label error on each domain of a fit to all the others."""
    scores = []
    for name in np.unique(points.domain):
        out = points.domain == name
        if not out.all():
            error = label_error(fit(points.take(~out)), points.take(out))
            scores.append(Score(f"label error on {name}, left out", error))
    return tuple(scores)


def provenance(data_hash: str, config_hash: str, packages: tuple[str, ...]) -> Provenance:
    """Hashes of the data and of their config, versions of the packages that made the law."""
    return Provenance(data_hash, config_hash, tuple(f"{p}=={version(p)}" for p in packages))
