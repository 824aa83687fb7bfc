"""What range tests of a framework share: a dense network of 512 units, SGD, on digits."""

import numpy as np

from psi.advice.range_test import Suggestion


def digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    x, y = map(np.asarray, load_digits(return_X_y=True))
    return (x / 16).astype(np.float32)[:1792], y[:1792]


def trains_well(found: Suggestion) -> None:
    """Best constant rates of ten epochs are 0.5 to 1 there, from 2 on it diverges."""
    assert found.lr is not None, found.reason
    assert 0.03 < found.lr < 1.0
