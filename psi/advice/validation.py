"""Findings in the validation loss of a log: overfitting, values that cannot be, an end of its fall.

Overfitting is told where the rise after the lowest point is many standard errors of the validation
loss's own noise, and the training loss does not rise with it.
"""

import numpy as np

from psi.advice.findings import Finding, not_finite_lines, position
from psi.advice.log import Log
from psi.advice.smoothing import MAX_LOSS, MIN_CORRELATION, SURE, Trend, trend_of
from psi.advice.table import MIN_LINES, Values, count

SHARE = 0.1  # of the fall: what counts as a rise
FEW, MUCH, SOME = 3, 0.25, 0.15  # rises in a row and the share risen, where validations are few
MANY = 20  # validations: their trend can be estimated
SURE_OF_FEW = 5.5  # standard errors, which few validations show badly
UNSURE, HINT = 3.5, 1.0  # standard errors: worth a sentence; while the training loss falls on
TWICE = 2.0  # standard errors


def validation_not_finite(log: Log) -> Finding | None:
    """Validation losses that are NaN or infinite."""
    if (seen := not_finite_lines(log, "validation loss", *log.validation)) is None:
        return None
    why = ": the network broke there, or the validation rows hold such values."
    return Finding("validation not finite", seen[0] + why, seen[1])


def validation_constant(log: Log) -> Finding | None:
    """A validation loss that never changes."""
    value = log.validation.value
    if len(value) < MIN_LINES or not (value == value[0]).all():
        return None
    text = (
        f"The validation loss is exactly {value[0]:.6g} in all {count(len(value), 'line')}: it is "
        "not measured anew, or the network does not change."
    )
    return Finding("constant validation loss", text)


def overfitting(log: Log, curve: Trend | None) -> Finding | None:
    """A validation loss that rises after its lowest point while the training loss does not."""
    fine = np.abs(log.validation.value) < MAX_LOSS
    at, value = log.validation.at[fine], log.validation.value[fine]
    if len(value) < 2:
        return None
    lowest = int(np.argmin(value))
    training = _training(log, curve, float(at[lowest]))
    unsure = HINT if training == "falls on" else UNSURE
    sure = _rises(trend_of(log.validation), value, unsure)
    if sure is None or training is None:
        return None
    best, end = position(log, at[lowest]), position(log, at[-1])
    text = (
        f"The validation loss is lowest at {best}, {value[lowest]:.4g}, and rises to "
        f"{value[-1]:.4g} at {end}, while the training loss {training}"
    )
    if not sure:
        few = f": {count(len(value), 'validation')} are too few to be sure that it overfits."
        if len(value) >= MANY:
            few = ": against its noise that is not enough to be sure that it overfits."
        return Finding("validation rises", text + few, (float(at[lowest]), float(at[-1])))
    text += (
        f": from {best} on it learns its training rows alone. Keep the weights of {best}, or "
        "regularise: more data, weight decay, dropout."
    )
    return Finding("overfitting", text, (float(at[lowest]), float(at[-1])))


def _rises(curve: Trend | None, value: Values, unsure: float) -> bool | None:
    """Whether it is sure that the end is above the lowest; None where nothing rises."""
    lowest = int(np.argmin(value))
    if curve is not None and len(value) >= MANY:
        s = curve.smooth
        first = int(np.argmin(s))
        risen = s[-1] - s[first]
        errors = SURE * float(risen) / max(curve.sure(first, -1), 1e-300)
        if risen < SHARE * curve.fall or errors < unsure:
            return None
        return errors > SURE
    many = len(value) >= MIN_LINES
    share = float(value[-1] - value[lowest]) / max(abs(value[lowest]), 1e-300)
    after = np.diff(value[lowest:])
    rises = len(after) if (after > 0).all() else 0  # in a row, to the end
    if (rises >= FEW + many and share > MUCH) or (many and _risen_at_the_end(value, SURE_OF_FEW)):
        return True
    enough = 1 if len(value) < 5 else FEW if many else 2
    some = rises >= enough and share > (MUCH if many else SOME)
    return False if some or (many and _risen_at_the_end(value, unsure)) else None


def _risen_at_the_end(value: Values, errors: float) -> bool:
    """Whether the mean of the last three is that many errors above that around the lowest.

    The noise of one value is the median second difference, which a steep fall makes larger, times
    the factor for neighbours that are correlated by MIN_CORRELATION.
    """
    lowest = min(int(np.argmin(value)), len(value) - 4)
    low = float(value[max(lowest - 1, 0) : lowest + 2].mean())
    noise = float(np.median(np.abs(np.diff(value, 2)))) / (0.6745 * np.sqrt(6))
    noise *= np.sqrt((1 + MIN_CORRELATION) / (1 - MIN_CORRELATION))
    rise = float(value[-3:].mean()) - low
    share = SHARE * min(errors / UNSURE, 1.0)
    return rise > max(errors * noise * np.sqrt(2 / 3), SHARE * abs(low), share * (value[0] - low))


def _training(log: Log, curve: Trend | None, since: float) -> str | None:
    """What the training loss does from a position on, in words; None where it rises."""
    if curve is None:
        fine = np.isfinite(log.loss)
        loss, at = log.loss[fine], log.at[fine]
        if len(loss) < 2:
            return None
        line = min(max(int(np.searchsorted(at, since, "right")) - 1, 0), len(at) - 1)
        fell = loss[line] - loss[-1]
        return "falls on" if fell > 0 else "does not rise" if fell == 0 else None
    line = max(int(np.searchsorted(curve.at, since, "right")) - 1, 0)
    s = curve.smooth
    fell = s[line] - s[-1]
    if -fell > max(curve.sure(line, -1), SHARE * curve.fall):
        return None
    return "falls on" if fell > curve.sure(line, -1) or fell > SHARE * curve.fall else "stands"


def falls_on(log: Log) -> bool | None:
    """Whether the validation loss is lower in its last third than in the middle one.

    None where too few were logged to tell.
    """
    curve = trend_of(log.validation)
    if curve is None:
        return None
    return curve.late_fall > TWICE * curve.error_of_thirds
