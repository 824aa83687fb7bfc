"""What a training log shows, in plain words: diagnose(read_log(path)).

The thumb rule of updates that are 10⁻³ of the weights: Karpathy, CS231n, 2015.
"""

import numpy as np

from psi.advice.course import course, rate_cuts, rising
from psi.advice.finding import Finding, at_rates, where
from psi.advice.log import Log
from psi.advice.trend import LEAST, trend, usable
from psi.law.checks import check_positive

ABOVE = 1.3  # times ε_0: single minibatches may well be somewhat above it
NEAR = 31  # lines: where a jump is compared with the usual changes
USUAL = 1e-3  # an update over the weights


def diagnose(log: Log, initial_loss: float | None = None) -> list[Finding]:
    """What the log shows, the worst first; never empty.

    `initial_loss` is ε_0 where it is known, log(classes) for cross-entropy: above it a loss is
    worse than none had been learnt. Raises ValueError unless it is positive.
    """
    if initial_loss is not None:
        check_positive("initial_loss", initial_loss)
    curve = trend(log)
    found = [_not_finite(log), _above(log, initial_loss)]
    if curve is None:
        few = f"Of {usable(log).sum()} finite losses nothing more can be told"
        found.append(Finding("too short", f"{few}, of {LEAST} it could."))
    else:
        risen = rising(log, curve) or _jumps(log)
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
    most = log.loss[above].max()
    up_to = f", up to {most:.3g}" if np.isfinite(most) else ""
    why = "updates did harm" if above[0] else "the initialisation is bad, or updates did harm"
    text = (
        f"The loss is more than {ABOVE:g} times {initial_loss:.3g}, what it is before training, in "
        f"{len(above)} lines, first at {where(log, begin)}{at_rates(log.rate[above[:1]])}{up_to}: "
        f"{why}. Lower the rate, or warm up."
    )
    return Finding("rate too high", text, (begin, end))


def _jumps(log: Log) -> Finding | None:
    """Jumps up from one line to the next, of ten times the usual change and of some size."""
    fine = usable(log)
    loss, at, rate = log.loss[fine], log.at[fine], log.rate[fine]
    change = np.diff(loss)
    near = np.abs(np.pad(change, NEAR // 2, mode="reflect"))
    usual = 1.5 * np.median(np.lib.stride_tricks.sliding_window_view(near, NEAR), 1)
    least = np.maximum(10 * usual, max(0.25 * (loss[0] - loss.min()), 0.05 * abs(loss[0])))
    jumps = [int(k) for k in np.flatnonzero(change > least) + 1 if k < len(loss) - 2]
    stays = [k for k in jumps if loss[k + 1 : k + NEAR].min() > (loss[k - 1] + loss[k]) / 2]
    if not jumps:
        return None
    worst = max(stays or jumps, key=lambda k: change[k - 1])
    jump = f"at {where(log, at[worst])} from {loss[worst - 1]:.3g} to {loss[worst]:.3g}"
    if stays:
        text = f"The loss jumps up {jump} and stays there{at_rates(rate[worst : worst + 1])}: "
        span = float(at[worst]), float(at[-1])
        return Finding("rate too high", text + "too high a rate there.", span)
    often = "Once" if len(jumps) == 1 else f"{len(jumps)} times"
    text = (
        f"{often} the loss jumps up, {jump}, and comes down again: updates that are too long. Clip "
        "the gradients, or lower the rate a little."
    )
    return Finding("spikes", text, (float(at[jumps[0]]), float(at[jumps[-1]])))


def _update_ratio(log: Log) -> Finding | None:
    ratios = log.update_ratio[np.isfinite(log.update_ratio) & (log.update_ratio > 0)]
    if len(ratios) == 0:
        return None
    middle = float(np.median(ratios))
    high = middle > USUAL
    times = middle / USUAL if high else USUAL / middle
    if times < 3:
        said = "near it."
    else:
        far = "far " if times > 10 else ""
        said = f"{far}{'above' if high else 'below'} it"
        said += f": the rate is rather too {'high' if high else 'low'}." if far else "."
    text = (
        f"Updates are {middle:.2g} of the weights (median; {ratios.min():.2g} to "
        f"{ratios.max():.2g}). 10⁻³ is the rule of thumb; this is {said}"
    )
    return Finding("update-to-weight ratio", text)
