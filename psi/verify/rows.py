"""A row of `psi verify`: an estimate, the truth, and the largest difference that is allowed."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from psi.lab.engine.timing import timed


class Row(NamedTuple):
    """One comparison. Fields become keys of the JSON."""

    problem: str
    what: str
    estimate: float
    truth: float
    relative_error: float
    """|estimate − truth|/|truth|; |estimate − truth| of exponents; excess over a bound."""
    tolerance: float
    ok: bool
    seconds: float = 0.0
    """Time that the check took, compilation included; on its first row."""


def relative(problem: str, what: str, estimate: float, truth: float, tolerance: float) -> Row:
    """A number that must be the truth within `tolerance` times the truth."""
    return _row(problem, what, estimate, truth, abs(estimate - truth) / abs(truth), tolerance)


def absolute(problem: str, what: str, estimate: float, truth: float, tolerance: float) -> Row:
    """An exponent or a share, which must be the truth within `tolerance`."""
    return _row(problem, what, estimate, truth, abs(estimate - truth), tolerance)


def at_most(problem: str, what: str, estimate: float, bound: float) -> Row:
    """A number that must not be above a bound."""
    return _row(problem, what, estimate, bound, max(0.0, estimate / bound - 1), 0.0)


def at_least(problem: str, what: str, estimate: float, bound: float) -> Row:
    """A number that must not be below a bound."""
    return _row(problem, what, estimate, bound, max(0.0, bound - estimate), 0.0)


def many(
    problem: str,
    what: str,
    estimates: Float[np.ndarray, " point"],
    truths: Float[np.ndarray, " point"],
    median: float,
    worst: float | None = None,
) -> list[Row]:
    """The median relative error of many numbers, and the worst of them."""
    errors = np.nan_to_num(np.abs(estimates / truths - 1), nan=np.inf)
    middle = int(np.argsort(errors)[len(errors) // 2])
    picked = [("median", middle, median)]
    if worst is not None:
        picked.append(("worst", int(errors.argmax()), worst))
    count = len(errors)
    return [
        _row(problem, f"{what}: the {name} of {count}", estimates[k], truths[k], errors[k], limit)
        for name, k, limit in picked
    ]


def with_seconds(checks: Callable[[], Sequence[Row]]) -> list[Row]:
    """The rows of one problem, the first with the seconds that they took."""
    spent, (first, *others) = timed(checks)
    return [first._replace(seconds=round(spent, 1)), *others]


def _row(problem: str, what: str, *numbers: float) -> Row:
    estimate, truth, error, tolerance = map(float, numbers)
    return Row(problem, what, estimate, truth, error, tolerance, error <= tolerance)  # NaN: not ok
