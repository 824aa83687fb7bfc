"""The front of length against held-out error: every formula that no shorter one beats.

All of it is kept, as the right length is a matter of judgement. Where the formulas have been used
as schedules, the shortest within 0.02 nats of the least regret is chosen. Elsewhere it is the rule
of Breiman, Friedman, Olshen & Stone 1984 (Classification and Regression Trees, section 3.4.3): the
simplest formula whose held-out error is within some standard errors of the least. Two things
differ. The standard error is that of the difference, over tasks, as Vehtari, Gelman & Gabry 2017
(arXiv 1507.04544) compare models: tasks want different rates at the same features whatever the
formula, which would hide everything. And since it is several times smaller than the error's own,
and the best formula is the luckiest of hundreds, it is two standard errors and not one.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from psi.fit.formula.formula import Formula, Vector
from psi.fit.formula.held_out import HeldOut, gap
from psi.fit.formula.refit import Fit
from psi.law.expression import Expression, size
from psi.law.law import FittedConstant
from psi.law.printing import text

ERRORS = 2.0
SAME = 0.02
"""Nats of regret that make no difference."""


class FrontRow(NamedTuple):
    """A formula of the front, its fitted constants, and what it is worth."""

    complexity: int
    """Nodes of its tree."""
    error: float
    """Root of the weighted mean of (log Ψ − log α)² on the points it was fitted to, nats."""
    held_out: float
    """The same on what the fit did not see."""
    held_out_error: float
    """Its standard error."""
    gap: float
    """`held_out` minus the least of the front."""
    gap_error: float
    """Its standard error over units, paired."""
    formula: Formula
    fitted: Vector
    """The constants as they are searched."""
    constants: tuple[FittedConstant, ...] = ()
    """With 95 % intervals over tasks."""
    regret: float | None = None
    """What it loses as a scheduler, where the caller has measured that, nats."""
    regret_refined: float | None = None
    """The same with its constants refined in the cells."""

    @property
    def expression(self) -> Expression:
        """The formula with its constants in place."""
        return self.formula.bound(self.fitted)


class Refused(NamedTuple):
    """A formula that fits well for its length and is no learning rate everywhere."""

    expression: Expression
    error: float
    reason: str


class Front(NamedTuple):
    """Rows by rising complexity and falling held-out error."""

    rows: tuple[FrontRow, ...]
    refused: tuple[Refused, ...]
    unit: str
    """What was held out and resampled: `task`, or `point` where there is one task alone."""

    @property
    def chosen(self) -> FrontRow:
        """The row that is chosen."""
        return self.rows[choose(self.rows)]


def choose(rows: Sequence[FrontRow]) -> int:
    """The number of the chosen row, of a front's rows."""
    regrets = [row.regret for row in rows if row.regret is not None]
    if len(regrets) == len(rows):
        refined = [row.regret if row.regret_refined is None else row.regret_refined for row in rows]
        return shortest(np.minimum(regrets, np.asarray(refined, float)))
    return next(k for k, row in enumerate(rows) if row.gap <= ERRORS * row.gap_error)


def shortest(regrets: Float[np.ndarray, " formula"]) -> int:
    """The number of the first regret within SAME of the least; the shortest formula is first."""
    return int(np.argmax(regrets <= regrets.min() + SAME))


def undominated(judged: Sequence[tuple[Fit, HeldOut]]) -> tuple[FrontRow, ...]:
    """Of fits and their held-out errors, the rows that no other one equals or beats.

    In both complexity and held-out error.
    """

    def order(judged: tuple[Fit, HeldOut]) -> tuple[int, float, int]:
        fit, out = judged
        return size(fit.formula.tree), out.error, len(fit.fitted)

    kept: list[tuple[Fit, HeldOut]] = []
    for fit, out in sorted(judged, key=order):
        if out.error < (kept[-1][1].error if kept else np.inf):
            kept.append((fit, out))
    return tuple(_row(fit, out, kept[-1][1]) for fit, out in kept)


def _row(fit: Fit, out: HeldOut, best: HeldOut) -> FrontRow:
    return FrontRow(
        size(fit.formula.tree), fit.error, out.error, out.standard_error, *gap(out, best),
        fit.formula, fit.fitted,
    )  # fmt: skip


def table(front: Front) -> pd.DataFrame:
    """One row a formula, for people and files."""
    return pd.DataFrame(
        {
            "complexity": row.complexity,
            "n_constants": len(row.fitted),
            "error": row.error,
            "held_out": row.held_out,
            "held_out_error": row.held_out_error,
            "gap": row.gap,
            "gap_error": row.gap_error,
            "formula": text(row.expression, 4),
            "constants": "; ".join(
                f"{name} = {value:.4g} [{low:.4g}, {high:.4g}]"
                for name, value, low, high in row.constants
            ),
            "regret": np.nan if row.regret is None else row.regret,
            "regret_refined": np.nan if row.regret_refined is None else row.regret_refined,
            "chosen": row is front.chosen,
        }
        for row in front.rows
    )


def scored(
    front: Front, regret: Float[np.ndarray, " row"], refined: Float[np.ndarray, " row"]
) -> Front:
    """The front with the regret of each formula as a scheduler, as it is and refined."""
    each = zip(front.rows, regret, refined, strict=True)
    return front._replace(
        rows=tuple(r._replace(regret=float(a), regret_refined=float(b)) for r, a, b in each)
    )
