"""What the callbacks of the trainers share: a law with its settings, until training begins."""

import math
import sys
from dataclasses import dataclass, field, fields, replace
from inspect import signature
from pathlib import Path
from typing import Any

from torch.optim import Optimizer

from psi.law.checks import whole_number
from psi.law.clock import Clock
from psi.law.facts import UNKNOWN
from psi.law.law import Law
from psi.law.load import load
from psi.schedulers.counting import of_data
from psi.schedulers.host import warn
from psi.schedulers.torch import PsiLR

OF_CLOCK = {each.name for each in fields(Clock)}


@dataclass(frozen=True)
class Plan:
    """A law and the settings of the `PsiLR` that it becomes.

    Raises:
        ValueError: a setting makes no sense, or there is no law of that name.
        TypeError: `PsiLR` has no such setting.
    """

    law: Law | str | Path
    epochs: int | None
    """T in decision periods; None: what the trainer is told to train."""
    every: int | None
    """Updates of a decision period; None: those of an epoch."""
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        law = load(self.law) if isinstance(self.law, str | Path) else self.law
        object.__setattr__(self, "law", law)
        if "steps_per_epoch" in self.settings:
            raise TypeError("a trainer counts its steps: every takes the place of steps_per_epoch")
        signature(PsiLR).bind(None, law, **self.settings)
        known = {name: self.settings[name] for name in self.settings if name in OF_CLOCK}
        Clock(law, sys.maxsize if self.epochs is None else self.epochs, **known)  # pyright: ignore
        if self.every is not None:
            whole_number("every", self.every)

    def begin(
        self,
        optimizer: Optimizer,
        epochs: float,
        saved: dict[str, Any] | None,
        steps: int,
        counted: dict[str, Any],
    ) -> PsiLR:
        """Set the rate at the beginning of a training, or go on from a saved state.

        `epochs` is T, infinite where it is not known; `steps` are the updates before now, `counted`
        facts that the trainer shows. Warns where there were updates and no state tells of them.
        """
        budget = math.ceil(epochs) if math.isfinite(epochs) else None
        facts = self.settings.get("facts", UNKNOWN)
        if self.every is not None:
            facts = replace(facts, steps_per_epoch=self.every)
        settings = self.settings | {"facts": facts.filled(**counted)}
        scheduler = PsiLR(optimizer, self.law, budget, **settings)  # pyright: ignore
        if saved:
            scheduler.load_state_dict(saved)
        elif steps:
            warn(
                f"training goes on after {steps} updates and no state of Ψ was saved with them: "
                "the schedule begins at its epoch 0"
            )
        return scheduler


def counted(loader: Any, micro_batches: int, updates: float) -> dict[str, Any]:
    """Facts that a trainer's loader shows, nothing where it is none that shows any.

    Args:
        loader: what the trainer takes minibatches from.
        micro_batches: of an update, those of all processes.
        updates: of an epoch; infinite where it has no end.
    """
    found = of_data(loader) if hasattr(loader, "sampler") else {}
    if found.get("batch"):
        found["batch"] *= micro_batches
    return found | {"steps_per_epoch": math.ceil(updates) if math.isfinite(updates) else None}
