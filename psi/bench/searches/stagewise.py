"""Stagewise search: the budget is cut into stages, and each stage tries constant rates.

As AutoLRS does (Jin et al. 2021, arXiv 2105.10762): from the present state some rates are tried,
the best by validation loss goes on, and the next stage begins where it ended. Here a trial lasts
the whole stage, so that the search costs as many trainings as there are rates, and the rates are a
grid: a stage has few epochs, of which a tenth would be less than one.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

STAGES = 5
RATES = 10  # tried in each, as many as AutoLRS tries

Advance = Callable[[Any, Float[np.ndarray, " rate"], int, int], tuple[np.ndarray, Any]]
"""(states, rates, first epoch, end) → (losses of shape=(rate, search), states after each rate).

Leaves of states have shape=(search, …) before and (rate, search, …) after; a loss is infinite
where the run diverged.
"""


def stagewise(
    advance: Advance, states: Any, rates: Float[np.ndarray, " rate"], epochs: int
) -> Float[np.ndarray, "search {epochs}"]:
    """The best rate of each stage, for each search. Where all diverge, that is the first rate."""
    plan = []
    for first, end in pairwise(stage_ends(epochs)):
        losses, after = advance(states, rates, first, end)
        best, search = losses.argmin(0), np.arange(losses.shape[1])
        states = jax.tree.map(lambda a, at=(best, search): a[at], after)
        plan.append(np.repeat(rates[best][:, None], end - first, axis=1))
    return np.concatenate(plan, axis=1)


def stage_ends(epochs: int) -> list[int]:
    """0, the ends of the stages, which are about equally long, and T."""
    stages = min(STAGES, epochs)
    return [round(epochs * k / stages) for k in range(stages + 1)]
