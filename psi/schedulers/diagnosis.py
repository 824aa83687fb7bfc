"""What a training log shows, in plain words: diagnose(read_log(path)).

The thumb rule of updates that are 10⁻³ of the weights: Karpathy, CS231n, 2015.
"""

import numpy as np

from psi.schedulers.course import course, rate_cuts, rising
from psi.schedulers.finding import Finding, at_rates, where
from psi.schedulers.log import Log
from psi.schedulers.trend import LEAST, trend

ABOVE = 1.3  # times ε_0: single minibatches may well be somewhat above it
NEAR = 31  # lines: where a jump is compared with the usual changes
USUAL = 1e-3  # an update over the weights


def diagnose(log: Log, initial_loss: float | None = None) -> list[Finding]:
    """What the log shows, the worst first; never empty.

    `initial_loss` is ε_0 where it is known, log(classes) for cross-entropy: above it a loss is
    worse than none had been learnt. Raises ValueError unless it is positive.
    """
    if initial_loss is not None and not 0 < initial_loss < np.inf:
        raise ValueError(f"initial_loss must be positive and finite, got {initial_loss}")
    curve = trend(log)
    found = [_not_finite(log), _above(log, initial_loss)]
    if curve is None:
        few = f"Of {np.isfinite(log.loss).sum()} finite losses nothing more can be told"
        found.append(Finding("too short", f"{few}, of {LEAST} it could."))
    else:
        risen = rising(log, curve) or _spikes(log)
        found += [risen, *rate_cuts(log, curve), course(log, curve, risen)]
    said = [each for each in found if each is not None]
    wrong = [each for each in said if each.name != "healthy"]
    ratio = _update_ratio(log)
    return (wrong or said) + ([ratio] if ratio else [])


def _not_finite(log: Log) -> Finding | None:
    bad = np.flatnonzero(~np.isfinite(log.loss))
    if len(bad) == 0:
        return None
    begin, end = map(float, log.at[bad[[0, -1]]])
    text = (
        f"The loss is not finite in {len(bad)} of {len(log.loss)} lines, first at "
        f"{where(log, begin)}{at_rates(log.rate[bad[:1]])}. The rate is too high there, unless "
        "the data holds such values: lower it before that point, or warm up."
    )
    return Finding("rate too high", text, (begin, end))


def _above(log: Log, initial_loss: float | None) -> Finding | None:
    if initial_loss is None:
        return None
    above = np.flatnonzero(log.loss > ABOVE * initial_loss)
    if len(above) == 0:
        return None
    begin, end = map(float, log.at[above[[0, -1]]])
    text = (
        f"The loss is above {initial_loss:.3g}, what it is before training, in {len(above)} lines, "
        f"first at {where(log, begin)}{at_rates(log.rate[above[:1]])}, up to "
        f"{log.loss[above][np.isfinite(log.loss[above])].max(initial=-np.inf):.3g}: updates there "
        "did harm. Lower the rate, or warm up."
    )
    return Finding("rate too high", text, (begin, end))


def _spikes(log: Log) -> Finding | None:
    """Jumps up from one line to the next, of ten times the usual change and of some size."""
    fine = np.isfinite(log.loss)
    loss, at = log.loss[fine], log.at[fine]
    change = np.diff(loss)
    near = np.abs(np.pad(change, NEAR // 2, mode="reflect"))
    usual = 1.5 * np.median(np.lib.stride_tricks.sliding_window_view(near, NEAR), 1)
    least = np.maximum(10 * usual, max(0.25 * (loss[0] - loss.min()), 0.05 * abs(loss[0])))
    jumps = np.flatnonzero(change > least) + 1
    if len(jumps) == 0:
        return None
    worst = int(jumps[np.argmax(change[jumps - 1])])
    often = "Once" if len(jumps) == 1 else f"{len(jumps)} times"
    text = (
        f"{often} the loss jumps up, at {where(log, float(at[worst]))} from "
        f"{loss[worst - 1]:.3g} to {loss[worst]:.3g}, and comes down again: updates that are too "
        "long. Clip the gradients, or lower the rate a little."
    )
    return Finding("spikes", text, (float(at[jumps[0]]), float(at[jumps[-1]])))


def _update_ratio(log: Log) -> Finding | None:
    ratios = log.update_ratio[np.isfinite(log.update_ratio) & (log.update_ratio > 0)]
    if len(ratios) == 0:
        return None
    middle = float(np.median(ratios))
    if middle > 10 * USUAL:
        said = "far above it: the rate is rather too high."
    elif middle < USUAL / 10:
        said = "far below it: the rate is rather too low."
    else:
        said = "near it."
    text = (
        f"Updates are {middle:.1g} of the weights (median; {ratios.min():.1g} to "
        f"{ratios.max():.1g}). 10⁻³ is the rule of thumb; this is {said}"
    )
    return Finding("update-to-weight ratio", text)
