"""A learning-rate range test of a PyTorch model."""

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from typing import Any

import torch
from torch.optim import Optimizer

from psi.advice.range_test import Step
from psi.schedulers.torch_groups import ratios, set_rates


def range_steps(
    model: torch.nn.Module,
    optimizer: Optimizer,
    batches: Iterable[Any],
    loss: Callable[[torch.nn.Module, Any], torch.Tensor],
) -> Callable[[int], Step]:
    """Make the trainings of a PyTorch model that `psi.suggest_lr` runs.

    Each one first puts model and optimizer back to what they were at this call.

    Args:
        model: the model.
        optimizer: its optimizer. The first parameter group gets the rate, the others keep their
            ratio to it.
        batches: minibatches, gone through again and again; a DataLoader shuffles by the seed.
        loss: `loss(model, batch)` is the minibatch's mean loss, a tensor of one number.

    Returns:
        `begin`, of which `begin(seed)` starts a training and returns its step: `step(lr)` trains on
        one minibatch and returns its loss.

    Raises:
        ValueError: the first parameter group's rate is not positive, or (in a step) batches cannot
            be gone through again.

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
    kept = deepcopy(model.state_dict()), deepcopy(optimizer.state_dict())
    shares = ratios(optimizer)

    def begin(seed: int) -> Step:
        model.load_state_dict(kept[0])
        optimizer.load_state_dict(deepcopy(kept[1]))
        torch.manual_seed(seed)
        every = _repeated(batches)

        def step(lr: float) -> float:
            set_rates(optimizer, [lr * share for share in shares])
            optimizer.zero_grad()
            value = loss(model, next(every))
            value.backward()
            optimizer.step()
            return value.item()

        return step

    return begin


def _repeated(batches: Iterable[Any]) -> Iterator[Any]:
    while True:
        empty = True
        for batch in batches:
            empty = False
            yield batch
        if empty:
            raise ValueError("a range test needs minibatches that can be gone through again")
