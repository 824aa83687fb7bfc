"""Findings in losses that cannot be those of a training: exactly 0, constant, without a floor."""

import numpy as np

from psi.advice.findings import Finding, position
from psi.advice.log import Log
from psi.advice.smoothing import Trend, usable
from psi.advice.table import MIN_LINES, Values, count

SHARE = 0.02  # of the first loss: from less than that a loss may well be rounded to 0
DIGITS = 4  # a loss of fewer may be constant by rounding
NO_FLOOR = "loss without a floor"  # the name of a finding
FAR, VERY_FAR = 10, 100  # times the size of the first loss
AS_FAST, GOES_ON = 0.45, 0.3  # the last third's share of the fall over the last two


def turns_zero(log: Log) -> Finding | None:
    """A loss that is exactly 0 from some line on, or in single lines, and was not small before.

    Trainers that hide a NaN write 0 (Hugging Face's, with its gradient norm NaN).
    """
    fine = np.flatnonzero(usable(log))
    loss = log.loss[fine]
    filled = np.flatnonzero(loss)
    if len(filled) == 0 or (loss < 0).any():
        return None
    zeros = np.flatnonzero(loss == 0)
    before = loss[filled[np.searchsorted(filled, zeros) - 1]]
    zeros = zeros[before > SHARE * loss[0]]
    if len(zeros) == 0:
        return None
    first = zeros[0]
    begin, end = float(log.at[fine[first]]), float(log.at[fine[zeros[-1]]])
    text = f"The loss falls from {loss[first - 1]:.4g} to exactly 0 at {position(log, begin)}"
    text += (
        f" and stays there, {count(len(loss) - first, 'line')} to the end"
        if (loss[first:] == 0).all()
        else f", and is 0 in {count(len(zeros), 'line')}"
    )
    text += ": the run broke there. As a rule that is a NaN which the trainer hides. Lower the "
    return Finding("loss is exactly 0", text + "rate or look at the data before it.", (begin, end))


def constant(log: Log) -> Finding | None:
    """A loss that is exactly the same in all lines, or in many to the end."""
    fine = usable(log)
    loss, at = log.loss[fine], log.at[fine]
    if len(loss) < MIN_LINES:
        return None
    others = np.flatnonzero(loss != loss[-1])
    first = int(others[-1]) + 1 if len(others) else 0
    lines = len(loss) - first
    digits = f"{abs(loss[-1]):.12e}".split("e")[0].replace(".", "").rstrip("0")
    rounded = first > 0 and (len(digits) < DIGITS or lines < max(MIN_LINES, len(loss) / 10))
    if rounded or (first > 0 and loss[-1] == 0):
        return None
    where = "in all" if first == 0 else f"from {position(log, at[first])} on in"
    text = (
        f"The loss is exactly {loss[-1]:.6g} {where} {count(lines, 'line')}: nothing is learnt. "
        "The weights do not move (are they in the optimizer, is the rate 0?), or it is not the "
        "training's loss."
    )
    return Finding("constant loss", text, (float(at[first]), float(at[-1])))


def no_floor(log: Log, curve: Trend | None) -> Finding | None:
    """A loss below zero that falls as fast as ever, far beyond the size of the first."""
    if curve is None or curve.loss[-1] >= 0:
        return None
    loss: Values = log.loss[usable(log)]
    first, last = loss[0], loss[-1]
    times = abs(last) / max(abs(first), 1.0)
    if times < FAR or curve.late_share < (GOES_ON if times > VERY_FAR else AS_FAST):
        return None
    beside = f", {times:,.0f} times the size of the first, {first:.4g}" if abs(first) > 1 else ""
    text = (
        f"The loss is negative and has no floor in sight: {last:.4g} at "
        f"{position(log, curve_end(log))}{beside}. Targets outside the loss's range or a loss "
        "with the wrong sign do that: check both; no rate helps."
    )
    return Finding(NO_FLOOR, text, (float(log.at[0]), float(log.at[-1])))


def curve_end(log: Log) -> float:
    """Position of the last usable loss."""
    return float(log.at[usable(log)][-1])
