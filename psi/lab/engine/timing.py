"""How long something takes."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float


def seconds(run: Callable[[], Any], repeats: int = 3) -> tuple[float, float]:
    """Seconds of the first run, which may compile, and of the quickest of `repeats` more."""
    spent = []
    for _ in range(1 + repeats):
        start = time.perf_counter()
        run()
        spent.append(time.perf_counter() - start)
    return spent[0], min(spent[1:])


def alternately(
    runs: Sequence[Callable[[], Any]], repeats: int = 5, mirrored: bool = False
) -> Float[np.ndarray, "run turn"]:
    """Seconds of each run and turn, after one that warms up.

    In turns, so that a busy minute of the machine falls on all of them; `mirrored`, every other
    turn the other way round, where what a run leaves behind would count for the next.
    """
    for run in runs:
        run()
    spent = np.zeros((len(runs), repeats))
    places = list(enumerate(runs))
    for turn in range(repeats):
        for number, run in places[::-1] if mirrored and turn % 2 == 0 else places:
            start = time.perf_counter()
            run()
            spent[number, turn] = time.perf_counter() - start
    return spent
