"""Is a formula a learning rate wherever it may be asked for one?

Two rules, on a grid over the features:

* Inside the domain, the range of each feature seen, Ψ is finite and positive, and nothing that
  it divides by changes its sign: a pole between two points of the grid.
* Just beyond it, where losses go on towards 0 and epochs towards T, Ψ is finite and not negative,
  and nowhere more than 100 times its greatest value inside.

Beyond means a decade below the least loss; progress up to 1; epochs up to a tenth of their range
more, for a formula of raw epochs may have a budget of its own. A factor of 100 a decade is the
exponent −2: the ideal rate of an exponential tail grows like 1/ε (Zhang et al. 2025, arXiv
2504.04105), which is legitimate, while a pole or exp(1/ε) is an accident of the fit. A rate of
zero is legitimate at the end alone.
"""

from collections.abc import Iterator
from itertools import product

import numpy as np
from jaxtyping import Bool, Float

from psi.fit.formula.families import TIMES
from psi.fit.formula.points import Points
from psi.law.expression import Apply, Expression, evaluate, nodes

CELLS = 2500  # points of the grid
DECADE = 10.0
GROWTH = 100.0


def refusal(formula: Expression, points: Points) -> str:
    """Why the formula is no learning rate over the points' features; empty where it is one."""
    grid, inside = _grid(points)
    divisions = (n for n in nodes(formula) if isinstance(n, Apply) and n.operation == "div")
    with np.errstate(all="ignore"):
        rate = evaluate(formula, points.names, grid, np)
        divisors = [
            np.asarray(evaluate(each.arguments[1], points.names, grid[:, inside], np))
            for each in divisions
        ]
    rate = np.broadcast_to(np.asarray(rate, float), inside.shape)
    if any(value.min() < 0 < value.max() for value in divisors):
        return "a pole in the domain"
    for bad, reason in _faults(rate, inside):
        if bad.any():
            k = int(np.argmax(bad))
            at = ", ".join(f"{n} = {v:.3g}" for n, v in zip(points.names, grid[:, k], strict=True))
            return f"{reason}: {rate[k]:.3g} at {at}"
    return ""


def _faults(
    rate: Float[np.ndarray, " cell"], inside: Bool[np.ndarray, " cell"]
) -> Iterator[tuple[Bool[np.ndarray, " cell"], str]]:
    fine = np.isfinite(rate)
    yield inside & ~fine, "not finite in the domain"
    yield inside & (rate <= 0), "not positive in the domain"
    yield ~fine, "not finite beyond the domain"
    yield rate < 0, "negative beyond the domain"
    yield rate > GROWTH * rate[inside].max(), "grows without bound beyond the domain"


def _grid(points: Points) -> tuple[Float[np.ndarray, "feature cell"], Bool[np.ndarray, " cell"]]:
    """Every combination of values of the features, and whether all are in the range seen."""
    count = max(int(CELLS ** (1 / len(points.names))), 4)
    axes = [_axis(n, v, count) for n, v in zip(points.names, points.values, strict=True)]
    grid = np.array(list(product(*(values for values, _ in axes)))).T
    inside = np.array([all(each) for each in product(*(inside for _, inside in axes))])
    return grid, inside


def _axis(
    name: str, column: Float[np.ndarray, " point"], count: int
) -> tuple[Float[np.ndarray, " value"], Bool[np.ndarray, " value"]]:
    low, high = float(column.min()), float(column.max())
    if name == "parameters":  # no network grows; another's P is clipped to the domain
        inside, beyond = np.geomspace(low, high, count), np.zeros(0)
    elif name in TIMES:
        end = 1.0 if name == "progress" else high + (high - low) / 10
        inside = np.linspace(low, high, count - 3)
        beyond = np.linspace(high, max(end, high), 4)[1:]
    elif low > 0:
        inside = np.geomspace(low, high, count - 6)
        beyond = np.geomspace(low / DECADE, low, 7)[:-1]
    else:
        inside, beyond = np.linspace(low, high, count), np.zeros(0)
    return np.append(inside, beyond), np.repeat([True, False], [inside.size, beyond.size])
