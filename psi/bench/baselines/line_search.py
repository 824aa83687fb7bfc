"""Methods that search along a direction, on all rows at once: one step an epoch, never tuned.

They evaluate the loss more often than once a step, so an epoch of theirs costs several. At most, in
a step: L-BFGS 1 + 20 losses with gradients, backtracking 1 loss with its gradient and 16 losses.
Lanes that train together all wait for the one that searches longest.
"""

from collections.abc import Callable
from functools import partial

import optax

from psi.bench.baselines.baseline import Baseline, descending
from psi.bench.baselines.schedules import planned


def backtracking() -> optax.GradientTransformationExtraArgs:
    """Gradient descent whose rate η falls by 0.8 until the loss does: Armijo's condition.

    ε(θ − η g) ≤ ε(θ) − 10⁻⁴ η ‖g‖², from η = min(1.5 times the last one, 1), at most 16 losses a
    step; after the last it stays (Armijo 1966; constants: optax's defaults and its example).
    """
    search = optax.scale_by_backtracking_linesearch(max_backtracking_steps=15)
    return optax.chain(optax.sgd(1.0), search)


def _row(
    name: str, make: Callable[[], optax.GradientTransformation], formula: str, source: str
) -> Baseline:
    return Baseline(
        name, partial(planned, "constant"), optimizer=partial(descending, make), full_batch=True,
        default=1.0, tuned=False, sees=("loss", "gradients"), formula=formula, source=source,
    )  # fmt: skip


ROWS = (
    _row(
        "lbfgs", optax.lbfgs,
        "θ ← θ − α η P g, P from 10 differences of θ and g, η by line search; all rows at once",
        "Liu & Nocedal 1989; optax.lbfgs",
    )._replace(sees=("loss", "gradients", "curvature")),
    _row(
        "backtracking", backtracking,
        "θ ← θ − α η g, η ← 0.8 η until ε(θ − η g) ≤ ε − 10⁻⁴ η ‖g‖²; all rows at once",
        "Armijo 1966; optax.scale_by_backtracking_linesearch",
    ),
)  # fmt: skip
