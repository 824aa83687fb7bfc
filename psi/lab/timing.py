"""How long something takes."""

import time
from collections.abc import Callable, Sequence
from typing import Any


def seconds(run: Callable[[], Any], repeats: int = 3) -> tuple[float, float]:
    """Seconds of the first run, which may compile, and of the quickest of `repeats` more."""
    spent = []
    for _ in range(1 + repeats):
        start = time.perf_counter()
        run()
        spent.append(time.perf_counter() - start)
    return spent[0], min(spent[1:])


def alternately(runs: Sequence[Callable[[], Any]], repeats: int = 5) -> list[float]:
    """Seconds of the quickest turn of each, warmed up, taken in turns.

    So that a busy minute of the machine falls on all of them.
    """
    for run in runs:
        run()
    spent = [[] for _ in runs]
    for _ in range(repeats):
        for each, run in zip(spent, runs, strict=True):
            start = time.perf_counter()
            run()
            each.append(time.perf_counter() - start)
    return [min(each) for each in spent]
