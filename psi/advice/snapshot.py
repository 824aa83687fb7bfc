"""What a PyTorch training changes, put back: in place, so that everybody who holds it sees it.

A state dict leaves out gradients, buffers that are not persistent and plain attributes, and reading
one back replaces an optimizer's tensors and may change their type. So the objects themselves are
gone through: modules and optimizers by their attributes, lists and dictionaries by what is in them.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

Restore = Callable[[], Any]
"""Puts an object back to what it was and returns it."""


def snapshot(value: Any, seen: dict[int, Restore] | None = None) -> Restore:
    """Remember what is in an object, and return the function that puts it back.

    Tensors (with their gradients) and numpy arrays get their numbers back; lists, tuples, deques,
    dictionaries and sets their items, each of them put back; modules and optimizers their
    attributes. Every other object is kept as it is, without looking into it.

    Args:
        value: any object.
        seen: what is remembered already, by id; None: nothing.

    Returns:
        A function without arguments, which may be called again and again.

    Example:
        >>> import torch
        >>> from psi.advice.snapshot import snapshot
        >>> layer = torch.nn.BatchNorm1d(2)
        >>> restore = snapshot(layer)
        >>> _ = layer(torch.ones(4, 2) * torch.arange(4)[:, None]).sum().backward()
        >>> _ = restore()
        >>> layer.running_mean.tolist(), layer.weight.grad
        ([0.0, 0.0], None)
    """
    seen = {} if seen is None else seen
    if id(value) not in seen:
        seen[id(value)] = lambda: value  # for what holds itself; it also keeps the id from others
        seen[id(value)] = _restore(value, seen)
    return seen[id(value)]


def _restore(value: Any, seen: dict[int, Restore]) -> Restore:
    if isinstance(value, torch.nn.Module | torch.optim.Optimizer):
        attributes = snapshot(vars(value), seen)
        return lambda: (attributes(), value)[1]
    if isinstance(value, torch.Tensor):
        return _tensor(value, seen)
    if isinstance(value, np.ndarray) and value.flags.writeable:
        content = value.copy()
        return lambda: (np.copyto(value, content), value)[1]
    if isinstance(value, dict):
        return _refilled(value, list(value), [snapshot(each, seen) for each in value.values()])
    if isinstance(value, list | tuple | deque):
        return _refilled(value, None, [snapshot(each, seen) for each in value])
    if isinstance(value, set):
        items = set(value)
        return lambda: (value.clear(), value.update(items), value)[2]
    return lambda: value


def _tensor(value: torch.Tensor, seen: dict[int, Restore]) -> Restore:
    content = value.detach().clone()
    gradient = snapshot(value.grad, seen) if value.is_leaf else None

    def restore() -> torch.Tensor:
        # By way of .data, as autograd does not count it as a change of what a graph has saved.
        if value.shape == content.shape:
            value.data.copy_(content)
        else:
            value.data = content.clone()
        if gradient is not None:
            value.grad = gradient()
        return value

    return restore


def _refilled(value: Any, keys: list[Any] | None, items: list[Restore]) -> Restore:
    """What puts the items back into a list, tuple, deque or (by keys) dictionary."""

    def restore() -> Any:
        were = [item() for item in items]
        now = list(value) if keys is None else [*value, *value.values()]
        before = were if keys is None else [*keys, *were]
        if len(now) == len(before) and all(a is b for a, b in zip(now, before, strict=True)):
            return value
        value.clear()
        if keys is None:
            value.extend(were)
        else:
            value.update(zip(keys, were, strict=True))
        return value

    return restore
