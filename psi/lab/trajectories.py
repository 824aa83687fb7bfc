"""Open-loop schedules: the plain ones that people use, and random ones for the data.

Along any one good trajectory the loss and the epoch say the same (ground truth G1), so the data
must leave the good trajectories: a *cell* is a random prefix up to a branch epoch i, shared by
K candidate rates that each go linearly to zero from there,

    α_j = prefix_j  for j < i,    α_j = candidate · (T − j)/(T − i)  for j >= i.

Cells visit the same epoch at good and bad losses; the candidates ask what was best from there.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

Rates = Float[np.ndarray, " epoch"]


class Plan(NamedTuple):
    """Trajectories to train, one a lane, and what they are."""

    rates: Float[np.ndarray, "lane epoch"]
    family: list[str]
    cell: Int[np.ndarray, " lane"]
    """Number of the cell in its task; −1 for a plain schedule."""
    branch: Int[np.ndarray, " lane"]
    """Epoch at which the candidate rate takes over; −1 for a plain schedule."""


SHAPES: tuple[tuple[str, Callable[[np.ndarray], np.ndarray]], ...] = (
    ("constant", lambda t: np.ones_like(t)),
    ("linear", lambda t: 1 - t),
    ("cosine", lambda t: (1 + np.cos(np.pi * t)) / 2),
)
"""Shape of a plain schedule over t = i/T: α_i = peak · shape(i/T)."""


def plain(peaks: Rates, epochs: int) -> Plan:
    """Every plain shape at every peak rate."""
    t = np.arange(epochs) / epochs
    rates = [peak * shape(t) for _, shape in SHAPES for peak in peaks]
    family = [name for name, _ in SHAPES for _ in peaks]
    none = np.full(len(rates), -1)
    return Plan(np.array(rates), family, none, none)


def _walk(rng: np.random.Generator, peak: float, epochs: int) -> np.ndarray:
    """Random walk of log α, 0.4 nats a step."""
    return peak * np.exp(np.cumsum(rng.normal(0, 0.4, epochs)))


def _decay(rng: np.random.Generator, peak: float, epochs: int) -> np.ndarray:
    """Exponential, by 0 to 4 nats over the budget."""
    return peak * np.exp(-rng.uniform(0, 4) * np.arange(epochs) / epochs)


def _steps(rng: np.random.Generator, peak: float, epochs: int) -> np.ndarray:
    """Divided by 2 to 10 at one to three random epochs."""
    drops = rng.integers(0, epochs, rng.integers(1, 4))
    passed = (np.arange(epochs)[:, None] >= drops).sum(1)
    return peak * rng.uniform(2, 10) ** -passed


def _spikes(rng: np.random.Generator, peak: float, epochs: int) -> np.ndarray:
    """Constant, with a fifth of the epochs multiplied or divided by 2 to 5."""
    jump = np.exp(rng.uniform(math.log(2), math.log(5), epochs) * rng.choice([-1, 1], epochs))
    return peak * np.where(rng.random(epochs) < 0.2, jump, 1.0)


def _linear(rng: np.random.Generator, peak: float, epochs: int) -> np.ndarray:
    """Linear to zero, jittered by 0.3 nats: states that a good schedule visits."""
    return peak * (1 - np.arange(epochs) / epochs) * np.exp(rng.normal(0, 0.3, epochs))


RANDOM: tuple[tuple[str, Callable[[np.random.Generator, float, int], np.ndarray]], ...] = (
    ("walk", _walk),
    ("decay", _decay),
    ("steps", _steps),
    ("spikes", _spikes),
    ("linear", _linear),
)


def branched(
    rng: np.random.Generator, cells: int, candidates: int, epochs: int, low: float, high: float
) -> Plan:
    """`cells` random prefixes with `candidates` rates each, log-uniform in [low, high].

    Branch epochs go round 0 … T−1; peaks of prefixes are log-uniform in [low, high / 2], so that
    some are too low, some too high. Candidates are evenly spaced in log α with a random offset.
    """
    rates, family, cell, branch = [], [], [], []
    for number in range(cells):
        name, prefix = RANDOM[number % len(RANDOM)]
        at = number * epochs // cells if cells < epochs else number % epochs
        peak = math.exp(rng.uniform(math.log(low), math.log(high / 2)))
        before = np.clip(prefix(rng, peak, epochs), low / 10, high)
        spread = (np.arange(candidates) + rng.random()) / candidates
        for candidate in np.exp(math.log(low) + spread * math.log(high / low)):
            after = candidate * (epochs - np.arange(epochs)) / (epochs - at)
            rates.append(np.where(np.arange(epochs) < at, before, after))
        family += [name] * candidates
        cell += [number] * candidates
        branch += [at] * candidates
    return Plan(np.array(rates), family, np.array(cell), np.array(branch))
