"""A small Flax network: log Ψ = MLP(log ε/ε_0, i/T), tanh between the layers.

Trained on the labels of a curve fit with a weighted Huber loss, full batch, AdamW; exported to
the plain arrays of `psi.law.network`.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array, Float

from psi.fit.labels import FEATURES, Labels, domain, rates
from psi.law.law import Law, Provenance, Score
from psi.law.network import Layer, Network

HIDDEN = 8
STEPS = 2000
PAD = 256
RATE = 0.01
WEIGHT_DECAY = 1.0  # of 0.1 … 2, by the label error on left-out training domains


class PsiNetwork(nnx.Module):
    """Two hidden layers of HIDDEN units; one point in, log α out."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.layers = nnx.List(
            [
                nnx.Linear(len(FEATURES), HIDDEN, rngs=rngs),
                nnx.Linear(HIDDEN, HIDDEN, rngs=rngs),
                nnx.Linear(HIDDEN, 1, rngs=rngs),
            ]
        )

    def __call__(self, z: Float[Array, " feature"]) -> Float[Array, ""]:
        """Log α of one standardised point."""
        for layer in self.layers[:-1]:
            z = jnp.tanh(layer(z))
        return self.layers[-1](z)[0]


def fit_network(
    points: Labels,
    optimizer: str,
    scores: tuple[Score, ...] = (),
    provenance: Provenance | None = None,
    seed: int = 0,
) -> Law:
    """The network fitted to labels, as a law."""
    features = np.stack([np.log(points.loss_ratio), points.progress], axis=1)
    shift, scale = features.mean(0), np.maximum(features.std(0), 1e-6)
    centre = np.average(points.log_rate, weights=points.weight)
    graph, state = nnx.split(PsiNetwork(nnx.Rngs(seed)))
    z = (features - shift) / scale
    trained = _train(graph, state, *map(_padded, (z, points.log_rate - centre, points.weight)))
    arrays = nnx.to_pure_dict(trained)["layers"]
    layers = [
        Layer(_double(arrays[k]["kernel"]), _double(arrays[k]["bias"])) for k in range(len(arrays))
    ]
    layers[-1] = Layer(layers[-1].weights, layers[-1].bias + centre)
    return Law(
        model=Network(("log", "identity"), shift, scale, tuple(layers)),
        features=FEATURES,
        domain=domain(points),
        rates=rates(points),
        optimizer=optimizer,
        initial_loss=float(np.median(points.initial_loss)),
        scores=scores,
        provenance=provenance,
    )


def _padded(rows: np.ndarray) -> Array:
    # To a multiple of PAD with points of weight 0, so that fits to parts of the data share one
    # compiled program.
    short = -len(rows) % PAD
    return jnp.asarray(np.pad(rows, [(0, short)] + [(0, 0)] * (rows.ndim - 1)))


def _double(array: Array) -> np.ndarray:
    return np.asarray(array, np.float64)


@partial(jax.jit, static_argnums=0)
def _train(
    graph: nnx.GraphDef,
    state: Any,
    z: Float[Array, "cell feature"],
    target: Float[Array, " cell"],
    weight: Float[Array, " cell"],
) -> Any:
    def loss(state: Any) -> Float[Array, ""]:
        predicted = jax.vmap(nnx.merge(graph, state))(z)
        return (weight * optax.losses.huber_loss(predicted, target)).sum() / weight.sum()

    transform = optax.adamw(optax.cosine_decay_schedule(RATE, STEPS), weight_decay=WEIGHT_DECAY)

    def step(carry, _):
        state, moments = carry
        updates, moments = transform.update(jax.grad(loss)(state), moments, state)
        return (optax.apply_updates(state, updates), moments), None

    return jax.lax.scan(step, (state, transform.init(state)), None, STEPS)[0][0]
