"""Real data sets that come with scikit-learn, each with a small network."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from sklearn import datasets
from sklearn.model_selection import train_test_split

from psi.lab.hyper import Hyper
from psi.lab.networks.table import network
from psi.lab.tasks.build import fixed_task
from psi.lab.tasks.task import Batch, Splits, Task

CLIP = 5.0  # standard deviations: digits has pixels that are blank in all but a few rows


class Real(NamedTuple):
    """A data set: how it is loaded and split, and the width and batch of its usual training."""

    load: Callable[..., Any]
    train: int  # training rows
    validation: int  # validation rows; all others are the test part
    width: int
    batch: int
    classes: int  # 0: a regression
    image: tuple[int, int] | None = None  # (height, width) where a row is an image


DATASETS: tuple[tuple[str, Real], ...] = (
    ("breast_cancer", Real(datasets.load_breast_cancer, 320, 120, 16, 32, 2)),
    ("diabetes", Real(datasets.load_diabetes, 256, 90, 16, 32, 0)),
    ("digits", Real(datasets.load_digits, 1024, 384, 32, 32, 10, (8, 8))),
    ("iris", Real(datasets.load_iris, 96, 27, 16, 16, 3)),
    ("wine", Real(datasets.load_wine, 96, 40, 16, 16, 3)),
)


def real_task(name: str, hyper: Hyper, split: int = 0) -> Task:
    """The task of one data set, inputs standardised by the training part.

    It is split by class; another number gives another split.
    """
    row = dict(DATASETS)[name]
    x, y = (np.asarray(a) for a in row.load(return_X_y=True))
    splits = _split(x.astype(np.float64), y, row, split)
    hyper = replace(hyper, network=hyper.network or "mlp")
    model = network(hyper, x.shape[1], row.classes or 1, image=row.image, width=row.width)
    return fixed_task(name, model, splits, hyper, row.classes, row.batch, domain=name)


def _split(x: np.ndarray, y: np.ndarray, row: Real, seed: int) -> Splits:
    def part(rows: np.ndarray, size: int) -> list[np.ndarray]:
        label = y[rows] if row.classes else None
        halves = train_test_split(rows, train_size=size, stratify=label, random_state=seed)
        return [np.asarray(half) for half in halves]

    train, rest = part(np.arange(len(y)), row.train)
    validation, test = part(rest, row.validation)
    mean, deviation = x[train].mean(0), x[train].std(0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    if row.classes:
        y = y.astype(np.int32)
    else:
        y = ((y - y[train].mean()) / y[train].std()).astype(np.float32)

    def batch(rows: np.ndarray) -> Batch:
        standard = np.clip((x[rows] - mean) / deviation, -CLIP, CLIP)
        return Batch(jnp.asarray(standard, jnp.float32), jnp.asarray(y[rows]))

    return Splits(batch(train), batch(validation), batch(test))
