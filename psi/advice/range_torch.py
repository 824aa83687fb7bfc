"""A learning-rate range test of a PyTorch model."""

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer
from torch.utils.data import DataLoader, Dataset, Sampler

from psi.advice.randomness import Source, global_sources, own_randomness, source
from psi.advice.range_test import Step
from psi.advice.snapshot import snapshot
from psi.schedulers.torch_groups import ratios, set_rates


def range_steps(
    model: torch.nn.Module,
    optimizer: Optimizer,
    batches: Iterable[Any],
    loss: Callable[[torch.nn.Module, Any], torch.Tensor],
) -> Callable[[int], Step]:
    """Make the trainings of a PyTorch model that `psi.suggest_lr` runs.

    Each one first puts everything back to what it was at this call: weights, gradients, buffers
    (those that are not persistent as well), plain attributes of modules, train or eval mode, the
    optimizer, and the modules that `loss` uses by name. A step leaves the random states of Python,
    numpy and torch as they were, and those of generators that the DataLoader, its sampler, its data
    set and the modules hold; the test's own start from the seed. What cannot be put back is what
    an iterator that can be gone through only once has given, and objects of one's own classes.

    Args:
        model: the model, in the mode in which it is to be tested: mind `model.train()`.
        optimizer: its optimizer. The first parameter group gets the rate, the others keep their
            ratio to it.
        batches: minibatches, gone through again and again; a DataLoader shuffles by the seed.
        loss: `loss(model, batch)` is the minibatch's mean loss, a tensor of one number.

    Returns:
        `begin`, of which `begin(seed)` starts a training and returns its step: `step(lr)` trains on
        one minibatch and returns its loss.

    Raises:
        ValueError: the first parameter group's rate is not positive, a lazy module has not seen a
            minibatch yet, or (in a step) batches cannot be gone through again.

    Example:
        >>> import torch, psi
        >>> from psi.advice.range_torch import range_steps
        >>> model = torch.nn.Linear(2, 1)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.9)
        >>> batches = torch.randn(4, 16, 2)  # four minibatches of 16 rows
        >>> def loss(model, batch):
        ...     return ((model(batch)[:, 0] - batch.sum(1)) ** 2).mean()
        >>> found = psi.suggest_lr(range_steps(model, optimizer, batches, loss), steps=40)
        >>> found.losses.shape
        (3, 40)
    """
    if any(map(is_lazy, model.parameters())):
        raise ValueError("a lazy module has no weights yet: call the model on a minibatch first")
    shares, used = ratios(optimizer), _used_modules(loss)
    tensors = [*model.parameters(), *model.buffers()]  # a scripted module's are no attributes
    restore = snapshot((model, tensors, optimizer, used))
    owners = [*model.modules(), *(inner for each in used for inner in each.modules()), batches]
    sources = [*global_sources(), *_sources(owners)]

    def begin(seed: int) -> Step:
        restore()
        own = own_randomness(seed, sources)
        every = _repeated(batches)

        def step(lr: float) -> float:
            set_rates(optimizer, [lr * share for share in shares])
            with own():
                optimizer.zero_grad()
                value = loss(model, next(every))
                value.backward()
                optimizer.step()
            return value.item()

        return step

    return begin


def _used_modules(loss: Callable[..., Any]) -> list[torch.nn.Module]:
    """Modules that a loss is, belongs to, or uses by a name from outside it."""
    found = [loss, getattr(loss, "__self__", None)]
    if inspect.isroutine(loss) and not inspect.isbuiltin(loss):
        outside = inspect.getclosurevars(loss)
        found += [*outside.nonlocals.values(), *outside.globals.values()]
    return [each for each in found if isinstance(each, torch.nn.Module)]


def _sources(owners: list[Any]) -> list[Source]:
    """Random generators among the attributes of modules and DataLoaders, and of what these hold."""
    found: dict[int, Source] = {}
    inner = DataLoader | Dataset | Sampler
    for owner in owners:  # grows on the way
        for value in getattr(owner, "__dict__", {}).values():
            if (one := source(value)) is not None:
                found[id(value)] = one
            elif isinstance(value, inner) and not any(value is each for each in owners):
                owners.append(value)
    return list(found.values())


def _repeated(batches: Iterable[Any]) -> Iterator[Any]:
    while True:
        empty = True
        for batch in batches:
            empty = False
            yield batch
        if empty:
            raise ValueError("a range test needs minibatches that can be gone through again")
