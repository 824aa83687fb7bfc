"""Findings in the gradient norm and in the learning rate of a log."""

import numpy as np

from psi.advice.findings import NEAR, Finding, local_median, not_finite_lines, position
from psi.advice.log import Log
from psi.advice.table import MIN_LINES, count

GROWN = 10.0  # times the median of the first half
SPIKE = 10.0  # times the median of the lines near it


def gradients_not_finite(log: Log) -> Finding | None:
    """Gradient norms that are NaN or infinite."""
    if (seen := not_finite_lines(log, "gradient norm", *log.gradient_norm)) is None:
        return None
    why = (
        "it stays so to the end, the run broke there. Lower the rate or look at the data before it."
        if not np.isfinite(log.gradient_norm.value[-1])
        else "mixed precision leaves out such steps; if they are many, lower the rate."
    )
    return Finding("gradients not finite", f"{seen[0]}: {why}", seen[1])


def gradients_zero(log: Log) -> Finding | None:
    """Gradient norms that are exactly 0 to the end."""
    at, norm = log.gradient_norm
    others = np.flatnonzero(norm != 0)
    first = int(others[-1]) + 1 if len(others) else 0
    if len(norm) - first < 3:
        return None
    text = (
        f"The gradient norm is exactly 0 from {position(log, at[first])} on: nothing is learnt. "
        "Units are dead, or the loss does not depend on the weights."
    )
    return Finding("gradients are 0", text, (float(at[first]), float(at[-1])))


def gradients_grow(log: Log) -> Finding | None:
    """A gradient norm that is much larger at the end than in the first half."""
    fine = np.isfinite(log.gradient_norm.value)
    at, norm = log.gradient_norm.at[fine], log.gradient_norm.value[fine]
    if len(norm) < MIN_LINES:
        return None
    last = norm[-max(len(norm) // 10, 3) :]
    usual, end = float(np.median(norm[: len(norm) // 2])), float(np.median(last))
    if end <= GROWN * usual:
        return None
    begin = float(at[np.flatnonzero(norm <= GROWN * usual)[-1]])
    text = (
        f"The gradient norm grows: its median is {usual:.3g} in the first half of the log and "
        f"{end:.3g} in the last {count(len(last), 'line')}. The training is about to break: lower "
        "the rate or clip the gradients."
    )
    return Finding("gradients grow", text, (begin, float(at[-1])))


def gradient_spikes(log: Log) -> Finding | None:
    """Single gradient norms far above those near them."""
    fine = np.isfinite(log.gradient_norm.value)
    at, norm = log.gradient_norm.at[fine], log.gradient_norm.value[fine]
    if len(norm) < NEAR:
        return None
    usual = local_median(norm)
    spikes = np.flatnonzero((norm > SPIKE * usual) & (usual > 0))
    if len(spikes) == 0:
        return None
    worst = int(spikes[np.argmax(norm[spikes])])
    text = (
        f"The gradient norm is more than {SPIKE:g} times that of the lines near it in "
        f"{count(len(spikes), 'line')}, at most {norm[worst]:.4g} at {position(log, at[worst])}: "
        "clip the gradients, and look at the rows of such a step."
    )
    return Finding("gradient spikes", text, (float(at[spikes[0]]), float(at[spikes[-1]])))


def rate_impossible(log: Log) -> Finding | None:
    """A learning rate that is negative, or no longer finite."""
    known = np.flatnonzero(np.isfinite(log.rate))
    if len(known) == 0:
        return None
    bad = np.flatnonzero(~np.isfinite(log.rate) | (log.rate < 0))
    if len(bad) == 0:
        return None
    what = "negative" if log.rate[bad[0]] < 0 else "not finite"
    begin, end = map(float, log.at[bad[[0, -1]]])
    text = f"The learning rate is {what} in {count(len(bad), 'line')}, first at "
    text += f"{position(log, begin)}: the schedule is wrong."
    return Finding("impossible rate", text, (begin, end))


def rate_zero(log: Log) -> Finding | None:
    """A learning rate that is 0 to the end: what a loss does there is no learning."""
    others = np.flatnonzero(log.rate != 0)
    first = int(others[-1]) + 1 if len(others) else 0
    if len(log.rate) - first < max(3, len(log.rate) / 10):
        return None
    text = (
        f"The learning rate is 0 from {position(log, log.at[first])} on: nothing is learnt there. "
        "The schedule ends before the training does."
    )
    return Finding("rate is 0", text, (float(log.at[first]), float(log.at[-1])))
