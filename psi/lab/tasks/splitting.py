"""Rows drawn into a training, a validation and a test part, by class in a classification."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Shaped
from sklearn.model_selection import train_test_split

from psi.lab.tasks.data_config import DataConfig


class Parts(NamedTuple):
    """Positions of the rows of each part."""

    train: Int[np.ndarray, " train"]
    validation: Int[np.ndarray, " validation"]
    test: Int[np.ndarray, " test"]


def split(
    where: str, labels: Shaped[np.ndarray, " rows"] | None, data: DataConfig, given: Parts
) -> Parts:
    """Fill the parts that are empty in `given` with some of its training rows.

    Each gets round(share · rows), at least one; `labels` makes the parts stratified by class.
    Raises ValueError, which begins with `where`, where a class has so few rows that a part might
    get none of it, or where no row is left for training.
    """
    rows = len(given.train)
    shares = {p: getattr(data, p) for p in ("test", "validation") if not len(getattr(given, p))}
    sizes = {part: max(1, round(share * rows)) for part, share in shares.items()}
    if sum(sizes.values()) >= rows:
        raise ValueError(f"{where}: {_said(shares)} of {rows} rows leave none for training")
    if labels is not None and shares:
        _check_classes(where, labels[given.train], shares)
    for part, size in sizes.items():
        stratify = None if labels is None else labels[given.train]
        halves = train_test_split(
            given.train, test_size=size, stratify=stratify, random_state=data.split_seed
        )
        train, taken = (np.asarray(half) for half in halves)
        given = given._replace(**{"train": train, part: taken})
    return given


def _check_classes(where: str, labels: np.ndarray, shares: dict[str, float]) -> None:
    least = math.ceil(1 / min(*shares.values(), 1 - sum(shares.values())) - 1e-9)
    classes, counts = np.unique(labels, return_counts=True)
    if counts.min() < least:
        raise ValueError(
            f"{where}: class {classes[counts.argmin()]} has {counts.min()} rows; with "
            f"{_said(shares)} each class needs >= {least}, so that every part gets one"
        )


def _said(shares: dict[str, float]) -> str:
    return " and ".join(f"{part} {share:g}" for part, share in shares.items())
