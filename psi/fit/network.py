"""A small Flax network: log Ψ = MLP(log ε/ε_0, i/T), MLP(log ε, i) …, tanh between the layers.

Trained on the mean regret in the cells plus a small pull to the ideal rates, full batch, AdamW;
exported to the plain arrays of `psi.law.network`.
"""

from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array, Float

from psi.fit.cells import Cells, law_of, lost_at
from psi.fit.formula.families import RELATIVE, TIMES
from psi.lab.data.kept import kept
from psi.law.law import Law
from psi.law.network import TRANSFORMS, Layer, Network

HIDDEN = 8
STEPS = 2000
PULL = 0.1  # nats lost a nat from the ideal rate: a gradient where all candidates lose alike
PAD = 256
RATE = 0.01
WEIGHT_DECAY = 0.1  # of 0.1 and 1, by the regret on left-out training domains


class PsiNetwork(nnx.Module):
    """Two hidden layers of HIDDEN units; one point in, log α out."""

    def __init__(self, inputs: int, rngs: nnx.Rngs) -> None:
        widths = pairwise((inputs, HIDDEN, HIDDEN, 1))
        self.layers = nnx.List([nnx.Linear(*each, rngs=rngs) for each in widths])

    def __call__(self, z: Float[Array, " feature"]) -> Float[Array, ""]:
        """Log α of one standardised point."""
        for layer in self.layers[:-1]:
            z = jnp.tanh(layer(z))
        return self.layers[-1](z)[0]


class _Batch(NamedTuple):
    """Cells as the training loop wants them: standardised, centred, weights that sum to 1."""

    z: Any
    target: Any
    weight: Any
    tried: Any
    lost: Any
    share: Any


def fit_network(
    cells: Cells, optimizer: str, seed: int = 0, names: tuple[str, ...] = RELATIVE
) -> Law:
    """The network of the features `names` fitted to cells, as a law; times go in as they are."""
    features = _inputs(cells, names)
    shift, scale = features.mean(0), np.maximum(features.std(0), 1e-6)
    centre = np.average(cells.log_rate, weights=cells.weight)
    graph, state = nnx.split(PsiNetwork(len(names), nnx.Rngs(seed)))
    batch = _batch(cells, names, shift, scale, centre)
    leaves = kept("network", lambda: jax.tree.leaves(_train(graph, state, batch)))
    trained = jax.tree.unflatten(jax.tree.structure(state), leaves)
    arrays = nnx.to_pure_dict(trained)["layers"]
    arrays = jax.tree.map(lambda array: np.asarray(array, np.float64), arrays)
    layers = [Layer(arrays[k]["kernel"], arrays[k]["bias"]) for k in range(len(arrays))]
    layers[-1] = Layer(layers[-1].weights, layers[-1].bias + centre)
    model = Network(_transforms(names), shift, scale, tuple(layers))
    return law_of(model, names, cells, optimizer)


def _transforms(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple("identity" if name in TIMES else "log" for name in names)


def _inputs(cells: Cells, names: tuple[str, ...]) -> Float[np.ndarray, "cell feature"]:
    columns = zip(_transforms(names), cells.values(names), strict=True)
    return np.stack([TRANSFORMS[each](np, column) for each, column in columns], axis=1)


def _batch(
    cells: Cells,
    names: tuple[str, ...],
    shift: Float[np.ndarray, " feature"],
    scale: Float[np.ndarray, " feature"],
    centre: float,
) -> _Batch:
    # Padded to a multiple of PAD with copies of weight 0, so that fits to parts of the data
    # share one compiled program.
    count = len(cells.task)
    index = np.arange(count + -count % PAD)
    real = index < count
    cells = cells.take(np.minimum(index, count - 1))
    weight = cells.weight * real
    batch = _Batch(
        z=(_inputs(cells, names) - shift) / scale,
        target=cells.log_rate - centre,
        weight=weight / weight.sum(),
        tried=cells.tried - centre,
        lost=cells.lost,
        share=real / count,
    )
    return _Batch(*map(jnp.asarray, batch))


@partial(jax.jit, static_argnums=0)
def _train(graph: nnx.GraphDef, state: Any, batch: _Batch) -> Any:
    def loss(state: Any) -> Float[Array, ""]:
        predicted = jax.vmap(nnx.merge(graph, state))(batch.z)
        lost = lost_at(batch.tried, batch.lost, predicted, jnp)
        off = optax.losses.huber_loss(predicted, batch.target)
        return (batch.share * lost).sum() + PULL * (batch.weight * off).sum()

    transform = optax.adamw(optax.cosine_decay_schedule(RATE, STEPS), weight_decay=WEIGHT_DECAY)

    def step(carry, _):
        state, moments = carry
        updates, moments = transform.update(jax.grad(loss)(state), moments, state)
        return (optax.apply_updates(state, updates), moments), None

    return jax.lax.scan(step, (state, transform.init(state)), None, STEPS)[0][0]
