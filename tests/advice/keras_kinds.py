"""Range tests of Keras models with every kind of input, on the backend that is set.

`python -m tests.advice.keras_kinds NAME …` prints, as JSON, what is wrong with each kind, all
without a name; None is right.
"""

import json
import random
import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from psi.advice.range_keras import range_steps

BACKEND = keras.backend.backend()
RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 4)).astype(np.float32)
Y = (X.sum(1) > 0).astype(np.int32)
FRAME = pd.DataFrame(X, columns=list("abcd"))
layers = keras.layers

Kind = Callable[[], tuple[Any, tuple[Any, ...], dict[str, Any]]]
"""() → model, what `range_steps` and `fit` are given, by position and by name"""


def compiled(model: Any, optimizer: Any = "sgd", loss: Any = None, **settings: Any) -> Any:
    loss = loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=optimizer, loss=loss, **settings)
    return model


def dense(*inner: Any, **settings: Any) -> Any:
    model = keras.Sequential([keras.Input((4,)), *inner, layers.Dense(2)])
    return compiled(model, **settings)


def several(outputs: int = 1) -> Any:
    inputs = {name: keras.Input((2,), name=name) for name in ("one", "two")}
    h = layers.Concatenate()(list(inputs.values()))
    heads = [layers.Dense(2, name=f"head{k}")(h) for k in range(outputs)]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model = keras.Model(inputs, heads[0] if outputs == 1 else heads)
    return compiled(model, loss=loss if outputs == 1 else [loss] * outputs)


def listed() -> Any:
    inputs = [keras.Input((2,)), keras.Input((2,))]
    return compiled(keras.Model(inputs, layers.Dense(2)(layers.Concatenate()(inputs))))


def columns() -> Any:
    """A model of columns by name, as tables are fed."""
    inputs = {name: keras.Input((1,), name=name) for name in "abcd"}
    h = layers.Concatenate()(list(inputs.values()))
    return compiled(keras.Model(inputs, layers.Dense(2)(h)))


class Own(keras.Model):
    """Built when it sees its first rows."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(2)

    def call(self, x: Any) -> Any:
        return self.dense(x)


class Noise(layers.Layer):
    """Draws from Keras's own global generator, which a compiled step of JAX refuses."""

    def call(self, x: Any) -> Any:
        return x + keras.random.normal(keras.ops.shape(x))


class Pieces(keras.utils.PyDataset):
    """Minibatches by number."""

    def __len__(self) -> int:
        return 5

    def __getitem__(self, k: int) -> Any:
        return X[8 * k : 8 * k + 8], Y[8 * k : 8 * k + 8]


def generated(endless: bool = True, buffer: bool = False) -> Iterator[Any]:
    x, y, k = X[:8].copy(), Y[:8].copy(), 0
    while endless or k < 200:
        rows = np.arange(8 * k, 8 * k + 8) % 40
        if buffer:
            x[:], y[:] = X[rows], Y[rows]
        yield (x, y) if buffer else (X[rows], Y[rows])
        k += 1


def loader() -> Any:
    import torch

    rows = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))
    return torch.utils.data.DataLoader(rows, batch_size=8, shuffle=True)


def tensors() -> Any:
    return keras.ops.convert_to_tensor(X), keras.ops.convert_to_tensor(Y)


HALVES = {"one": X[:, :2], "two": X[:, 2:]}
WEIGHTS = np.linspace(0.5, 1.5, 40)
KINDS: dict[str, Kind] = {
    "arrays": lambda: (dense(), (X, Y), {}),
    "float64": lambda: (dense(), (X.astype(float), Y.astype(np.int64)), {}),
    "tensors": lambda: (dense(), tensors(), {}),
    "DataFrame and array": lambda: (dense(), (FRAME, Y), {}),
    "DataFrame and Series": lambda: (dense(), (FRAME, pd.Series(Y)), {}),
    "an index that does not begin at 0": lambda: (
        dense(), (FRAME.set_index(np.arange(40) + 7), pd.Series(Y, index=np.arange(40) + 7)), {},
    ),
    "dictionary": lambda: (several(), (HALVES, Y), {}),
    "dictionary of DataFrames": lambda: (
        several(), ({k: pd.DataFrame(v) for k, v in HALVES.items()}, Y), {},
    ),
    "columns by name": lambda: (columns(), ({k: FRAME[k].to_numpy() for k in "abcd"}, Y), {}),
    "columns by name, Series": lambda: (columns(), ({k: FRAME[k] for k in "abcd"}, Y), {}),
    "several inputs": lambda: (listed(), (list(HALVES.values()), Y), {}),
    "several outputs": lambda: (several(2), (HALVES, [Y, 1 - Y]), {}),
    "sample weights": lambda: (dense(), (X, Y), {"sample_weight": WEIGHTS}),
    "class weights": lambda: (dense(), (X, Y), {"class_weight": {0: 1.0, 1: 3.0}}),
    "rows that do not divide": lambda: (dense(), (X[:37], Y[:37]), {}),
    "generator": lambda: (dense(), (generated(False),), {"steps_per_epoch": 5}),
    "endless generator": lambda: (dense(), (generated(),), {"steps_per_epoch": 5}),
    "generator with one buffer": lambda: (
        dense(), (generated(buffer=True),), {"steps_per_epoch": 5},
    ),
    "PyDataset": lambda: (dense(), (Pieces(),), {}),
    "PyDataset with workers": lambda: (dense(), (Pieces(workers=2),), {}),
    "DataLoader": lambda: (dense(), (loader(),), {}),
    "not built": lambda: (compiled(keras.Sequential([layers.Dense(2)])), (X, Y), {}),
    "a class, not built": lambda: (compiled(Own()), (FRAME, Y), {}),
    "BatchNormalization": lambda: (dense(layers.BatchNormalization()), (X, Y), {}),
    "Dropout": lambda: (dense(layers.Dropout(0.5)), (X, Y), {}),
    "recurrent": lambda: (dense(layers.Reshape((4, 1)), layers.LSTM(3)), (X, Y), {}),
    "Adam, gradients clipped": lambda: (
        dense(optimizer=keras.optimizers.Adam(0.01, clipnorm=1.0)), (X, Y), {},
    ),
    "momentum, weights averaged": lambda: (
        dense(optimizer=keras.optimizers.SGD(0.01, momentum=0.9, use_ema=True)), (X, Y), {},
    ),
    "scaled loss": lambda: (
        dense(optimizer=keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.01))),
        (X, Y), {},
    ),
    "metrics": lambda: (dense(metrics=["accuracy"]), (X, Y), {}),
    "step by step": lambda: (dense(run_eagerly=True), (X, Y), {}),
}  # fmt: skip
if BACKEND == "torch":
    KINDS["Keras's global generator"] = lambda: (dense(Noise()), (X, Y), {})
else:
    KINDS["several steps at once"] = lambda: (dense(steps_per_execution=3), (X, Y), {})


def state(model: Any) -> Any:
    """All numbers that a training changes, and the global random states."""
    import torch

    variables = [*model.variables, *model.optimizer.variables]
    values = [each.value.tolist() for each in variables]
    gradients = [str(getattr(each.value, "grad", None)) for each in model.variables]
    legacy = str(np.random.get_state())  # noqa: NPY002
    return values, gradients, random.getstate(), legacy, torch.get_rng_state().tolist()


def wrong_with(name: str) -> str | None:
    """What is not as it should be with a kind of model and input; None: nothing."""
    model, data, settings = KINDS[name]()
    steps = settings.pop("steps_per_epoch", None)
    if model.built and data[0] is X:  # what is there before: gradients, momenta, metrics
        model.train_on_batch(X[:8], Y[:8])
    batch = {"batch_size": 8} if len(data) == 2 else {}
    begin = range_steps(model, *data, **batch, **settings)
    before = state(model)
    runs = []
    for seed in (3, 3, 4):
        step = begin(seed)
        runs.append([step(rate) for rate in (0.01, 0.02, 0.04)])
    if not np.isfinite(runs).all() or runs[0] != runs[1] or runs[0] == runs[2]:
        return f"losses {runs}"
    changed = state(model)
    if changed[0] == before[0] or changed[2:] != before[2:]:
        return "weights that are not trained, or a random state that is"
    begin(0)
    if state(model) != before:
        return "something left behind"
    shuffle = len(data) == 2  # for what yields minibatches, `fit` warns that it does not
    model.fit(*data, epochs=1, verbose=0, shuffle=shuffle, steps_per_epoch=steps, **settings)
    return None


def case() -> None:
    """The case keras_jax_range_test: a rate, and `fit` afterwards."""
    path = Path(__file__).parents[1] / "cases/keras_jax_range_test/case.py"
    runpy.run_path(str(path))


if __name__ == "__main__":
    found: dict[str, str | None] = {}
    for name in sys.argv[1:] or [*KINDS, "case"]:
        try:
            found[name] = case() if name == "case" else wrong_with(name)
        except Exception as error:  # a test shows it
            found[name] = f"{type(error).__name__}: {error}"
    print(json.dumps(found))
