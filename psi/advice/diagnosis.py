"""What a training log shows, in plain words: every finding is a row of one table."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from psi.advice.choosing import Columns
from psi.advice.findings import Finding, above_initial_loss, jumps, not_finite, update_ratio
from psi.advice.gradient_and_rate import (
    gradient_spikes,
    gradients_grow,
    gradients_not_finite,
    gradients_zero,
    rate_impossible,
    rate_zero,
)  # fmt: skip
from psi.advice.impossible import constant, no_floor, turns_zero
from psi.advice.log import Log, read_log
from psi.advice.loss_curve import overall, rate_cuts, rising
from psi.advice.smoothing import Trend, trend, usable
from psi.advice.table import MIN_LINES
from psi.advice.validation import falls_on, overfitting, validation_constant, validation_not_finite
from psi.law.checks import check_positive

IMPOSSIBLE: tuple[Callable[[Log, Trend | None], Finding | None], ...] = (
    lambda log, _: turns_zero(log),
    lambda log, _: constant(log),
    no_floor,
)
"""Losses that cannot be those of a training: what their curve shows means nothing."""
COLUMNS: tuple[Callable[[Log, Trend | None], Finding | None], ...] = (
    lambda log, _: validation_not_finite(log),
    lambda log, _: validation_constant(log),
    overfitting,
    lambda log, _: gradients_not_finite(log),
    lambda log, _: gradients_zero(log),
    lambda log, _: gradients_grow(log),
    lambda log, _: gradient_spikes(log),
    lambda log, _: rate_impossible(log),
    lambda log, _: rate_zero(log),
)
"""What the other columns show. Beside any of these, nothing is healthy or to be continued."""
GOOD = ("healthy", "still falling")


def diagnose(
    path_or_log: str | Path | Log, initial_loss: float | None = None, columns: Columns | None = None
) -> list[Finding]:
    """Say what a training log shows: a rate too high or too low, a noise floor, a plateau.

    Args:
        path_or_log: a CSV file with a line for every epoch or step, or what `read_log` returned.
        initial_loss: ε_0 in nats where it is known, log(classes) for cross-entropy; losses well
            above it are a finding.
        columns: names of the file's columns, where they are not the usual ones.

    Returns:
        The findings, the worst first; never empty.

    Raises:
        ValueError: the file holds no log (as `read_log`), or initial_loss is not positive.
        OSError: the file cannot be read.

    Example:
        >>> import pathlib, tempfile
        >>> from psi.advice import diagnose
        >>> path = pathlib.Path(tempfile.mkdtemp(), "log.csv")
        >>> with path.open("w") as file:
        ...     print("epoch,loss,learning_rate", file=file)
        ...     for epoch in range(30):
        ...         print(f"{epoch},{2 + 0.1 * epoch},0.5", file=file)
        >>> for finding in diagnose(path):
        ...     print(finding.name, finding.span)
        rate too high (0.0, 29.0)
    """
    if initial_loss is not None:
        check_positive("initial_loss", initial_loss)
    log = path_or_log if isinstance(path_or_log, Log) else read_log(Path(path_or_log), columns)
    curve = trend(log)
    impossible = [each for rule in IMPOSSIBLE if (each := rule(log, curve))]
    others = [each for rule in COLUMNS if (each := rule(log, curve))]
    found = [*impossible, not_finite(log), above_initial_loss(log, initial_loss), *others]
    if curve is None:
        few = f"Of {usable(log).sum()} finite losses nothing more can be told"
        found.append(Finding("too short", f"{few}, of {MIN_LINES} it could."))
    elif not impossible:
        risen = rising(log, curve) or jumps(log)
        found += [risen, *rate_cuts(log, curve)]
        if np.isfinite(log.loss[-1]):  # else it broke, and what it was like before is no matter
            found.append(overall(log, curve, risen, falls_on(log)))
    findings = [each for each in found if each is not None]
    if others or not_finite(log):
        findings = [each for each in findings if each.name not in GOOD]
    wrong = [each for each in findings if each.name != "healthy"]
    ratio = update_ratio(log)
    return (wrong or findings) + ([ratio] if ratio else [])
