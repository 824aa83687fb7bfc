"""What a training log shows, in plain words."""

from pathlib import Path

from psi.advice.choosing import Columns
from psi.advice.findings import Finding, above_initial_loss, jumps, not_finite, update_ratio
from psi.advice.log import Log, read_log
from psi.advice.loss_curve import overall, rate_cuts, rising
from psi.advice.smoothing import MIN_LINES, trend, usable
from psi.law.checks import check_positive


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
    found = [not_finite(log), above_initial_loss(log, initial_loss)]
    if curve is None:
        few = f"Of {usable(log).sum()} finite losses nothing more can be told"
        found.append(Finding("too short", f"{few}, of {MIN_LINES} it could."))
    else:
        risen = rising(log, curve) or jumps(log)
        found += [risen, *rate_cuts(log, curve), overall(log, curve, risen)]
    findings = [each for each in found if each is not None]
    wrong = [each for each in findings if each.name != "healthy"]
    ratio = update_ratio(log)
    return (wrong or findings) + ([ratio] if ratio else [])
