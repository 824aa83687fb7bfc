"""G8 and G9: exponents of ideal rates from trained runs."""

import pytest

from psi.verify import noiseless


@pytest.mark.parametrize("check", [noiseless.sign_descent, noiseless.exponential_tail])
def test_in_small(check):
    for row in check():
        assert row.ok, row
