"""Random numbers for data: those of a purpose and a task, the same wherever they are drawn."""

import numpy as np


def generator(*numbers: int) -> np.random.Generator:
    """The generator of these numbers."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(numbers)))
