"""A finding in a training log, and the words for places and rates in it."""

from typing import NamedTuple

import numpy as np

from psi.advice.lines import Curve
from psi.advice.log import Log


class Finding(NamedTuple):
    """One thing that a log shows."""

    name: str
    text: str
    span: tuple[float, float] | None = None
    """From where to where, as the log counts; None: all of it."""


def where(log: Log, at: float | np.floating) -> str:
    """E.g. epoch 12."""
    return f"{log.unit} {at:.6g}"


def at_rates(rates: Curve) -> str:
    """E.g. at rate 0.1; nothing where none is known."""
    rates = rates[np.isfinite(rates)]
    if len(rates) == 0:
        return ""
    low, high = f"{rates.min():.2g}", f"{rates.max():.2g}"
    return f" at rate {low}" if low == high else f" at rates from {low} to {high}"
