"""The search for a closed form of Ψ, from structures to a front.

1. Genetic searches propose structures from the raw rate; the caller may add others.
2. Each is simplified and kept once; constants are refitted in log α, on some of the points.
3. From those that fit best for their length a part is taken away, again and again (`pool`).
4. What is left and is a rate everywhere is refitted to all points and judged on held-out tasks.
"""

from collections.abc import Sequence

from psi.fit.formula.aggregate import aggregated
from psi.fit.formula.formula import Form
from psi.fit.formula.held_out import folds, held_out, intervals, unit
from psi.fit.formula.points import Points
from psi.fit.formula.refit import Refitted, refit
from psi.fit.symbolic.config import SymbolicConfig
from psi.fit.symbolic.front import Front, Judged, Refused, Row, undominated
from psi.fit.symbolic.limits import refusal
from psi.fit.symbolic.pool import contenders
from psi.fit.symbolic.proposals import proposals
from psi.fit.symbolic.simplify import simplified
from psi.law.expression import Expression
from psi.progress import Report, silent

LEAST = 20  # points
STEPS = ("genetic search", "refit and reduce", "hold out", "intervals")


def search(
    points: Points,
    config: SymbolicConfig | None = None,
    extra: Sequence[Expression] = (),
    report: Report = silent,
) -> Front:
    """The front of formulas for log α; from the same seed the same on any number of threads.

    `extra`: structures to be judged with those that are found; variables that are no features are
    their constants. `report` is told the number and name of the step, of `STEPS`. Raises
    ValueError where fewer than 20 points count, or where no formula is a rate at all of them.
    """
    config = config or SymbolicConfig()
    counting = int((points.weight > 0).sum())
    if counting < LEAST:
        raise ValueError(
            f"a search needs >= {LEAST} points, column {points.names[0]} has {counting} that count"
        )
    report(0, len(STEPS), STEPS[0])
    forms = [*proposals(points, config), *(Form(tree, {}) for tree in extra)]
    report(1, len(STEPS), STEPS[1])
    found = contenders(forms, points, config)
    report(2, len(STEPS), STEPS[2])
    used = points.take(points.weight > 0)
    few = aggregated(used)
    judged, refused = _judged(found, few, points, config)
    rows = undominated(judged)
    if not rows:
        raise ValueError(
            f"no formula is finite and positive over columns {', '.join(points.names)}: "
            + "; ".join(sorted({each.reason for each in refused}))[:300]
        )
    report(3, len(STEPS), STEPS[3])
    kept = tuple(_finished(row, used, few, config) for row in rows)
    return Front(kept, tuple(refused), unit(used))


def _judged(
    found: Sequence[Refitted], few: Points, points: Points, config: SymbolicConfig
) -> tuple[list[Judged], list[Refused]]:
    """Every contender's error on what was held out, or why it is no rate."""
    fold = folds(few, config.folds, config.seed)
    judged, refused = [], []
    for each in found:
        # Simplified once more: a fit may have turned the signs inside and outside of a tanh.
        fitted = refit(simplified(each.form, few.names), few)
        reason = fitted.failure or refusal(fitted.formula, points)
        if reason:
            refused.append(Refused(fitted.formula, fitted.error, reason))
        else:
            judged.append(Judged(fitted, held_out(fitted, few, fold)))
    return judged, refused


def _finished(row: Row, points: Points, few: Points, config: SymbolicConfig) -> Row:
    """With intervals, the constants fitted to all points where these were too many."""
    fitted = refit(Form(row.tree, row.start), points)
    around = intervals(fitted, few, config.resamples, config.seed)
    # Means over boxes are less noisy than points: an error is said of what `held_out` is said of.
    error = fitted.error if few is points else row.error
    return row._replace(formula=fitted.formula, start=fitted.start, error=error, constants=around)
