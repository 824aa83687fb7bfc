"""A million rows: how long fits to them take, and whether aggregation changes their answer."""

import resource
import sys

import numpy as np

from psi.bench.fitting.planted import TRUTH, sample, saturating
from psi.fit.formula.curves import fit_curve
from psi.fit.formula.families import RAW, family
from psi.fit.symbolic.config import SymbolicConfig
from psi.fit.symbolic.regression import symbolic_regression
from psi.lab.engine.timing import timed
from psi.verify.rows import Row, at_most, relative

ROWS = 1_000_000
NOISE = 0.3


def million(rows: int = ROWS) -> list[Row]:
    """The planted a ε/(ε + c)/(1 + i/d): seconds of a curve and of a search, memory, constants."""
    planted = sample(saturating, 0, NOISE, rows)
    fitting, curve = timed(lambda: fit_curve(family("saturating*inverse_time", RAW), planted))
    searching, _ = timed(lambda: symbolic_regression(planted, SymbolicConfig()))
    error = NOISE / np.sqrt(rows) * 10  # ten standard errors of a mean, as c and d share the rows
    constants = [
        relative("rows", f"constant {name} of {rows:,} rows", float(value), truth, error)
        for name, value, truth in zip(
            curve.family.formula.names, curve.constants, TRUTH.values(), strict=True
        )
    ]
    return [
        at_most("rows", f"seconds of a curve on {rows:,} rows", fitting, 60.0),
        at_most("rows", f"seconds of a search on {rows:,} rows", searching, 60.0),
        at_most("rows", "gigabytes of this process at most so far", peak_gigabytes(), 3.0),
        *constants,
    ]


def peak_gigabytes() -> float:
    """The most memory that this process has held."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1e9 if sys.platform == "darwin" else most / 1e6
