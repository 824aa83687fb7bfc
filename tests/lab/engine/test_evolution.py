"""Evolution strategies go to the lowest point, each restart on its own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from psi.lab.engine.evolution import METHODS, strategy


@pytest.mark.parametrize("method", METHODS)
def test_every_method_goes_to_the_lowest(method: str) -> None:
    # Two bowls, (1, −1) and (−1, 1); seeds are fixed, and 60 generations are more than twice what
    # the slowest needs.
    lowest = np.array([[1.0, -1.0], [-1.0, 1.0]])
    key = jax.random.key(0)
    ask, tell, states = strategy(16, 0.5, np.zeros((2, 2)), key, method)
    for generation in range(60):
        draw = jax.random.fold_in(key, generation)
        found, states = ask(draw, states)
        assert found.shape == (2, 16, 2)
        states = tell(draw, found, jnp.square(found - lowest[:, None]).sum(-1), states)
    np.testing.assert_allclose(states.mean, lowest, atol=0.15)


def test_a_method_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown search method 'sgd'"):
        strategy(8, 0.5, np.zeros((1, 2)), jax.random.key(0), "sgd")
