"""A distribution over tasks, checked without importing JAX."""

import math
from dataclasses import dataclass, field

from psi.lab.hyper import Hyper
from psi.lab.tasks.names import FAMILY_NAMES


@dataclass(frozen=True)
class TaskDistribution:
    """A distribution over tasks: synthetic data, minibatch, perceptron and initial weights.

    Ranges include both ends and are log-uniform.

    Args:
        families: names of synthetic families, each as likely.
        fixed: share of tasks on fixed rows; the others are streams.
        batch: range of the rows of a minibatch.
        width: range of the units of each hidden layer.
        init_scale: range of the factor on the weights of He initialisation.
        hyper: what all tasks have in common: budget, optimizer, depth, activation and so on.
        padding: sizes are padded to the upper end of their range over a power of this, so that few
            programs are compiled.

    Raises:
        ValueError: an unknown family, a share outside [0, 1], an empty range, or a `hyper` that
            fixes what is drawn.

    >>> from psi.lab.hyper import Hyper
    >>> from psi.lab.tasks.distribution import TaskDistribution
    >>> streams = TaskDistribution(("teacher", "moons"), fixed=0.0, hyper=Hyper(epochs=5))
    """

    families: tuple[str, ...] = FAMILY_NAMES
    fixed: float = 0.5
    batch: tuple[int, int] = (8, 64)
    width: tuple[int, int] = (8, 64)
    init_scale: tuple[float, float] = (0.5, 2.0)
    hyper: Hyper = field(default_factory=Hyper)
    padding: int = 4

    def __post_init__(self) -> None:
        if not self.families or not set(self.families) <= set(FAMILY_NAMES):
            allowed = ", ".join(FAMILY_NAMES)
            raise ValueError(f"families must be some of {allowed}; got {self.families}")
        if not 0 <= self.fixed <= 1:
            raise ValueError(f"fixed, a share, must be in [0, 1], got {self.fixed}")
        for name in ("batch", "width", "init_scale"):
            low, high = getattr(self, name)
            least = 0 if name == "init_scale" else 1
            if not (least <= low <= high < math.inf and low > 0):
                raise ValueError(f"{name} must be a range within [{least}, inf), got {low}, {high}")
        if self.padding < 2:
            raise ValueError(f"padding must be >= 2, got {self.padding}")
        self._check_hyper()

    def _check_hyper(self) -> None:
        for name, allowed in (
            ("network", (None, "mlp")), ("batch", (None,)), ("width", (None,)),
            ("init_scale", (1.0,)), ("normalised", (False,)), ("initialisation", ("", "he")),
        ):  # fmt: skip
            if getattr(self.hyper, name) not in allowed:
                raise ValueError(
                    f"drawn tasks have a perceptron of drawn size: hyper.{name} must be "
                    f"{allowed[-1]}, got {getattr(self.hyper, name)}"
                )
