"""Parameter groups of a PyTorch optimizer: their rates, ratios and number of parameters."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch.optim import Optimizer

from psi.schedulers.kin import Found, recognise


def reference_group(optimizer: Optimizer, which: str) -> int:
    """The index of the group that gets α. Raises ValueError where its rate is not positive."""
    if which not in ("first", "largest"):
        raise ValueError(f"reference must be 'first' or 'largest', got {which!r:.60}")
    if not optimizer.param_groups:
        raise ValueError("the optimizer must have a parameter group, got none")
    rates = list(map(_initial, optimizer.param_groups))
    index = rates.index(max(rates)) if which == "largest" else 0
    if not rates[index] > 0:
        rule = f"the other groups keep their ratio to the rate of the {which} parameter group"
        raise ValueError(f"{rule}, which must be positive, got {rates[index]}")
    return index


def ratio(group: dict[str, Any], reference: dict[str, Any], default: Any = None) -> float:
    """A group's rate over the reference group's.

    From the start it is that of `initial_lr`, since a warm-up may have changed the rates in force;
    for one that joins later (`default` is given, the optimizer's rate for groups without one) that
    of the rates in force when it does, if it came with a rate of its own.
    """
    bare = not isinstance(default, torch.Tensor) and group["lr"] == default
    if default is None or not reference["lr"] or bare:
        return _initial(group) / _initial(reference)
    return float(group["lr"]) / float(reference["lr"])


def _initial(group: dict[str, Any]) -> float:
    return float(group.get("initial_lr", group["lr"]))


def ratios(optimizer: Optimizer) -> list[float]:
    """Each parameter group's rate over the first one's. Raises as `reference_group` does."""
    first = optimizer.param_groups[reference_group(optimizer, "first")]
    return [ratio(group, first) for group in optimizer.param_groups]


def rates_of(optimizer: Optimizer) -> list[float]:
    """The rates in force."""
    return [float(group["lr"]) for group in optimizer.param_groups]


def set_rates(optimizer: Optimizer, rates: Sequence[float | torch.Tensor]) -> None:
    """Give each parameter group its rate; one that is a tensor is filled, not replaced."""
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def parameters(optimizer: Optimizer) -> int:
    """P, the number of numbers that the optimizer trains. Raises ValueError unless it is one."""
    if not isinstance(optimizer, Optimizer):
        raise ValueError(f"optimizer must be a torch Optimizer, got {optimizer!r:.60}")
    return max(sum(p.numel() for group in optimizer.param_groups for p in group["params"]), 1)


def counted(model: Any) -> dict[str, Any]:
    """P and the weights' root mean square of a module or an optimizer."""
    if isinstance(model, Optimizer):
        return {"parameters": parameters(model), "weight_rms": weight_rms(model)}
    trained = [p for p in model.parameters() if p.requires_grad]
    if not trained:
        raise ValueError("the model must have parameters that require a gradient, got none")
    return counted(torch.optim.SGD(trained, lr=1.0))


def weight_rms(optimizer: Optimizer) -> float | None:
    """Root mean square of all that the optimizer trains; None where it is zero or not there yet."""
    tensors = [p.detach() for group in optimizer.param_groups for p in group["params"]]
    if any(p.is_meta for p in tensors):
        return None
    squares = sum(float(torch.linalg.vector_norm(p.float()).double() ** 2) for p in tensors)
    return (squares / parameters(optimizer)) ** 0.5 or None


def grad_norm(optimizer: Optimizer) -> float:
    """The norm of the gradients that the optimizer is about to step by; 0 where there are none."""
    every = (p.grad for group in optimizer.param_groups for p in group["params"])
    grads = [each.detach().coalesce().values() if each.is_sparse else each.detach()
             for each in every if each is not None]  # fmt: skip
    parts = [torch.view_as_real(each) if each.is_complex() else each for each in grads]
    norms = [float(torch.linalg.vector_norm(each, dtype=torch.float32)) for each in parts]
    scaler = getattr(optimizer, "grad_scale", None)  # of fused optimizers, which divide by it
    return sum(norm**2 for norm in norms) ** 0.5 / float(1.0 if scaler is None else scaler)


class Awaits(Protocol):
    """What the norm of the first gradient is for."""

    @property
    def awaits(self) -> bool:
        """Whether it is still for something."""
        ...

    def measure(self, norm: float) -> None:
        """Take it."""
        ...


def show_first_gradient(optimizer: Optimizer, to: Callable[[], Awaits | None]) -> None:
    """Before each step, while what `to` gives awaits it, show it the norm of the gradients.

    A norm of 0 (no gradient yet), or one that is not finite, is none. A closure makes the gradients
    within the step (Lightning's does), so that they are looked at when it ends.
    """
    inner = innermost(optimizer)

    def look() -> None:
        one = to()
        if one is not None and one.awaits and 0 < (norm := grad_norm(inner)) < math.inf:
            one.measure(norm)

    def hook(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        closure = args[1] if len(args) > 1 else kwargs.get("closure")
        if closure is None:
            return look()

        def closed() -> Any:
            loss = closure()
            look()
            return loss

        if len(args) > 1:
            return (args[0], closed, *args[2:]), kwargs
        return args, {**kwargs, "closure": closed}

    inner.register_step_pre_hook(hook)


def innermost(optimizer: Any) -> Any:
    """The optimizer inside of what wraps it (Accelerate, ZeRO)."""
    while isinstance(inner := getattr(optimizer, "optimizer", None), Optimizer):
        optimizer = inner
    return optimizer


def recognised(optimizer: Any) -> list[Found]:
    """The rule of each parameter group, inside of what wraps the optimizer."""
    optimizer = innermost(optimizer)
    names = [each.__name__ for each in type(optimizer).__mro__]
    found = []
    for group in optimizer.param_groups:
        betas = group.get("betas")
        two = isinstance(betas, tuple | list) and len(betas) == 2
        settings = {"beta_1": betas[0], "beta_2": betas[1]} if two else {}
        found.append(recognise(names, {**group, **settings}))
    return found


def joined(optimizer: Optimizer, ratios: list[float], reference: int) -> list[float]:
    """The ratios to the reference group's rate of the groups beyond those that have one."""
    groups, new = optimizer.param_groups, []
    defaults = getattr(optimizer, "defaults", {})  # what wraps it may have none
    for group in groups[len(ratios) :]:
        default = defaults.get("lr", math.nan) if ratios or new else None
        new.append(ratio(group, groups[reference], default))
        group.setdefault("initial_lr", float(group["lr"]))
    return new


def checked_ratios(found: object) -> list[float]:
    """Raises ValueError unless they are positive or zero, finite numbers."""
    fine = isinstance(found, list) and all(
        isinstance(each, int | float) and 0 <= each < math.inf for each in found
    )
    if not fine:
        raise ValueError(f"ratios of a PsiLR's state must be numbers >= 0, got {found!r:.60}")
    return list(found)  # type: ignore
