"""A range test with Keras: the rate trains the network, which is left as it was."""

import os

import numpy as np
import pytest

import psi
from tests.advice.digits import digits, trains_well

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("torch")
keras = pytest.importorskip("keras")

from psi.advice.range_keras import range_steps  # noqa: E402


def test_keras_trains_at_the_rate_and_is_left_as_it_was() -> None:
    keras.utils.set_random_seed(0)
    x, y = digits()
    layers = keras.layers
    model = keras.Sequential(
        [layers.Input((64,)), layers.Dense(512, activation="relu"), layers.Dense(10)]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss=loss)
    before = [variable.value.tolist() for variable in model.variables]
    trains_well(psi.suggest_lr(range_steps(model, x, y, batch_size=128)))
    assert [variable.value.tolist() for variable in model.variables] == before
    assert float(model.optimizer.learning_rate) == pytest.approx(0.1)


@pytest.mark.parametrize("size", [0, 5])
def test_a_batch_of_more_than_the_rows_is_refused(size: int) -> None:
    x = np.ones((4, 2))
    with pytest.raises(ValueError, match=f"batch_size must be 1 to 4, the rows of x, got {size}"):
        range_steps(None, x, x, size)
