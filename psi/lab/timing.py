"""How long something takes."""

import time
from collections.abc import Callable
from typing import Any


def seconds(run: Callable[[], Any], repeats: int = 3) -> tuple[float, float]:
    """Seconds of the first run, which may compile, and of the quickest of `repeats` more."""
    spent = []
    for _ in range(1 + repeats):
        start = time.perf_counter()
        run()
        spent.append(time.perf_counter() - start)
    return spent[0], min(spent[1:])
