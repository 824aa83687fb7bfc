"""The lines of a training log put in one order, whatever wrote them.

One rule for all formats. A line counts if its loss was logged. Counts and the rate hold until the
next one is logged, as some trainers give them lines of their own. Where the count falls a resumed
run begins: of what it repeats, the later lines count.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from psi.advice.table import Numbers, Values

Mask = NDArray[np.bool_]
SELDOM = 0.4  # of the lines: fewer that are NaN are no marks
RARE = 0.1  # of the lines: as many may be of the same count as the line before
MOST_RUNS = 10  # that one file may hold, or a twentieth of its lines


def held(values: Values) -> Values:
    """Replace what is not finite by the last value before it, or else by the first one."""
    known = np.flatnonzero(np.isfinite(values))
    if len(known) == 0:
        return values
    return values[known[np.maximum(np.searchsorted(known, np.arange(len(values)), "right") - 1, 0)]]


def losses_logged(loss: Numbers, others: Sequence[Values]) -> Mask:
    """Which rows hold a loss, where a writer may put NaN into a cell that has none.

    NaN is such a mark in rows of another quantity that is never logged beside a loss.
    """
    marks = np.zeros(len(loss.values), bool)
    for other in others:
        marks |= never_beside(loss.values, other)
    return loss.logged & ~marks


def never_beside(values: Values, other: Values) -> Mask:
    """Rows where `values` is NaN and `other` is not, if they are never finite in the same row."""
    finite, known = np.isfinite(values), np.isfinite(other)
    if not finite.any() or (known & finite).any():
        return np.zeros(len(values), bool)
    return np.isnan(values) & known


def validations_logged(validation: Numbers, logged: Mask) -> Mask:
    """Which rows hold a validation loss; NaN in most rows, at first or between others marks none.

    Args:
        validation: the column; shape=(rows,).
        logged: rows that hold a training loss.
    """
    values = validation.values
    finite, written = np.isfinite(values), validation.logged
    nan = written & np.isnan(values)
    if not nan.any():
        return written
    if not finite.any():
        return written & ~nan
    if not (finite & logged).any():  # lines of their own: NaN in a line of training is a mark
        nan &= ~logged
        written = written & ~(np.isnan(values) & logged)
    first, last = np.flatnonzero(finite)[[0, -1]]
    written = written & ~(nan & (np.arange(len(values)) < first))
    rows = np.flatnonzero(written)
    gaps = np.diff(np.flatnonzero(finite[rows]))
    after = nan.copy()
    after[: last + 1] = False
    if after.sum() <= gaps.max(initial=1) - 1:
        after[:] = False
    between = nan & ~after
    seldom = between[first : last + 1].sum() < SELDOM * written[first : last + 1].sum()
    return written & ~(between & (not seldom))


class Resumed(NamedTuple):
    """Where resumed runs begin again; shape=(rows,) each."""

    later: Values
    """The lowest count at which a run begins below the row; infinite where none does."""
    between: Mask
    """Rows of no loss between the last loss of a run and the first one of the next."""
    runs: int
    """How often the count falls or begins again."""

    def kept(self, at: Values) -> Mask:
        """Which rows at these positions no later run repeats."""
        # Between two runs, a rate that is logged at the count of the new one is its own.
        return np.where(self.between, at <= self.later, at < self.later)


def resumed(at: Values, logged: Mask, restarts: Sequence[int], name: str) -> Resumed:
    """Find where a resumed run begins: the count falls, or stands still where it seldom does.

    Args:
        at: the count in each row, held; shape=(rows,).
        logged: rows that hold a loss.
        restarts: rows before which a header stands again.
        name: of the count.

    Raises:
        ValueError: the count falls so often that it is no count of one run.
    """
    rows = np.flatnonzero(logged)
    change = np.diff(at[rows])
    again = change < 0
    for row in restarts:
        k = int(np.searchsorted(rows, row)) - 1
        if 0 <= k < len(change):
            again[k] = change[k] <= 0
    if (change == 0).sum() <= RARE * len(change):
        again |= change == 0
    if again.sum() > max(MOST_RUNS, len(rows) / 20):
        k = int(np.argmax(change < 0))
        before, after = at[rows[[k, k + 1]]]
        raise ValueError(
            f"one run a log, but {name} falls from {before:g} to {after:g}, and "
            f"{again.sum() - 1} times more"
        )
    begins = np.full(len(at), np.inf)
    begins[rows[1:][again]] = at[rows[1:][again]]
    later = np.append(np.minimum.accumulate(begins[::-1])[::-1][1:], np.inf)
    following = np.append(rows, len(at) - 1)[np.searchsorted(rows, np.arange(len(at)), "left")]
    return Resumed(later, ~logged & np.isfinite(begins[following]), int(again.sum()))


def positions(at: Values, known: Mask, rows: Mask, logged: Mask) -> Values:
    """Where a quantity's rows are, in the count of the losses; shape=(rows,), of all rows.

    A count that is most often below that of the loss before it counts something else (MMEngine:
    epochs in lines of validation): then the position of that loss stands in its place.

    Args:
        at: the count in each row, held.
        known: rows in which it is logged.
        rows: those of the quantity.
        logged: those of a loss.
    """
    before = at[np.maximum.accumulate(np.where(logged, np.arange(len(at)), 0))]
    own = known & rows
    another = (at < before)[own].sum() > 0.5 * own.sum()
    return np.where(known & (not another), at, before)
