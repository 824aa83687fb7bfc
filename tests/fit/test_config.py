"""What a fit may be asked for."""

import pytest

from psi.fit.config import FitConfig


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"family": "parabola"}, "unknown family .* 'parabola'; closest of 108: "),
        ({"family": "linear", "features": "raw"}, "unknown family .* 'linear'; closest of 72: "),
        ({"family": "linear", "kind": "network"}, "a network has no family, got 'linear'"),
        ({"resamples": 0}, "resamples must be >= 2, got 0"),
        ({"seed": -1}, "seed must be >= 0, got -1"),
        ({"generations": 0}, "generations must be >= 1, got 0"),
    ],
)
def test_bad_configs(change, message):
    with pytest.raises(ValueError, match=message):
        FitConfig(**change)
