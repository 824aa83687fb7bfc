"""Curves fitted to ideal rates: weighted robust least squares in log α from many starts.

Starts and folds are the lanes of one program (`psi.fit.formula.least_squares`). Ideal rates of one
task are not independent, so what a fit is worth is its error on tasks that were left out whole.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from psi.fit.formula.aggregate import MANY, aggregated
from psi.fit.formula.families import Family
from psi.fit.formula.formula import Parameter, Vector
from psi.fit.formula.held_out import unit, units
from psi.fit.formula.least_squares import LANES, Table, solve
from psi.fit.formula.points import Points
from psi.ideal.resampling import folds
from psi.lab.data.kept import kept
from psi.law.expression import Apply, Expression, Variable, nodes
from psi.progress import Report, silent

STEPPED = 4  # times LANES starts where a constant stands under a floor
CLOSER = (0.1, 0.02, 0.004)  # nats around it


class Curve(NamedTuple):
    """A family with fitted constants, and its error on tasks that the fit did not see."""

    family: Family
    fitted: Vector
    """The constants as they are searched, the positive ones as logarithms."""
    error: float
    """Root of the weighted mean of (log Ψ − log α)², nats."""
    held_out: float
    """The same on tasks that the fit did not see; NaN where there is one task alone."""
    held_out_error: float
    """Its standard error, over tasks."""

    @property
    def constants(self) -> Vector:
        """The constants themselves."""
        return np.array(self.family.formula.constants(self.fitted), float)

    @property
    def expression(self) -> Expression:
        """The formula with its constants in place."""
        return self.family.formula.bound(self.fitted)


def fit_curves(
    table: Sequence[Family], points: Points, seed: int = 0, report: Report = silent
) -> list[Curve]:
    """Every family fitted, the one with the least error on held-out tasks first.

    Raises ValueError where fewer points count than there are constants. `report` gets how many
    families are done and the name of the next.
    """
    most = max(len(family.formula.parameters) for family in table)
    counting = int((points.weight > 0).sum())
    if counting < most:
        raise ValueError(f"{most} constants need as many points at least, got {counting}")
    few, curves = aggregated(points), []
    for number, family in enumerate(table):
        report(number, len(table), family.name)
        rng = np.random.default_rng([seed, number])
        best, *errors = kept("curve", partial(_fit, family, points, few, rng))
        curves.append(Curve(family, best, *map(float, errors)))
    report(len(table), len(table), "")
    alone = unit(points) == "point"  # no task can be held out
    return sorted(curves, key=lambda curve: curve.error if alone else curve.held_out)


def fit_curve(family: Family, points: Points, seed: int = 0) -> Curve:
    """One family fitted, as `fit_curves` does it."""
    return fit_curves([family], points, seed)[0]


def simplest(curves: Sequence[Curve]) -> Curve:
    """The curve of fewest constants within one standard error of the best on held-out tasks.

    The rule of Breiman et al. 1984; where no task could be held out, the best.
    """
    best = curves[0]
    close = [c for c in curves if c.held_out <= best.held_out + best.held_out_error] or [best]
    return min(close, key=lambda curve: len(curve.fitted))


def best_by_length(curves: Sequence[Curve]) -> list[Curve]:
    """The best curve of each number of constants, the shortest first; `curves` best first."""
    best: dict[int, Curve] = {}
    for curve in curves:
        best.setdefault(len(curve.fitted), curve)
    return [best[length] for length in sorted(best)]


def _fit(
    family: Family, points: Points, few: Points, rng: np.random.Generator
) -> tuple[Vector, float, float, float]:
    """What a Curve holds beside its family."""
    best = _searched(family, few, rng)
    folds, out = _folds(few, rng)
    again = solve(family, few, np.broadcast_to(best, (LANES, len(best))), few.weight * folds)[0]
    squares = [_squares(family, few, c) @ share for c, share in zip(again, out, strict=True)]
    if len(points.task) > MANY:  # exactly, from where the few led
        best = solve(family, points, best[None], points.weight[None])[0][0]
    share = few.weight / few.weight.sum()
    error = float(np.sqrt(_squares(family, few, best) @ share))
    return best, error, *_left_out(np.array(squares), out)


def _searched(family: Family, few: Points, rng: np.random.Generator) -> Vector:
    """The best of searches from many starts.

    The objective has no slope in a constant under a floor, which stays where it started: there are
    more starts then, and further ones ever closer around the best.
    """
    flat = _flat(family)
    weight = np.broadcast_to(few.weight, (LANES, len(few.weight)))
    ends = []
    for _ in range(STEPPED if flat else 1):
        starts = np.stack([_start(family.formula.parameters, few, rng) for _ in range(LANES)])
        ends.append(solve(family, few, starts, weight))
    for near in CLOSER if flat else ():
        starts = np.repeat(_best(ends)[None], LANES, 0)
        starts[:, flat] += near * np.linspace(-1, 1, LANES)[:, None]
        ends.append(solve(family, few, starts, weight))
    return _best(ends)


def _best(ends: Sequence[tuple[Table, Float[np.ndarray, " lane"]]]) -> Vector:
    found, objective = (np.concatenate(each) for each in zip(*ends, strict=True))
    return found[objective.argmin()]


def _flat(family: Family) -> list[int]:
    """Which constants stand under a floor."""
    floors = [
        n for n in nodes(family.formula.tree) if isinstance(n, Apply) and n.operation == "floor"
    ]
    under = {n.name for floor in floors for n in nodes(floor) if isinstance(n, Variable)}
    return [k for k, name in enumerate(family.formula.names) if name in under]


def _left_out(
    squares: Float[np.ndarray, " lane"], out: Float[np.ndarray, "lane point"]
) -> tuple[float, float]:
    """Root mean square over what was left out, and its standard error (delta method)."""
    used = out.sum(1) > 0
    if not used.any():
        return float("nan"), float("nan")
    squares = squares[used]
    root = float(np.sqrt(squares.mean()))
    error = squares.std() / np.sqrt(max(len(squares) - 1, 1)) / (2 * max(root, 1e-12))
    return root, float(error)


def _start(parameters: Sequence[Parameter], points: Points, rng: np.random.Generator) -> Vector:
    """Random constants to start from, the positive ones as logarithms."""
    loss, time = points.values[0], points.values[min(1, len(points.names) - 1)]
    low, high = np.log(np.quantile(loss[loss > 0], [0.01, 0.99])) if (loss > 0).any() else (-1, 1)
    end = np.log(max(time.max(), 1e-6))
    ranges = {
        "rate": np.quantile(points.log_rate, [0.05, 0.95]) + np.array([-1.0, 1.0]),
        "loss": (low - 1.0, high + 1.0),
        "time": (end - 4.0, end + 1.0),
        "number": (-2.0, 2.0),
        "divisor": (0.1, 2.5),
    }
    return np.array([rng.uniform(*ranges[each.quantity]) for each in parameters])


def _folds(
    points: Points, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "lane point"], Float[np.ndarray, "lane point"]]:
    """(which points each lane fits, the share of each among those it leaves out)."""
    kept = np.ones((LANES, len(points.task)))
    if unit(points) == "task":
        task = units(points)
        fold = folds(int(task.max()) + 1, LANES, rng)[task]
        kept[: fold.max() + 1] = fold[None] != np.arange(fold.max() + 1)[:, None]
    out = (1 - kept) * points.weight
    return kept, out / np.maximum(out.sum(1, keepdims=True), 1e-300)


def _squares(family: Family, points: Points, fitted: Vector) -> Float[np.ndarray, " point"]:
    with np.errstate(all="ignore"):
        rate = family.formula.value(points.names, points.values, fitted, np)
        return np.square(np.log(rate) - points.log_rate)
