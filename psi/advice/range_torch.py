"""A range test of a PyTorch model: psi.suggest_lr(range_steps(model, optimizer, batches, loss))."""

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from typing import Any

import torch
from torch.optim import Optimizer

from psi.advice.range_test import Step
from psi.schedulers.torch import ratios, set_rates


def range_steps(
    model: torch.nn.Module,
    optimizer: Optimizer,
    batches: Iterable[Any],
    loss: Callable[[torch.nn.Module, Any], torch.Tensor],
) -> Callable[[int], Step]:
    """What begins a training of `model` with a seed, for `psi.suggest_lr`.

    `batches` is gone through again and again (a DataLoader shuffles by the seed), `loss(model,
    batch)` the minibatch's mean loss. Each beginning puts model and optimizer back to what they
    were when this was called. The first parameter group gets the rate, the others keep their ratio.
    """
    kept = deepcopy(model.state_dict()), deepcopy(optimizer.state_dict())
    shares = ratios(optimizer, "lr")

    def begin(seed: int) -> Step:
        model.load_state_dict(kept[0])
        optimizer.load_state_dict(deepcopy(kept[1]))
        torch.manual_seed(seed)
        every = _again_and_again(batches)

        def step(lr: float) -> float:
            set_rates(optimizer, [lr * share for share in shares])
            optimizer.zero_grad()
            value = loss(model, next(every))
            value.backward()
            optimizer.step()
            return value.item()

        return step

    return begin


def _again_and_again(batches: Iterable[Any]) -> Iterator[Any]:
    while True:
        empty = True
        for batch in batches:
            empty = False
            yield batch
        if empty:
            raise ValueError("a range test needs minibatches that can be gone through again")
