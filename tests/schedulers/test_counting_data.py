"""`psi.Facts.of`: what models, loaders, data sets and arrays show, without drawing from them."""

import math
import os
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import psi
from psi.schedulers.counting import of_data, of_targets
from tests.schedulers.test_counting import (
    CLASSES,
    INPUTS,
    RMS,
    WEIGHTS,
    P,
    X,
    Y,
    keras_model,
    torch_model,
)

os.environ.setdefault("KERAS_BACKEND", "torch")
torch = pytest.importorskip("torch")
from torch.utils.data import (  # noqa: E402
    BatchSampler,
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    SubsetRandomSampler,
    TensorDataset,
)

ROWS = len(Y)
UNEVEN = np.repeat([0, 1, 2], [50, 30, 20])
ENTROPY = -sum(p * math.log(p) for p in (0.5, 0.3, 0.2))
TENSORS = TensorDataset(torch.tensor(X), torch.tensor(UNEVEN))


class Undrawn(Dataset):
    """Rows that nobody may look at; `targets` and more are set on it."""

    def __init__(self, **more: Any) -> None:
        vars(self).update(more)

    def __len__(self) -> int:
        return ROWS

    def __getitem__(self, row: int) -> Any:
        raise AssertionError(f"row {row} was drawn")


class Stream(IterableDataset):
    def __iter__(self) -> Any:
        raise AssertionError("the stream was begun")


class Counted(Stream):
    def __len__(self) -> int:
        return ROWS


def loader(data: Any, batch_size: int | None = 32, **more: Any) -> DataLoader:
    return DataLoader(data, batch_size=batch_size, **more)


LABEL = SimpleNamespace(num_classes=7)
REPLICAS = DistributedSampler(Undrawn(), num_replicas=2, rank=0)
PLAIN = {"rows": ROWS, "batch": 32, "steps_per_epoch": 4}
LOADERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "tensors": (loader(TENSORS), PLAIN | {"classes": 3, "chance_loss": ENTROPY}),
    "the last dropped": (loader(Undrawn(), drop_last=True), PLAIN | {"steps_per_epoch": 3}),
    "targets in a list": (loader(Undrawn(targets=UNEVEN.tolist())), PLAIN | {"classes": 3}),
    "names of classes": (loader(Undrawn(classes=["cat", "dog"])), PLAIN | {"classes": 2}),
    "features of a label": (loader(Undrawn(features={"label": LABEL})), PLAIN | {"classes": 7}),
    "a loss of its own": (loader(Undrawn(features={"text": 1})), PLAIN | {"classes": None}),
    "targets that are none": (loader(Undrawn(targets="price")), PLAIN | {"classes": None}),
    "targets to be called": (loader(Undrawn(targets=len)), PLAIN | {"classes": None}),
    "one class": (loader(Undrawn(classes=["cat"])), PLAIN | {"classes": None}),
    "classes that are a number": (loader(Undrawn(classes=9)), PLAIN | {"classes": None}),
    "a part": (
        loader(torch.utils.data.Subset(TENSORS, range(50, 100))),
        {"rows": 50, "steps_per_epoch": 2, "classes": 3, "chance_loss": 0.6730116670092565},
    ),
    "a part of a part": (
        loader(
            torch.utils.data.Subset(torch.utils.data.Subset(TENSORS, range(50, 100)), range(30))
        ),
        {"rows": 30, "steps_per_epoch": 1, "classes": 2, "chance_loss": None},
    ),
    "a sampler of a part": (
        loader(Undrawn(), sampler=SubsetRandomSampler(range(64))),
        {"rows": 64},
    ),
    "a sampler with replacement": (
        loader(Undrawn(), sampler=RandomSampler(Undrawn(), True, 500)),
        {"rows": ROWS, "steps_per_epoch": 16},
    ),
    "two processes": (
        loader(Undrawn(), sampler=REPLICAS),
        {"rows": ROWS, "batch": 64, "steps_per_epoch": 2},
    ),
    "a sampler of minibatches": (
        DataLoader(Undrawn(), batch_sampler=BatchSampler(range(ROWS), 20, False)),
        {"rows": ROWS, "batch": 20, "steps_per_epoch": 5},
    ),
    "minibatches of the data set": (
        loader(Undrawn(), None),
        {"rows": None, "batch": None, "steps_per_epoch": ROWS},
    ),
    "no length": (loader(Stream()), {"rows": None, "batch": 32, "steps_per_epoch": None}),
    "a length of its own": (loader(Counted()), PLAIN),
    "a data set alone": (TENSORS, {"rows": ROWS, "batch": None, "classes": 3}),
}


@pytest.mark.parametrize("kind", LOADERS)
def test_kind_a_loader_is_counted_and_nothing_is_drawn(kind: str) -> None:
    data, wanted = LOADERS[kind]
    facts = psi.Facts.of(torch_model(), data)
    assert {name: getattr(facts, name) for name in wanted} == pytest.approx(wanted)
    assert (facts.parameters, facts.weight_rms) == (P, pytest.approx(RMS))


HOT = np.eye(3)[UNEVEN]
TARGETS: dict[str, tuple[Any, dict[str, Any]]] = {
    "integers": (UNEVEN, {"classes": 3, "chance_loss": ENTROPY}),
    "a column of integers": (UNEVEN[:, None], {"classes": 3, "chance_loss": ENTROPY}),
    "tokens, some left out": (
        np.array([[0, 4, -100], [1, 4, -100]]),
        {"classes": 5, "chance_loss": 1.5 * math.log(2)},
    ),
    "true and false": (UNEVEN > 0, {"classes": 2, "chance_loss": math.log(2)}),
    "0.0 and 1.0": ((UNEVEN > 0) * 1.0, {"classes": 2, "chance_loss": math.log(2)}),
    "several labels": (HOT[:, :2], {"classes": 2, "chance_loss": None}),
    "one-hot": (HOT, {"classes": 3, "chance_loss": ENTROPY}),
    "numbers": (np.array([1.0, 3.0, 5.0, 7.0]), {"classes": 0, "chance_loss": 2.5}),
    "one class": (np.zeros(9, int), {"classes": 2, "chance_loss": None}),
    "one number": (np.full(9, 0.5), {"classes": 0, "chance_loss": None}),
    "gaps": (np.array([1.0, math.nan]), {}),
    "text": (["a", "b"], {}),
    "a name": ("price", {}),
    "a number": (3, {}),
    "nothing": (np.zeros(0), {}),
    "names of rows": (np.array([5, 10**12]), {}),
    "two outputs": ([np.zeros((3, 2)), np.zeros(3)], {}),
    "on a device": (torch.tensor(UNEVEN, dtype=torch.uint8), {"classes": 3}),
    "with a gradient": (torch.tensor(HOT, requires_grad=True), {"classes": 3}),
}


@pytest.mark.parametrize("kind", TARGETS)
def test_kind_targets_tell_classes_and_the_loss_of_a_constant(kind: str) -> None:
    targets, wanted = TARGETS[kind]
    found = of_targets(targets)
    assert (not found) == (not wanted)
    if kind == "several labels":  # the mean of two labels' entropies
        shares = [0.5, 0.3]
        mean = sum(-p * math.log(p) - (1 - p) * math.log(1 - p) for p in shares) / 2
        wanted = wanted | {"chance_loss": mean}
    assert {name: found[name] for name in wanted} == pytest.approx(wanted)


def test_keras_models_and_what_fit_takes() -> None:
    keras = pytest.importorskip("keras")
    model = keras_model()
    facts = psi.Facts.of(model, (X, Y))
    assert (facts.parameters, facts.weight_rms) == (P, pytest.approx(RMS))
    assert (facts.rows, facts.batch, facts.classes) == (ROWS, 32, CLASSES)
    assert psi.Facts.of(model, [X, Y, np.ones(ROWS)], batch=10).values()["steps"] == 10
    assert psi.Facts.of(model, loader(TENSORS)).steps_per_epoch == 4

    class Rows(keras.utils.PyDataset):
        def __len__(self) -> int:
            return 9

        def __getitem__(self, index: int) -> Any:
            raise AssertionError("drawn")

    facts = psi.Facts.of(model, Rows(), batch=16)
    assert (facts.rows, facts.batch, facts.steps_per_epoch) == (None, 16, 9)
    model.trainable = False
    assert psi.Facts.of(model, (X, Y)).parameters == 1


def test_a_data_set_of_tensorflow() -> None:
    """As its documentation has it: unknown and infinite lengths are −2 and −1."""

    def dataset(length: int, rows: int | None) -> Any:
        spec = (SimpleNamespace(shape=(rows, 3)), SimpleNamespace(shape=(rows,)))
        return SimpleNamespace(cardinality=lambda: np.int64(length), element_spec=spec)

    assert of_data(dataset(12, 32)) == {"steps_per_epoch": 12, "batch": 32}
    assert of_data(dataset(-2, None)) == {"steps_per_epoch": None, "batch": None}


def test_optimizers_pytrees_and_frozen_weights() -> None:
    model = torch_model()
    optimizer = torch.optim.SGD([{"params": [model.weight]}], lr=1.0)
    assert psi.Facts.of(optimizer).parameters == INPUTS * CLASSES
    model.weight.requires_grad_(False)
    assert psi.Facts.of(model).parameters == CLASSES
    model.bias.requires_grad_(False)
    with pytest.raises(ValueError, match="must have parameters that require a gradient"):
        psi.Facts.of(model)
    facts = psi.Facts.of({"w": WEIGHTS[0], "b": WEIGHTS[1]}, (X, Y), batch=25, stream=True)
    assert facts == psi.Facts(None, 25, None, CLASSES, facts.chance_loss, facts.weight_rms, True, P)
    assert psi.Facts.of({"w": np.zeros(3, np.float32)}).weight_rms is None
    assert psi.Facts.of(torch.nn.Linear(3, 2, device="meta")).weight_rms is None


@pytest.mark.parametrize(
    ("model", "data", "known", "reason"),
    [
        ("a model", None, {}, "the model must be a pytree of arrays, got 'a model'"),
        ({"w": np.ones(2)}, 3, {}, "data must be a loader, arrays .x, y. or a data set, got 3"),
        ({"w": np.ones(2)}, {"x": X, "y": Y}, {}, "data must be a loader"),
        ({"w": np.ones(2)}, None, {"rows": 0}, "rows must be a whole number >= 1, got 0"),
        ({"w": np.ones(2)}, (X, Y[:0]), {}, "rows must be a whole number >= 1, got 0"),
    ],
)
def test_what_has_nothing_to_count_is_refused(
    model: Any, data: Any, known: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        psi.Facts.of(model, data, **known)
