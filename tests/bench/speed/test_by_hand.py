"""Trainings as a user writes them by hand: the same function as the lab's networks."""

import jax
import numpy as np

from psi.bench.speed.by_hand import _rows_first, _train
from psi.lab.hyper import Hyper
from psi.lab.tasks.table import make_task

WINE = make_task("wine", Hyper(epochs=3))


def test_rows_first_is_the_same_loss_as_columns_first():
    params = WINE.init(jax.random.key(0))
    rows_first = [(weights.T, bias) for weights, bias in params]
    batch = WINE.splits.train
    np.testing.assert_allclose(_rows_first(rows_first, batch), WINE.loss(params, batch), rtol=1e-5)


def test_it_trains():
    losses = jax.jit(_train(WINE))(0.3, jax.random.key(1))
    assert losses.shape == (3,)
    assert losses[-1] < losses[0]
