"""Facts: what is known of a training before it begins, beside its budget T.

A law whose level depends on the task sees them as features. Adapters count what they can; the rest
the user gives once, as `psi.Facts(rows=…, batch=…)` or `psi.Facts.of(model, loader)`.
"""

import math
from dataclasses import dataclass, fields, replace
from importlib import import_module
from typing import Any

from psi.law.checks import check_positive, is_number, whole_number
from psi.law.namespace import Array

COUNTS = ("rows", "batch", "steps_per_epoch", "parameters")


@dataclass(frozen=True)
class Facts:
    """What is known of a training before it begins: of its data, its network, its minibatches.

    Args:
        rows: training rows; None where unknown, and on a stream.
        batch: rows of an update, over all processes and accumulated minibatches.
        steps_per_epoch: updates of an epoch, or of a decision period that is none; None: those
            that `rows` and `batch` make, the last minibatch not full.
        classes: of a classification; 0 for a regression.
        chance_loss: L_chance, the loss of the best constant predictor, in nats (of a regression
            half the mean square); None: log(classes).
        weight_rms: root mean square of all initial weights, biases included.
        stream: whether every minibatch is a fresh sample, so that no row is seen twice.
        parameters: P, how many numbers the optimizer moves.
        initial_grad_norm: ‖g_0‖, the norm of the first minibatch's gradient at the initial weights,
            over all that the optimizer moves.

    What is None is not known. Where a law sees it, what is typical of the law's tasks stands in,
    which a scheduler says once.

    Raises:
        ValueError: a fact makes no sense; the message gives the rule and the value.

    Example:
        >>> import psi
        >>> facts = psi.Facts(rows=1_000, batch=32, classes=10)
        >>> known = facts.values()
        >>> known["steps"], round(known["chance_loss"], 3)
        (32.0, 2.303)
    """

    rows: int | None = None
    batch: int | None = None
    steps_per_epoch: int | None = None
    classes: int | None = None
    chance_loss: float | None = None
    weight_rms: Array | None = None
    stream: bool = False
    parameters: int | None = None
    initial_grad_norm: Array | None = None

    def __post_init__(self) -> None:
        for name in COUNTS:
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, whole_number(name, value))
        if self.classes is not None:
            classes = whole_number("classes", self.classes, least=0)
            if classes == 1:
                raise ValueError("classes must be >= 2, or 0 for a regression; got 1")
            object.__setattr__(self, "classes", classes)
        for name in ("chance_loss", "weight_rms", "initial_grad_norm"):
            if isinstance(value := getattr(self, name), str | bytes | bool):
                raise ValueError(f"{name} must be a number, got {value!r:.60}")
            if is_number(value):
                check_positive(name, value)
        if not isinstance(self.stream, bool):
            raise ValueError(f"stream must be True or False, got {self.stream!r:.60}")
        if self.stream and self.rows is not None:
            raise ValueError(
                f"no row of a stream is seen twice: rows must be None, got {self.rows}"
            )

    @staticmethod
    def of(model: Any, data: Any = None, batch: int | None = None, **known: Any) -> "Facts":
        """The facts that a model and its training data show.

        P and the weights' root mean square are the model's, of what is trained (in PyTorch: what
        requires a gradient). Of data, rows, minibatches and targets are counted, and nothing is
        drawn from a loader: targets are seen where the data set holds them as one array (arrays, a
        TensorDataset, `targets`, `classes` or Hugging Face's `features`). Of integers the largest
        tells the number of classes, floats are one-hot rows, labels 0 and 1, or a regression.

        Args:
            model: a PyTorch module or optimizer, a Keras model, or a pytree of parameters.
            data: a DataLoader, a pair of arrays (x, y), or what else Keras's `fit` takes.
            batch: rows of a minibatch, for arrays; None: 32 with a Keras model, as in `fit`.
            known: facts that are given; they win.

        Returns:
            The facts, None where the data does not show them.

        Raises:
            ValueError: a fact makes no sense, or there is nothing of the kind to count.

        Example:
            >>> import numpy as np, psi
            >>> x, y = np.zeros((100, 4), np.float32), np.arange(100) % 3
            >>> facts = psi.Facts.of({"w": np.ones((4, 3))}, (x, y), batch=20)
            >>> facts.rows, facts.classes, facts.parameters, facts.weight_rms
            (100, 3, 12, 1.0)
        """
        # The frameworks stand above this room, so that the name is looked up when it is asked for.
        return import_module("psi.schedulers.counting").facts_of(model, data, batch, known)

    def filled(self, **counted: Any) -> "Facts":
        """These facts, and what they lack of those that were counted; of a stream no rows."""
        if self.stream:
            counted["rows"] = None
        lacking = {each.name for each in fields(self) if getattr(self, each.name) is None}
        return replace(self, **{name: counted[name] for name in lacking & counted.keys()})

    def values(self) -> dict[str, Array]:
        """The features that these facts are, by name; NaN for what is not known.

        A stream has one row and a regression one class, so that a power of them is 1 there.
        """
        steps, chance_loss = self.steps_per_epoch, self.chance_loss
        if steps is None and self.rows and self.batch:
            steps = math.ceil(self.rows / self.batch)
        if chance_loss is None and self.classes:
            chance_loss = math.log(self.classes)
        found = {
            "parameters": self.parameters,
            "batch": self.batch,
            "steps": steps,
            "rows": 1 if self.stream else self.rows,
            "stream": self.stream,
            "chance_loss": chance_loss,
            "classes": 1 if self.classes == 0 else self.classes,
            "weight_rms": self.weight_rms,
            "initial_grad_norm": self.initial_grad_norm,
        }
        # What is traced (the weights of an optax training) has no value to convert.
        return {
            name: math.nan if value is None else float(value) if is_number(value) else value
            for name, value in found.items()
        }


UNKNOWN = Facts()
