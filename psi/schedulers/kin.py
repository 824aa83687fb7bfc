"""Which law an optimizer needs: a law is for one rule of updates, and its rate for no other.

`KIN` lists the optimizers whose ideal rates are near enough those of the one a law was fitted on.
Everything else gets a warning that names the law that fits, or says that none does.
"""

import re
from typing import Any, NamedTuple

from psi.law.domain import Outside
from psi.law.law import Law

KIN = {
    "adam": (
        "Adam", "AdamW", "AMSGrad", "NAdam", "NAdamW", "RAdam", "SparseAdam", "LazyAdam",
        "Adam8bit", "Adam32bit", "AdamW8bit", "AdamW32bit", "PagedAdam", "PagedAdam8bit",
        "PagedAdam32bit", "PagedAdamW", "PagedAdamW8bit", "PagedAdamW32bit", "FusedAdam",
        "CPUAdam", "DeepSpeedCPUAdam",
    ),
    "momentum": ("SGD with momentum 0.9", "SGD with Nesterov momentum 0.9"),
    "sgd": ("SGD without momentum",),
}  # fmt: skip
"""law → optimizers, by the names of their classes in PyTorch, Keras and their extensions"""

MOMENTUM = (0.8, 0.97)
BETA_1 = (0.8, 0.97)
BETA_2 = (0.9, 0.9999)
"""Where the momentum of a law's kin lies, ends included; the laws were fitted at 0.9 and 0.999."""


class Found(NamedTuple):
    """An optimizer as it concerns a law."""

    said: str
    """its name, with the settings that matter"""
    law: str | None
    """the optimizer of the law that fits; None: of no shipped one"""


def recognise(classes: list[str], settings: dict[str, Any]) -> Found:
    """The law for an optimizer of these class names, its own first, then its bases'.

    Settings are `momentum`, `dampening`, `beta_1` and `beta_2`, as far as it has them.
    """
    adams = {_plain(name) for name in KIN["adam"]}
    momentum = float(settings.get("momentum") or 0.0)
    for name in map(_plain, classes):
        if name in adams:
            betas = float(settings.get("beta_1", 0.9)), float(settings.get("beta_2", 0.999))
            near = _within(betas[0], BETA_1) and _within(betas[1], BETA_2)
            said = classes[0] if near else f"{classes[0]}(betas={betas})"
            return Found(said, "adam" if near else None)
        if name == "sgd":
            damped = float(settings.get("dampening") or 0.0)
            said = f"{classes[0]}(momentum={momentum:g}" + f", dampening={damped:g}" * bool(damped)
            fits = "momentum" if _within(momentum, MOMENTUM) and not damped else None
            return Found(f"{said})", "sgd" if momentum == 0 else fits)
    return Found(classes[0], None)


def outside_optimizer(law: Law, found: Found) -> tuple[Outside, ...]:
    """The optimizer, where it is not the law's; nothing where neither is of a shipped law."""
    own = _plain(law.optimizer)
    if own == found.law or own == _plain(found.said) or (found.law is None and own not in KIN):
        return ()
    fits = f'psi.load("{found.law}") fits it' if found.law else "no shipped law fits it"
    known = f"the law is for {law.optimizer}, {fits}"
    return (Outside("optimizer", found.said, known, "its rates are used as they are"),)


def _plain(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())


def _within(value: float, ends: tuple[float, float]) -> bool:
    return ends[0] <= value <= ends[1]
