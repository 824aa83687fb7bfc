"""The exported network is the Flax network, and keeps what every fit must keep."""

import jax.numpy as jnp
import numpy as np
from flax import nnx

from psi.fit import network as network_room
from psi.fit.formula.families import RAW
from psi.fit.network import PsiNetwork, fit_network
from psi.law.network import Network
from tests.fit.planted import assert_contract, planted, scores_of_domains_apart


def test_contract_of_a_fit(tmp_path):
    assert_contract(fit_network, tmp_path / "law.safetensors")


def test_scores_come_from_domains_left_out():
    scores_of_domains_apart(fit_network)


def test_the_exported_network_is_the_flax_network(monkeypatch):
    """Same weights, Flax in float32 against the law in float64."""
    kept = []
    real = network_room._train
    monkeypatch.setattr(
        network_room, "_train", lambda graph, *rest: kept.append((graph, real(graph, *rest)))
        or kept[-1][1],
    )  # fmt: skip
    points = planted()
    law = fit_network(points, "sgd", names=RAW)
    graph, state = kept[0]
    flax = nnx.merge(graph, state)
    assert isinstance(flax, PsiNetwork)
    assert isinstance(law.model, Network)
    assert law.model.transforms == ("log", "identity")
    features = np.stack([np.log(points.loss), points.epoch], 1)
    z = (features - features.mean(0)) / features.std(0)
    centre = points.log_rate.mean()  # all weights are 1
    expected = [float(flax(jnp.asarray(row, jnp.float32))) + centre for row in z[:50]]
    got = np.log(law(np.stack([points.loss, points.epoch])[:, :50]))
    np.testing.assert_allclose(got, expected, atol=2e-6)
