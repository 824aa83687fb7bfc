"""What a search lowers: the mean regret over tasks drawn anew, and 0.3 of its worst tenth."""

import math
from collections import Counter

import numpy as np
from jaxtyping import Float, Int

from psi.atlas.padding import Shape
from psi.fit.feedback.pool import Pool

WORST, SHARE = 0.1, 0.3
"""The share of tasks that count more, and how much more: a law must not fail on some."""
PAIRS = 7
"""√tasks of a shape for each pair of them in a generation."""


def pairs(pool: Pool) -> dict[Shape, int]:
    """How many pairs of tasks of each shape a generation has: about √n/7 of n, one at least."""
    counts = Counter(each.shape for each in pool.entries)
    return {shape: max(1, round(math.sqrt(n) / PAIRS)) for shape, n in counts.items()}


def drawn(pool: Pool, rng: np.random.Generator) -> Int[np.ndarray, " task"]:
    """Places of tasks for one generation: `pairs` of each shape, as devices take them.

    Tasks are drawn by 1/√(tasks of their domain), so that the largest generator does not decide
    alone.
    """
    found, weight = [], pool.weight
    for shape, count in pairs(pool).items():
        alike = np.flatnonzero([each.shape == shape for each in pool.entries])
        share = weight[alike] / weight[alike].sum()
        size = min(2 * count, len(alike))
        found.append(rng.choice(alike, size=size, replace=False, p=share))
    return np.concatenate(found)


def objective(regret: Float[np.ndarray, "task lane"]) -> Float[np.ndarray, " lane"]:
    """Mean regret of each lane, and SHARE of the mean of its worst tenth.

    Example:
        >>> objective(np.array([[0.0], [1.0]])).tolist()
        [0.8]
    """
    worst = np.sort(regret, axis=0)[-_worst(len(regret)) :]
    return regret.mean(0) + SHARE * worst.mean(0)


def importance(regret: Float[np.ndarray, " task"]) -> Float[np.ndarray, " task"]:
    """The derivative of the objective by each task's regret.

    Example:
        >>> importance(np.array([0.0, 1.0])).tolist()
        [0.5, 0.8]
    """
    weight = np.full(len(regret), 1 / len(regret))
    worst = np.argsort(regret, kind="stable")[-_worst(len(regret)) :]
    weight[worst] += SHARE / len(worst)
    return weight


def _worst(tasks: int) -> int:
    return max(1, round(WORST * tasks))
