"""The contenders among many structures: each once, with fitted constants, short for what it fits.

A first look at some of the points: a form is followed up when it fits better than every shorter
one, up to three of a length. What is followed up loses a part at a time, and what results joins
the pool; rates that are no rates somewhere take part in that alone.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from psi.fit.formula.formula import Form, constants
from psi.fit.formula.points import Points
from psi.fit.formula.refit import Refitted, refit
from psi.fit.symbolic.config import SymbolicConfig
from psi.fit.symbolic.limits import refusal
from psi.fit.symbolic.reduce import reductions
from psi.fit.symbolic.simplify import canonical
from psi.law.expression import size

EACH = 3  # of one length
ROUNDS = 3
BLIND = 12  # starts

Pool = dict[str, Refitted]
"""By structure; the failure of a form that is no rate everywhere is the reason."""


def contenders(forms: Sequence[Form], points: Points, config: SymbolicConfig) -> list[Refitted]:
    """What is worth judging: rates, shortest first, and after them the best that are none."""
    few = _some(points, config)
    pool: Pool = {}
    _join(pool, forms, few, points, config.starts)
    seen: set[str] = set()
    for _ in range(ROUNDS):
        fresh = [key for key in (*_best(pool, True), *_best(pool, False)) if key not in seen]
        seen.update(fresh)
        for key in dict.fromkeys(fresh):
            _join(pool, reductions(pool[key].form, points.names), few, points, 1)
    rates = _best(pool, True)
    return [pool[key] for key in (*rates, *(k for k in _best(pool, False) if k not in rates))]


def _some(points: Points, config: SymbolicConfig) -> Points:
    """As many of the points that count as a genetic search sees."""
    used = np.flatnonzero(points.weight > 0)
    picked = np.random.default_rng(config.seed).permutation(used)[: config.rows]
    return points.take(np.sort(picked))


def _join(pool: Pool, forms: Iterable[Form], few: Points, points: Points, starts: int) -> None:
    """Put forms that are new into the pool, simplified and refitted."""
    for form in forms:
        try:
            key, shorter = canonical(form, points.names)
        except ArithmeticError:
            continue
        if key in pool or len(constants(shorter.tree, points.names)) >= len(few.weight):
            continue
        # A form that comes without numbers needs a search for them.
        fitted = refit(shorter, few, starts if form.start else BLIND)
        if not fitted.failure:
            fitted = fitted._replace(failure=refusal(fitted.formula, points))
        pool[key] = fitted


def _best(pool: Pool, rates: bool) -> list[str]:
    """Up to EACH of a length, those that fit better than everything shorter; shortest first.

    With `rates` off, those that are no rate everywhere count too.
    """
    ranked = sorted(
        (size(each.tree), each.error, key)
        for key, each in pool.items()
        if not each.failure or (not rates and np.isfinite(each.error))
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
