"""Networks that predict each next token of a window: a GRU and a causal transformer.

Embedding a token is a product with its one-hot form, which all networks of a population share: one
product for all of them forward, and no scatter backward. Whatever does not depend on earlier
positions is computed for all positions at once, with positions × rows as columns of one product.
"""

import math
from functools import cache, partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from psi.lab.networks.mlp import ACTIVATIONS, dense, he_layer, normalise
from psi.lab.networks.network import Network, Params

HEADS = 2

Tokens = Int[Array, "rows window"]
Logits = Float[Array, "vocabulary rows window"]


def gru_init(vocabulary: int, width: int, depth: int, scale: float, key: Key[Array, ""]) -> Params:
    """([(W and b, U and c) of each level], output layer), with He initialisation.

    The first W is drawn from scale² · N(0, 1) instead: of a one-hot input a single entry is 1.
    """
    *keys, last = jax.random.split(key, depth + 1)
    levels = []
    for k, (inward, around) in enumerate(map(jax.random.split, keys)):
        inputs, spread = (width, scale) if k else (vocabulary, scale * math.sqrt(vocabulary / 2))
        levels.append(
            (he_layer(3 * width, inputs, spread, inward), he_layer(3 * width, width, scale, around))
        )
    return levels, he_layer(vocabulary, width, scale, last)


def gru_step(
    normalised: bool,
    inward: Float[Array, "gates rows"],
    around: Float[Array, "gates rows"],
    h: Float[Array, "width rows"],
) -> Float[Array, "width rows"]:
    """The next h = z ∘ h + (1 − z) ∘ n; r, z = σ(x_r + u_r), σ(x_z + u_z), n = tanh(x_n + r ∘ u_n).

    Cho et al. 2014 (arXiv 1406.1078) with the reset r applied after the product, as in cuDNN.
    `inward` is x = W e + b of the input e, `around` is u = U h + c of the state h. `normalised`:
    layer normalisation of each sum (Ba et al. 2016, arXiv 1607.06450).
    """
    norm = normalise if normalised else lambda a: a
    x_r, x_z, x_n = jnp.split(inward, 3)
    u_r, u_z, u_n = jnp.split(around, 3)
    r, z = jax.nn.sigmoid(norm(x_r + u_r)), jax.nn.sigmoid(norm(x_z + u_z))
    n = jnp.tanh(norm(x_n + r * u_n))
    return n + z * (h - n)


def gru_apply(normalised: bool, params: Params, x: Tokens) -> Logits:
    """Levels of recurrence over positions, each fed the states of the level below; then logits."""
    levels, (head, bias) = params
    rows, window = x.shape
    columns = jax.nn.one_hot(x.T, head.shape[0], axis=0, dtype=head.dtype)
    for inward, around in levels:
        sums = dense(*inward, columns.reshape(-1, window * rows)).reshape(-1, window, rows)

        def step(h: Array, inputs: Array, around=around) -> tuple[Array, Array]:
            h = gru_step(normalised, inputs, dense(*around, h), h)
            return h, h

        start = jnp.zeros((head.shape[1], rows), head.dtype)
        columns = jax.lax.scan(step, start, sums.swapaxes(0, 1))[1].swapaxes(0, 1)
    logits = dense(head, bias, columns.reshape(-1, window * rows))
    return logits.reshape(-1, window, rows).swapaxes(1, 2)


@cache
def gru(
    vocabulary: int, width: int = 32, depth: int = 1, scale: float = 1.0, normalised: bool = False
) -> Network:
    """A GRU of `depth` levels of `width` units; its activations are always σ and tanh."""
    return Network(
        partial(gru_init, vocabulary, width, depth, scale), partial(gru_apply, normalised)
    )


def transformer_init(
    vocabulary: int, window: int, width: int, depth: int, scale: float, key: Key[Array, ""]
) -> Params:
    """(token and position embeddings ~ scale · N(0, 1), four He layers a block, output layer).

    The two layers of a block whose output is added to h start 1/√(2 depth) smaller (Radford et al.
    2019, section 2.3).
    """
    token, position, last, *keys = jax.random.split(key, depth + 3)
    small = scale / math.sqrt(2 * depth)

    def block(key: Key[Array, ""]) -> Params:
        look, mix, inward, outward = jax.random.split(key, 4)
        return (
            he_layer(3 * width, width, scale, look),
            he_layer(width, width, small, mix),
            he_layer(4 * width, width, scale, inward),
            he_layer(width, 4 * width, small, outward),
        )

    tokens = scale * jax.random.normal(token, (width, vocabulary))
    positions = scale * jax.random.normal(position, (width, window))
    head = he_layer(vocabulary, width, scale, last)
    return tokens, positions, [block(key) for key in keys], head


def attention(qkv: Float[Array, "thrice columns"], rows: int) -> Float[Array, "width columns"]:
    """softmax(qᵀk/√size) v for each row and head, causal: no position attends to a later one.

    Vaswani et al. 2017 (arXiv 1706.03762). Columns are rows × positions.
    """
    q, k, v = qkv.reshape(3, HEADS, -1, rows, qkv.shape[1] // rows)
    scores = jnp.einsum("hdrq,hdrk->hrqk", q, k) / math.sqrt(q.shape[1])
    visible = jnp.tril(jnp.ones(scores.shape[-2:], bool))[None, None]
    weights = jax.nn.softmax(jnp.where(visible, scores, -jnp.inf), axis=-1)
    return jnp.einsum("hrqk,hdrk->hdrq", weights, v).reshape(-1, qkv.shape[1])


def transformer_apply(activation: str, normalised: bool, params: Params, x: Tokens) -> Logits:
    """Pre-norm blocks h ← h + W attention(norm h), h ← h + W_2 act(W_1 norm h), head on norm h.

    Pre-norm after Xiong et al. 2020 (arXiv 2002.04745). `normalised`: norm before `act` too.
    """
    act = dict(ACTIVATIONS)[activation]
    tokens, positions, blocks, head = params
    rows, window = x.shape
    columns = jax.nn.one_hot(x, tokens.shape[1], axis=0, dtype=tokens.dtype)
    h = tokens @ columns.reshape(-1, rows * window)
    h = (h.reshape(-1, rows, window) + positions[:, None]).reshape(h.shape)
    for look, mix, inward, outward in blocks:
        h = h + dense(*mix, attention(dense(*look, normalise(h)), rows))
        inner = dense(*inward, normalise(h))
        h = h + dense(*outward, act(normalise(inner) if normalised else inner))
    return dense(*head, normalise(h)).reshape(-1, rows, window)


@cache
def transformer(
    vocabulary: int,
    window: int,
    width: int = 32,
    depth: int = 1,
    activation: str = "relu",
    scale: float = 1.0,
    normalised: bool = False,
) -> Network:
    """A causal transformer of `depth` blocks, each of two heads and 4 · `width` hidden units.

    It reads windows of exactly `window` tokens.
    Raises ValueError unless the heads divide the width.
    """
    if width % HEADS:
        raise ValueError(f"the width of a transformer must be a multiple of {HEADS}, got {width}")
    return Network(
        partial(transformer_init, vocabulary, window, width, depth, scale),
        partial(transformer_apply, activation, normalised),
    )
