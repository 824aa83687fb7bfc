"""Real data sets that scikit-learn carries, with a small network each."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from sklearn import datasets
from sklearn.model_selection import train_test_split

from psi.lab.networks import mlp_from_rows
from psi.lab.streams import chance_loss
from psi.lab.task import Batch, Facts, Splits, Task

CLIP = 5.0  # standard deviations: digits has pixels that are blank in all but a few rows


class Real(NamedTuple):
    """How a data set is split and which network learns it."""

    load: Callable[..., Any]
    train: int
    validation: int
    hidden: int
    batch: int


DATASETS: tuple[tuple[str, Real], ...] = (
    ("breast_cancer", Real(datasets.load_breast_cancer, 320, 120, 16, 32)),
    ("digits", Real(datasets.load_digits, 1024, 384, 32, 32)),
    ("wine", Real(datasets.load_wine, 96, 40, 16, 16)),
)


def real_task(name: str, epochs: int, optimizer: str) -> Task:
    """The task of one data set: stratified split, inputs standardised on the training part."""
    row = dict(DATASETS)[name]
    x, y = row.load(return_X_y=True)
    splits = _split(np.asarray(x, np.float64), np.asarray(y, np.int32), row)
    inputs, classes = x.shape[1], int(y.max()) + 1
    widths = (inputs, row.hidden, classes)
    steps = row.train // row.batch
    facts = Facts(
        domain=name,
        rows=row.train,
        inputs=inputs,
        classes=classes,
        parameters=inputs * row.hidden + row.hidden + row.hidden * classes + classes,
        batch=row.batch,
        steps=steps,
        epochs=epochs,
        optimizer=optimizer,
        chance_loss=chance_loss(np.asarray(splits.train.y), np.asarray(splits.validation.y)),
        floor=0.0,
        stream=False,
    )
    functions = mlp_from_rows(widths, steps, row.batch)
    return Task(name, functions, splits.train, splits, facts)


def _split(x: np.ndarray, y: np.ndarray, row: Real) -> Splits:
    def part(rows: np.ndarray, size: int) -> list[np.ndarray]:
        halves = train_test_split(rows, train_size=size, stratify=y[rows], random_state=0)
        return [np.asarray(half) for half in halves]

    train, rest = part(np.arange(len(y)), row.train)
    validation, test = part(rest, row.validation)
    mean, deviation = x[train].mean(0), x[train].std(0)
    deviation = np.where(deviation > 0, deviation, 1.0)

    def batch(rows: np.ndarray) -> Batch:
        standard = np.clip((x[rows] - mean) / deviation, -CLIP, CLIP)
        return Batch(jnp.asarray(standard, jnp.float32), jnp.asarray(y[rows]))

    return Splits(batch(train), batch(validation), batch(test))
