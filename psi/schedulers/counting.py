"""What a scheduler or `psi.Facts.of` counts: facts of a model and of its training data.

Data is known by what it offers (a loader's `dataset` and `batch_size`, arrays, …), so that no
framework is imported here; models are counted in the files of their frameworks.
"""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np

from psi.law.clock import Clock, ClockState
from psi.law.domain import FAR
from psi.law.facts import Facts
from psi.law.law import Law
from psi.schedulers.host import warn

MOST_CLASSES = 10_000_000  # integers above are no classes
KERAS_BATCH = 32  # rows of a minibatch in `fit`, unless it is told


def facts_of(model: Any, data: Any, batch: int | None, known: dict[str, Any]) -> Facts:
    """`psi.Facts.of`."""
    packages = {each.__module__.partition(".")[0] for each in type(model).__mro__}
    # A Keras model on its torch backend is a torch module as well.
    name = next((each for each in ("keras", "torch") if each in packages), "optax")
    if name == "keras" and isinstance(data, tuple | list):
        batch = batch or KERAS_BATCH
    module = {"torch": "torch_groups", "keras": "keras_models"}.get(name, name)
    counted = import_module(f"psi.schedulers.{module}").counted(model)
    seen = {} if data is None else of_data(data)
    if batch is not None:
        seen["batch"] = batch
    return Facts(**known).filled(**counted, **seen)


def completed(clock: Clock, counted: dict[str, Any], weight_rms: Callable[[], Any]) -> Clock:
    """The clock with the facts that an adapter counted; those that were given stay.

    Warns where the P that was given is far from the optimizer's. The weights are only looked at for
    a law that sees them.
    """
    given, own = clock.facts.parameters, counted["parameters"]
    if given and not own / FAR <= given <= own * FAR:
        warn(f"the facts have parameters={given:,}, the optimizer {own:,}: the facts' is used")
    if "weight_rms" in clock.law.features and clock.facts.weight_rms is None:
        counted = counted | {"weight_rms": weight_rms()}
    return replace(clock, facts=clock.facts.filled(**counted))


def measures(law: Law) -> bool:
    """Whether an adapter looks at the first step's gradient for a law: it is the update there."""
    return "initial_grad_norm" in law.features and law.optimizer in ("sgd", "momentum")


def awaits_gradient(state: ClockState) -> Any:
    """Whether a run is in epoch 0 and its first gradient has not been seen; a bool of shape=()."""
    return (state.epoch == 0) & ~(state.initial_grad_norm > 0)


def of_data(data: Any) -> dict[str, Any]:
    """Facts of training data, by field; what it does not show is absent or None.

    Raises ValueError where it is no data.
    """
    if hasattr(data, "dataset") and hasattr(data, "sampler"):
        return _of_loader(data)
    if isinstance(data, tuple | list) and len(data) in (2, 3):  # with weights of the rows
        return {"rows": len(data[1]), **of_targets(data[1])}
    if hasattr(data, "cardinality") or hasattr(data, "num_batches"):
        return _of_minibatches(data)
    if hasattr(data, "__getitem__") and hasattr(data, "__len__") and not isinstance(data, Mapping):
        return {"rows": len(data), **of_dataset(data)}
    raise ValueError(f"data must be a loader, arrays (x, y) or a data set, got {data!r:.60}")


def _of_minibatches(data: Any) -> dict[str, Any]:
    """Of a tf.data.Dataset, whose minibatches have a shape if all are full, or a PyDataset."""
    steps = int(data.cardinality()) if hasattr(data, "cardinality") else data.num_batches or 0
    first = getattr(data, "element_spec", None)
    while isinstance(first, tuple):
        first = first[0]
    shape = getattr(first, "shape", None) or (None,)
    return {"steps_per_epoch": steps if steps > 0 else None, "batch": shape[0]}


def _of_loader(loader: Any) -> dict[str, Any]:
    """Of a torch DataLoader: nothing is drawn from it. Over several processes, of them all."""
    sampler, inner, rows, steps = loader.sampler, loader.batch_sampler, None, None
    processes = getattr(sampler, "num_replicas", 1)
    with contextlib.suppress(TypeError):  # an IterableDataset need not have a length
        steps, rows = len(loader), len(loader.dataset)
        rows = min(rows, len(sampler) * processes)
    batch = loader.batch_size or getattr(inner, "batch_size", None)
    if inner is None:  # the data set itself gives minibatches
        rows = None
    found = {"rows": rows, "steps_per_epoch": steps, "batch": batch and batch * processes}
    return found | of_dataset(loader.dataset)


def of_dataset(dataset: Any) -> dict[str, Any]:
    """Facts of the targets of a torch or Hugging Face data set, if it holds them as one array."""
    index = slice(None)
    while hasattr(dataset, "indices") and hasattr(dataset, "dataset"):  # torch's Subset
        own = np.asarray(dataset.indices)
        index = own[index] if not isinstance(index, slice) else own
        dataset = dataset.dataset
    tensors = getattr(dataset, "tensors", ())
    targets = tensors[-1] if len(tensors) > 1 else getattr(dataset, "targets", None)
    if targets is not None and (found := of_targets(targets, index)):
        return found
    features, classes = getattr(dataset, "features", None), getattr(dataset, "classes", None)
    labels = (
        [features.get(each) for each in ("label", "labels")] if isinstance(features, dict) else []
    )
    counts = [n for each in labels if (n := getattr(each, "num_classes", None))]
    counts += [len(classes)] if isinstance(classes, list | tuple) else []
    return {"classes": counts[0]} if counts and counts[0] > 1 else {}


def of_targets(targets: Any, index: Any = slice(None)) -> dict[str, Any]:
    """Classes, and the loss of the best constant predictor; nothing where they are no numbers.

    Negative integers, which losses leave out, are no class.
    """
    if hasattr(targets, "detach"):
        targets = targets.detach().cpu().numpy()
    try:
        y = np.asarray(targets)[index]
    except (ValueError, IndexError):  # arrays of several shapes, one an output; no array
        return {}
    if y.dtype == bool or np.issubdtype(y.dtype, np.integer):
        return _of_classes(y[y >= 0].astype(np.int64))
    if not np.issubdtype(y.dtype, np.floating) or not y.size or not np.isfinite(y).all():
        return {}
    one_hot = y.ndim == 2 and y.shape[1] > 1 and (y >= 0).all() and np.allclose(y.sum(1), 1)
    if one_hot:
        return {"classes": y.shape[1], "chance_loss": _entropy(y.mean(0))}
    if np.isin(y, (0.0, 1.0)).all():
        share = y.mean(0)
        each = [_entropy(np.array([p, 1 - p])) or 0.0 for p in np.ravel(share)]
        return {"classes": 2, "chance_loss": float(np.mean(each)) or None}
    return {"classes": 0, "chance_loss": float(y.astype(float).var(0).mean()) / 2 or None}


def _of_classes(y: np.ndarray) -> dict[str, Any]:
    if not y.size or y.max() > MOST_CLASSES:
        return {}
    counts = np.bincount(y.reshape(-1))
    return {"classes": max(len(counts), 2), "chance_loss": _entropy(counts / counts.sum())}


def _entropy(shares: np.ndarray) -> float | None:
    """In nats; None where all are of one class."""
    some = shares[shares > 0]
    return float(-(some * np.log(some)).sum()) or None
