"""Facts: what is known of a task before training, as the inputs of a power law of the rate.

    log α = w_0 + Σ_k w_k log f_k + (v_0 + Σ_k v_k log f_k) · stream

over some of P, the rows (1 on a stream), the batch, the steps of an epoch, the budget T, the loss
of the best constant predictor, the classes (1 of a regression), the root mean square of the initial
weights and the norm of the first gradient; `stream` is 1 where no row is seen twice and 0 on fixed
data. A choice of facts is one of SETS, which are given beforehand: all subsets would be 2¹⁹, and
the best of them on few left out domains would be luck. The largest have 14 constants, as many as a
law may have; rows are not in them, since on fixed data they are batch × steps.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

FACTS = (
    "parameters", "stream", "rows", "batch", "steps", "budget", "chance_loss", "classes",
    "weight_rms", "initial_grad_norm",
)  # fmt: skip
"""Names of facts, as features of a law."""
OF_DATA = ("stream", "rows", "chance_loss", "classes")
OF_TRAINING = ("parameters", "batch", "steps", "budget", "weight_rms", "initial_grad_norm")
"""The facts of D, and those that H decides as well."""
MOST = 14  # constants of a law


class FactSet(NamedTuple):
    """The facts that a scale depends on."""

    name: str
    facts: tuple[str, ...]
    by_stream: tuple[str, ...] = ()
    """Those whose exponent is another one on streams."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of its exponents."""
        return (*self.facts, *(f"{name}*stream" for name in self.by_stream))

    @property
    def constants(self) -> int:
        """The exponents and the factor in front."""
        return 1 + len(self.columns)

    def of(self, kept: Sequence[str]) -> "FactSet":
        """The part of it that needs no fact but these."""
        facts = tuple(name for name in self.facts if name in kept)
        both = tuple(name for name in self.by_stream if {name, "stream"} <= {*kept})
        return FactSet(", ".join(facts), facts, both)

    def without(self, facts: Sequence[str]) -> "FactSet":
        """The part of it that needs none of these facts."""
        part = self.of([name for name in self.facts if name not in facts])
        return part._replace(name=f"{self.name} but {', '.join(facts)}")


_SIZE = ("parameters", "stream", "rows")
_COUNTS = (*_SIZE, "batch", "steps", "budget")
_UNMEASURED = FACTS[:-1]
SETS = (
    FactSet("one rate", ()),
    FactSet("P", ("parameters",)),
    FactSet("P, stream", ("parameters", "stream")),
    FactSet("size", _SIZE),
    FactSet("counts", _COUNTS),
    FactSet("counts and chance loss", (*_COUNTS, "chance_loss")),
    FactSet("all but the gradient", _UNMEASURED),
    FactSet("all", FACTS),
    FactSet(
        "all but the gradient, by stream",
        tuple(name for name in _UNMEASURED if name != "rows"),
        ("parameters", "batch", "steps", "budget", "chance_loss"),
    ),
    FactSet(
        "all, by stream",
        tuple(name for name in FACTS if name != "rows"),
        ("parameters", "batch", "steps", "budget"),
    ),
)
"""The choices, from the fewest constants to the most."""


def sets_for(optimizer: str) -> tuple[FactSet, ...]:
    """The choices under an optimizer: Adam's steps do not depend on how large a gradient is."""
    sees = optimizer != "adam"
    return tuple(each for each in SETS if sees or "initial_grad_norm" not in each.facts)


def facts_of(tasks: pd.DataFrame) -> pd.DataFrame:
    """The facts of an atlas's tasks, a column each of `FACTS`.

    Raises ValueError, which names the fact and the task, where one is not positive and finite.

    Example:
        >>> row = {"task": 0, "parameters": 99, "stream": True, "rows": 0, "batch": 8, "steps": 5,
        ...        "epochs": 10, "train_chance_loss": 0.7, "classes": 0, "weight_rms": 0.1,
        ...        "initial_grad_norm": 1.0}
        >>> facts_of(pd.DataFrame([row])).loc[0, ["rows", "budget", "classes"]].tolist()
        [1.0, 10.0, 1.0]
    """
    # What a user counts is the chance loss of the rows that are trained on.
    names = {"epochs": "budget", "train_chance_loss": "chance_loss"}
    renamed = tasks.drop(columns="chance_loss", errors="ignore").rename(columns=names)[list(FACTS)]
    facts = renamed.astype(float).reset_index(drop=True)
    facts["rows"] = np.where(facts.stream == 1, 1.0, facts["rows"])
    facts["classes"] = facts.classes.clip(lower=1)
    positive = (facts > 0) & np.isfinite(facts)
    for name in FACTS:
        if name != "stream" and not positive[name].all():
            row = int(np.argmin(positive[name]))
            value, task = facts[name].iloc[row], tasks.task.iloc[row]
            raise ValueError(f"{name} must be positive and finite, got {value:g} of task {task}")
    return facts


def design(facts: pd.DataFrame, chosen: FactSet) -> Float[np.ndarray, "task exponent"]:
    """The logarithms of the facts of a set, `stream` as it is, and their products with it.

    Example:
        >>> facts = pd.DataFrame({"batch": [1.0, np.e], "stream": [0.0, 1.0]})
        >>> design(facts, FactSet("", ("batch", "stream"), ("batch",))).tolist()
        [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]
    """
    stream = facts["stream"].to_numpy(float) if "stream" in facts else np.zeros(len(facts))
    logs = [stream if n == "stream" else np.log(facts[n].to_numpy(float)) for n in chosen.facts]
    both = [stream * np.log(facts[name].to_numpy(float)) for name in chosen.by_stream]
    return np.stack([*logs, *both], axis=1) if chosen.columns else np.zeros((len(facts), 0))
