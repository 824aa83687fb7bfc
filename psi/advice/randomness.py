"""Randomness of a range test's own: the random states it shares with others are left as they were.

A run has random states of its own. They are put in place for a step and taken out after it, so that
between two steps, and after the last one, everybody else finds the states that were there before.
"""

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple

import numpy as np


class Source(NamedTuple):
    """A random generator: how its state is read, set, and made from a seed."""

    read: Callable[[], Any]
    write: Callable[[Any], Any]
    seed: Callable[[int], Any]


def source(value: Any) -> Source | None:
    """The source that a generator of Python, numpy or torch is; None for any other object."""
    if isinstance(value, random.Random):
        return Source(value.getstate, value.setstate, value.seed)
    if isinstance(value, np.random.RandomState):
        return Source(value.get_state, value.set_state, value.seed)
    if isinstance(value, np.random.Generator):
        bits: Any = value.bit_generator
        read, write = lambda: bits.state, lambda state: setattr(bits, "state", state)
        return Source(read, write, lambda seed: write(type(bits)(seed).state))
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Generator):
        return Source(value.get_state, value.set_state, value.manual_seed)
    return None


def global_sources() -> list[Source]:
    """The global generators of Python and numpy, and of torch where it is imported."""
    found = [
        Source(random.getstate, random.setstate, random.seed),
        Source(np.random.get_state, np.random.set_state, np.random.seed),
    ]
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        # Those of CUDA are made with its first use, which none of this must be.
        cuda = torch.cuda.default_generators if torch.cuda.is_initialized() else ()
        found += [each for each in map(source, (torch.default_generator, *cuda)) if each]
        if torch.backends.mps.is_available():
            mps = torch.mps
            found.append(Source(mps.get_rng_state, mps.set_rng_state, mps.manual_seed))
    return found


def own_randomness(
    seed: int, sources: Sequence[Source]
) -> Callable[[], AbstractContextManager[None]]:
    """A context in which sources go on from where they were when it was last left, first from seed.

    Outside it their states are what they were.

    >>> import random
    >>> before = random.getstate()
    >>> own = own_randomness(0, global_sources())
    >>> with own():
    ...     first = random.random()
    >>> with own():
    ...     second = random.random()
    >>> first != second, random.getstate() == before
    (True, True)
    """
    states: list[Any] = []

    @contextmanager
    def own() -> Iterator[None]:
        outside = [each.read() for each in sources]
        try:
            for each, state in zip(sources, states, strict=False):  # none before it was seeded
                each.write(state)
            yield
            states[:] = [each.read() for each in sources]
        finally:
            for each, state in zip(sources, outside, strict=True):
                each.write(state)

    with own():
        for each in sources:
            each.seed(seed)
    return own
