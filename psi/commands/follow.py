"""A task trained under a law, and why each rate was what it was."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float

from psi.commands.facts import TRUTH
from psi.commands.printing import finite
from psi.commands.words import told
from psi.lab.hyper import Hyper
from psi.law.law import Law
from psi.law.parts import Course, course, explained, replayed


@dataclass(frozen=True)
class Followed:
    """A run under a law."""

    task: str
    loss: str
    """Which loss function."""
    losses: Float[np.ndarray, " epoch"]
    """ε_0 … ε_{T−1}: the loss before each epoch, of which the first is before training."""
    val_losses: Float[np.ndarray, " epoch"]
    """The validation loss after each epoch."""
    course: Course
    last: str
    """The last rate explained."""

    def document(self) -> dict[str, Any]:
        """What --json prints: an object of lists, one number an epoch."""
        numbers = {
            "loss": self.losses, "val_loss": self.val_losses,
            "rate": self.course.rate, "u": self.course.feedback,
        }  # fmt: skip
        parts = self.course.parts._asdict()
        return {
            "task": self.task,
            **{name: _listed(values) for name, values in numbers.items()},
            "parts": {name: _listed(values) for name, values in parts.items()},
            "last": self.last,
        }


def _listed(values: Any) -> list[float | None]:
    """Numbers as JSON has them: those of a run that diverged are none."""
    return [finite(value) for value in values.tolist()]


def hyper_of(words: Sequence[str], optimizer: str) -> Hyper:
    """NAME=VALUE words as hyperparameters. Raises ValueError for what is none.

    Example:
        >>> hyper_of(["epochs=5", "network=mlp", "normalised=yes"], "adam").normalised
        True
    """
    known = {each.name: each.default for each in fields(Hyper) if each.name != "optimizer"}
    given = told(words, known, "hyperparameter")
    found = {name: _read(name, value, known[name]) for name, value in given.items()}
    return replace(Hyper(optimizer=optimizer), **found)


def _read(name: str, value: str, usual: Any) -> Any:
    try:
        if isinstance(usual, bool):
            return TRUTH[value.lower()]
        if isinstance(usual, str) or name == "network":
            return value
        return float(value) if isinstance(usual, float) else int(value)
    except (KeyError, ValueError):
        raise ValueError(f"the hyperparameter {name} cannot be {value!r:.60}") from None


def follow(law: Law, name: str, words: Sequence[str] = ()) -> Followed:
    """Train a task under a law from one seed.

    Args:
        law: for one of the lab's optimizers.
        name: of the task, as `make_task` takes it.
        words: hyperparameters, NAME=VALUE.

    Returns:
        The run.

    Raises:
        ValueError: the task or a hyperparameter is unknown, or does not fit.
    """
    import jax

    from psi.lab.engine.devices import prepare
    from psi.lab.engine.policy import clock_policy, measured_policy, sees_gradient
    from psi.lab.engine.population import population
    from psi.lab.engine.probe import initial_grad_norms, initial_weight_rms
    from psi.lab.engine.work import Layout
    from psi.lab.tasks.names import Spec
    from psi.lab.tasks.table import spec_task
    from psi.law.clock import Clock

    hyper = hyper_of(words, law.optimizer)
    prepare()
    task, seeds, key = spec_task(Spec(name, hyper), law.optimizer), np.array([0]), jax.random.key(0)
    measured = {
        "weight_rms": float(initial_weight_rms(task, seeds, key)[0]),
        "initial_grad_norm": float(initial_grad_norms(task, seeds, key)[0]),
    }
    clock = Clock(law, hyper.epochs, facts=replace(task.facts.known(), **measured))
    norm = np.array([[measured["initial_grad_norm"]]], np.float32)
    ruled = partial(measured_policy, clock) if sees_gradient(law) else lambda _: clock_policy(clock)
    keep = ("loss_running", "val_loss")
    found = population(task, ruled, norm, seeds, key, Layout(1, 1), True, keep)
    losses, val_losses = (np.asarray(a, float)[0, 0] for a in (found.loss_running, found.val_loss))
    known = replace(clock, initial_loss=float(losses[0]))
    states = replayed(known, losses[1:], val_losses[:-1])
    last = explained(known, states[-1])
    return Followed(task.name, task.facts.loss, losses, val_losses, course(known, states), last)


COLUMNS = ("epoch", "loss", "validation", "rate", "scale", "shape", "feedback", "limits", "u")


def table_of(made: Followed) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Columns and rows, one an epoch: the losses before it (validation: after), rate and parts."""
    course = made.course
    numbers = (made.losses, made.val_losses, course.rate, *course.parts, course.feedback)
    rows = [
        (str(epoch), *(f"{value:.3g}" for value in row))
        for epoch, row in enumerate(zip(*numbers, strict=True))
    ]
    return COLUMNS, rows
