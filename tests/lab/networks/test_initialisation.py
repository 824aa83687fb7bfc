"""Initial weights as frameworks draw them: moments in closed form, and PyTorch's own."""

import jax
import numpy as np
import pytest

from psi.lab.hyper import Hyper
from psi.lab.networks.initialisation import DRAWS
from psi.lab.networks.table import network

KEY = jax.random.key(0)
SIZE = 256  # inputs and units: a deviation is then known to 0.3 %


def layers(**hyper):
    made = network(Hyper(network="mlp", width=SIZE, **hyper), SIZE, 3)
    return [[np.asarray(a, float) for a in layer] for layer in made.init(KEY)]


@pytest.mark.parametrize(
    ("name", "deviation", "largest"),
    [
        ("pytorch", np.sqrt(1 / 3 / SIZE), np.sqrt(1 / SIZE)),
        ("keras", np.sqrt(2 / (2 * SIZE)), np.sqrt(6 / (2 * SIZE))),
        # JAX divides by the deviation of the cut normal, so that the variance is 1/n.
        ("flax", np.sqrt(1 / SIZE), 2 / 0.87962566 * np.sqrt(1 / SIZE)),
    ],
)
def test_moments_are_those_of_its_formula(name, deviation, largest):
    weights, bias = layers(initialisation=name)[0]
    assert abs(weights.mean()) < 4 * deviation / SIZE
    np.testing.assert_allclose(weights.std(), deviation, rtol=0.01)
    assert 0.98 * largest < np.abs(weights).max() <= 1.0001 * largest
    assert bias.any() == (name == "pytorch")
    doubled = layers(initialisation=name, init_scale=2.0)[0]
    np.testing.assert_array_equal(doubled[0], 2 * weights)
    np.testing.assert_array_equal(doubled[1], bias)


def test_pytorch_draws_from_the_same_ranges():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    theirs = torch.nn.Linear(SIZE, SIZE)
    weights, bias = layers(initialisation="pytorch")[0]
    for one, other in ((weights, theirs.weight), (bias, theirs.bias)):
        other = other.detach().numpy()
        np.testing.assert_allclose(np.abs(one).max(), np.abs(other).max(), rtol=0.02)
        np.testing.assert_allclose(one.std(), other.std(), rtol=0.1)


@pytest.mark.parametrize("name", ["linear", "mlp", "residual", "cnn", "gru", "transformer"])
@pytest.mark.parametrize("draw", DRAWS)
def test_every_network_has_layers_to_draw(name, draw):
    sizes = (20, 20, None, 5) if name in ("gru", "transformer") else (16, 3, (4, 4), None)
    ours = network(Hyper(network=name, initialisation=draw), *sizes, 8)
    he = network(Hyper(network=name), *sizes, 8)
    assert ours is network(Hyper(network=name, initialisation=draw), *sizes, 8)
    drawn, own = (jax.tree.leaves(each.init(KEY)) for each in (ours, he))
    assert [a.shape for a in drawn] == [a.shape for a in own]
    assert [a.dtype for a in drawn] == [a.dtype for a in own]
    assert ours.apply is he.apply


def test_he_is_what_there_is_without_a_name():
    for one, two in zip(layers(), layers(initialisation="he"), strict=True):
        np.testing.assert_array_equal(one[0], two[0])
    with pytest.raises(ValueError, match="unknown initialisation 'mup'"):
        Hyper(initialisation="mup")
