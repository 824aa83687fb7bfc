"""Wall-clock times of functions, alone or in turns."""

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float

T = TypeVar("T")


def timed(run: Callable[[], T]) -> tuple[float, T]:
    """Seconds that a call takes, and what it returns."""
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


def seconds(run: Callable[[], Any], repeats: int = 3) -> tuple[float, float]:
    """Seconds of the first run, which may compile, and of the fastest of `repeats` more."""
    first, *more = [timed(run)[0] for _ in range(1 + repeats)]
    return first, min(more)


def alternately(
    runs: Sequence[Callable[[], Any]], repeats: int = 5, mirrored: bool = False
) -> Float[np.ndarray, "run turn"]:
    """Seconds of each run in each turn, after one run of each to warm up.

    Runs take turns, so that a busy minute of the machine slows all of them. `mirrored` reverses
    the order in every other turn, for runs whose traces (a full disk cache) slow the next one.
    """
    for run in runs:
        run()
    spent = np.zeros((len(runs), repeats))
    numbered = list(enumerate(runs))
    for turn in range(repeats):
        for number, run in numbered[::-1] if mirrored and turn % 2 == 0 else numbered:
            spent[number, turn], _ = timed(run)
    return spent
