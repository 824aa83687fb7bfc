"""What a symbolic regression may be asked for."""

import pytest

from psi.fit.symbolic.config import RATIONAL, SymbolicConfig, View


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"runs": -1}, "runs must be >= 0, got -1"),
        ({"folds": 1}, "folds must be >= 2, got 1"),
        ({"seed": -1}, "seed must be >= 0, got -1"),
        ({"views": ()}, "at least one"),
        ({"views": (View("rate", ("add", "sin")),)}, "got 'rate'"),
        ({"views": (View("root", RATIONAL),)}, "got 'root'"),  # pyright: ignore[reportArgumentType]
    ],
)
def test_bad_configs(change, message):
    with pytest.raises(ValueError, match=message):
        SymbolicConfig(**change)
