"""What people use today, a row each: how a rate and a budget become a policy.

Adding one is a row in one of these files, or, from outside, `BASELINES.add(row)` and `psi.use`. A
contest tunes its rate and scores it beside the laws. Those whose tuning is a claim of their own
(methods that need none) have a default that stands.
"""

from psi.bench.baselines import (
    adapting,
    calibrated,
    coordinates,
    line_search,
    measured,
    reacting,
    schedules,
    searching,
    tuning_free,
)
from psi.bench.baselines.baseline import Baseline, Measured, Planned, entered
from psi.bench.baselines.schedules import SCHEDULES, plain_rates
from psi.lab.registry import Table

__all__ = ["BASELINES", "SCHEDULES", "Baseline", "Measured", "Planned", "entered", "plain_rates"]

_FILES = (
    schedules,
    calibrated,
    reacting,
    adapting,
    measured,
    coordinates,
    tuning_free,
    line_search,
    searching,
)
BASELINES: Table[Baseline] = Table("baseline", tuple(row for file in _FILES for row in file.ROWS))
"""Every baseline by name. `BASELINES.add(Baseline(name, make))` appends one."""
