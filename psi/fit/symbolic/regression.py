"""Symbolic regression: from points to closed forms of Ψ, each with what it is worth.

1. Genetic searches propose structures from the raw rate; the caller may add others.
2. Each is simplified and kept once; constants are refitted in log α, on some of the points.
3. From those that fit best for their length a part is taken away, again and again.
4. What is left and is a learning rate everywhere is refitted to all points and judged on tasks
   that were left out.
"""

from collections.abc import Sequence

from psi.fit.formula.aggregate import aggregated
from psi.fit.formula.formula import Candidate, candidate
from psi.fit.formula.held_out import HeldOut, folds, held_out, intervals, unit
from psi.fit.formula.points import Points
from psi.fit.formula.refit import Fit, refit
from psi.fit.symbolic.config import SymbolicConfig
from psi.fit.symbolic.contenders import contenders
from psi.fit.symbolic.front import Front, FrontRow, Refused, undominated
from psi.fit.symbolic.limits import refusal
from psi.fit.symbolic.proposals import proposals
from psi.fit.symbolic.simplify import simplified
from psi.law.expression import Expression
from psi.progress import Report, silent

LEAST = 20  # points
STEPS = ("genetic search", "refit and reduce", "hold out", "intervals")


def symbolic_regression(
    points: Points,
    config: SymbolicConfig | None = None,
    extra: Sequence[Expression] = (),
    report: Report = silent,
) -> Front:
    """The front of formulas for log α; from the same seed the same on any number of threads.

    `extra`: structures to be judged with those that are found; variables that are no features are
    their constants. `report` gets the number and name of the step, of `STEPS`. Raises ValueError
    where fewer than 20 points count, or where no formula is a learning rate at all of them.
    """
    config = config or SymbolicConfig()
    counting = int((points.weight > 0).sum())
    if counting < LEAST:
        raise ValueError(
            f"a search needs >= {LEAST} points, column {points.names[0]} has {counting} that count"
        )
    report(0, len(STEPS), STEPS[0])
    given = (candidate(tree, points.names) for tree in extra)
    proposed = [*proposals(points, config), *given]
    report(1, len(STEPS), STEPS[1])
    fits = contenders(proposed, points, config)
    report(2, len(STEPS), STEPS[2])
    used = points.take(points.weight > 0)
    few = aggregated(used)
    judged, refused = _judged(fits, few, points, config)
    rows = undominated(judged)
    if not rows:
        raise ValueError(
            f"no formula is finite and positive over columns {', '.join(points.names)}: "
            + "; ".join(sorted({each.reason for each in refused}))[:300]
        )
    report(3, len(STEPS), STEPS[3])
    return Front(
        tuple(_finished(row, used, few, config) for row in rows), tuple(refused), unit(used)
    )


def _judged(
    fits: Sequence[Fit], few: Points, points: Points, config: SymbolicConfig
) -> tuple[list[tuple[Fit, HeldOut]], list[Refused]]:
    """Every contender's error on what was held out, or why it is no learning rate."""
    fold = folds(few, config.folds, config.seed)
    judged, refused = [], []
    for each in fits:
        # Simplified once more: a fit may have turned the signs inside and outside of a tanh.
        fit = refit(simplified(each.candidate, few.names), few)
        reason = fit.failure or refusal(fit.expression, points)
        if reason:
            refused.append(Refused(fit.expression, fit.error, reason))
        else:
            judged.append((fit, held_out(fit, few, fold)))
    return judged, refused


def _finished(row: FrontRow, points: Points, few: Points, config: SymbolicConfig) -> FrontRow:
    """With intervals, the constants fitted to all points where these were too many."""
    fit = refit(Candidate(row.formula, row.fitted), points)
    constants = intervals(fit, few, config.resamples, config.seed)
    # Means over boxes are less noisy than points: `error` is of the points that `held_out` is of.
    error = fit.error if few is points else row.error
    return row._replace(fitted=fit.fitted, error=error, constants=constants)
