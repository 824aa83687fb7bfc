"""A range test with Keras: the rate trains the network, which is left as it was."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import psi
from tests.advice.digits import digits, trains_well

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("torch")
keras = pytest.importorskip("keras")

from psi.advice.range_keras import range_steps  # noqa: E402
from tests.advice.keras_kinds import KINDS, wrong_with  # noqa: E402


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


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")
@pytest.mark.parametrize("name", KINDS)
def test_kind_what_fit_takes_is_taken_and_all_is_left_as_it_was(name: str) -> None:
    assert wrong_with(name) is None


def on_jax(*names: str) -> dict[str, str | None]:
    command = [sys.executable, "-m", "tests.advice.keras_kinds", *names]
    there = {**os.environ, "KERAS_BACKEND": "jax"}
    done = subprocess.run(command, env=there, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_case_keras_jax_range_test() -> None:
    """JAX gives the memory of what is assigned to its next step, and so does not keep it."""
    assert on_jax("case", "Dropout") == {"case": None, "Dropout": None}


@pytest.mark.slow
def test_kind_what_fit_takes_is_taken_on_jax() -> None:
    found = on_jax()
    assert len(found) > 30
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_a_model_that_is_not_compiled_is_refused() -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="needs a compiled model"):
        range_steps(model, np.ones((4, 2)), np.ones((4, 1)), 2)


def test_a_rate_that_is_a_schedule_is_refused() -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 100)
    model.compile(optimizer=keras.optimizers.SGD(schedule), loss="mse")
    with pytest.raises(ValueError, match="must be a number and no schedule"):
        range_steps(model, np.ones((4, 2)), np.ones((4, 1)), 2)


def test_what_yields_no_minibatch_is_refused() -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse")
    with pytest.raises(ValueError, match="at least one"):
        range_steps(model, (each for each in ()))
