"""Points of a law that is known, formulas by their text, and searches that take little time."""

import numpy as np

from psi.fit.formula.formula import candidate
from psi.fit.formula.points import points
from psi.fit.symbolic.config import SymbolicConfig
from psi.law.parsing import parse

QUICK = SymbolicConfig(
    runs=3, population=200, generations=20, length=15, rows=300, resamples=10, folds=4
)
FEATURES = ("x", "y")


def relative(noise=0.1, effect=0.3, count=600, tasks=12, seed=0):
    """α = 0.3 (ε/ε_0)/(ε/ε_0 + 0.1) · (1 − i/T), rates of each task a common factor apart."""
    rng = np.random.default_rng(seed)
    ratio, progress = np.exp(rng.uniform(-4, 0.3, count)), rng.uniform(0, 0.97, count)
    task = rng.integers(0, tasks, count)
    log_rate = np.log(0.3 * ratio / (ratio + 0.1) * (1 - progress))
    log_rate += effect * rng.normal(size=tasks)[task] + noise * rng.normal(size=count)
    names = np.array([f"t{k}" for k in range(tasks)], object)
    return points(
        ("loss_ratio", "progress"), np.stack([ratio, progress]), np.exp(log_rate), task=names[task]
    )


def given(formula, **start):
    """A candidate in x and y."""
    return candidate(parse(formula), FEATURES, start)
