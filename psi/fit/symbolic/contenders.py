"""The contenders among many structures: each once, with fitted constants, short for what it fits.

A first look at some of the points: a structure is followed up when it fits better than every
shorter one, up to three of a length. What is followed up loses a part at a time, and what results
is looked at too; formulas that are no learning rate somewhere take part in that alone.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from psi.fit.formula.formula import Candidate
from psi.fit.formula.points import Points
from psi.fit.formula.refit import Fit, refit
from psi.fit.symbolic.config import SymbolicConfig
from psi.fit.symbolic.limits import refusal
from psi.fit.symbolic.reduce import reductions
from psi.fit.symbolic.simplify import canonical
from psi.law.expression import size

EACH = 3  # of one length
ROUNDS = 3
BLIND = 12  # starts

Fits = dict[str, Fit]
"""By structure; the failure of what is no learning rate everywhere is the reason."""


def contenders(
    candidates: Sequence[Candidate], points: Points, config: SymbolicConfig
) -> list[Fit]:
    """What is worth judging: valid rates, shortest first; then the best of the invalid ones."""
    few = _some(points, config)
    fits: Fits = {}
    _add(fits, candidates, few, points, config.starts)
    seen: set[str] = set()
    for _ in range(ROUNDS):
        fresh = [key for key in (*_best(fits, True), *_best(fits, False)) if key not in seen]
        seen.update(fresh)
        for key in dict.fromkeys(fresh):
            _add(fits, reductions(fits[key].candidate, points.names), few, points, 1)
    rates = _best(fits, True)
    return [fits[key] for key in (*rates, *(k for k in _best(fits, False) if k not in rates))]


def _some(points: Points, config: SymbolicConfig) -> Points:
    """As many of the points that count as a genetic search sees."""
    used = np.flatnonzero(points.weight > 0)
    picked = np.random.default_rng(config.seed).permutation(used)[: config.rows]
    return points.take(np.sort(picked))


def _add(
    fits: Fits, candidates: Iterable[Candidate], few: Points, points: Points, starts: int
) -> None:
    """Simplify and refit the candidates, and keep those of a new structure."""
    for each in candidates:
        try:
            key, shorter = canonical(each, points.names)
        except ArithmeticError:
            continue
        if key in fits or len(shorter.start) >= len(few.weight):
            continue
        # Constants of which nothing is known need a search.
        known = np.isfinite(each.start).any()
        fit = refit(shorter, few, starts if known else BLIND)
        if not fit.failure:
            fit = fit._replace(failure=refusal(fit.expression, points))
        fits[key] = fit


def _best(fits: Fits, valid: bool) -> list[str]:
    """Up to EACH of a length, those that fit better than everything shorter; shortest first.

    With `valid` off, those that are no learning rate everywhere count too.
    """
    ranked = sorted(
        (size(each.formula.tree), each.error, key)
        for key, each in fits.items()
        if not each.failure or (not valid and np.isfinite(each.error))
    )
    kept: list[str] = []
    shorter, least, length, count = np.inf, np.inf, 0, 0
    for nodes, error, key in ranked:
        if nodes > length:
            shorter, length, count = least, nodes, 0
        if error < shorter and count < EACH:
            kept.append(key)
            count += 1
        least = min(least, error)
    return kept
