"""Networks that predict each next token of a window: a GRU and a causal transformer.

Tokens enter as products with their one-hot form, which all lanes of a population share: one
product for all lanes forward, and no scatter backward. Everything that can act on all positions
at once does: features first, then positions × rows as the columns of one product.
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
    """He layers, two a level, and the last; N(0, 1) where tokens enter, since one of them is 1."""
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

    Cho et al. 2014 (arXiv 1406.1078), reset applied after the product as in cuDNN; x = W e + b
    is `inward`, u = U h + c `around`. If asked each sum is layer-normalised (arXiv 1607.06450).
    """
    norm = normalise if normalised else lambda a: a
    x_r, x_z, x_n = jnp.split(inward, 3)
    u_r, u_z, u_n = jnp.split(around, 3)
    r, z = jax.nn.sigmoid(norm(x_r + u_r)), jax.nn.sigmoid(norm(x_z + u_z))
    n = jnp.tanh(norm(x_n + r * u_n))
    return n + z * (h - n)


def gru_apply(normalised: bool, params: Params, x: Tokens) -> Logits:
    """Levels of recurrence over positions, each reading the one below, then a dense layer."""
    levels, (head, bias) = params
    rows, window = x.shape
    columns = jax.nn.one_hot(x.T, head.shape[0], axis=0, dtype=head.dtype)
    for inward, around in levels:
        sums = dense(*inward, columns.reshape(-1, window * rows)).reshape(-1, window, rows)

        def step(h: Array, now: Array, around=around) -> tuple[Array, Array]:
            h = gru_step(normalised, now, dense(*around, h), h)
            return h, h

        start = jnp.zeros((head.shape[1], rows), head.dtype)
        columns = jax.lax.scan(step, start, sums.swapaxes(0, 1))[1].swapaxes(0, 1)
    logits = dense(head, bias, columns.reshape(-1, window * rows))
    return logits.reshape(-1, window, rows).swapaxes(1, 2)


@cache
def gru(
    vocabulary: int, width: int = 32, depth: int = 1, scale: float = 1.0, normalised: bool = False
) -> Network:
    """`depth` levels of `width` units; its activations are its own, σ and tanh."""
    return Network(
        partial(gru_init, vocabulary, width, depth, scale), partial(gru_apply, normalised)
    )


def transformer_init(
    vocabulary: int, window: int, width: int, depth: int, scale: float, key: Key[Array, ""]
) -> Params:
    """Embeddings ~ scale · N(0, 1), He layers: four a block, and the last.

    The two layers of a block that add to what runs through start 1/√(2 depth) smaller (Radford et
    al. 2019, section 2.3).
    """
    token, place, last, *keys = jax.random.split(key, depth + 3)
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
    places = scale * jax.random.normal(place, (width, window))
    head = he_layer(vocabulary, width, scale, last)
    return tokens, places, [block(key) for key in keys], head


def attention(qkv: Float[Array, "thrice columns"], rows: int) -> Float[Array, "width columns"]:
    """softmax(qᵀk/√size) v for each row and head, each position seeing itself and those before.

    Vaswani et al. 2017 (arXiv 1706.03762). Columns are rows × positions.
    """
    q, k, v = qkv.reshape(3, HEADS, -1, rows, qkv.shape[1] // rows)
    scores = jnp.einsum("hdrq,hdrk->hrqk", q, k) / math.sqrt(q.shape[1])
    seen = jnp.tril(jnp.ones(scores.shape[-2:], bool))[None, None]
    weights = jax.nn.softmax(jnp.where(seen, scores, -jnp.inf), axis=-1)
    return jnp.einsum("hrqk,hdrk->hdrq", weights, v).reshape(-1, qkv.shape[1])


def transformer_apply(activation: str, normalised: bool, params: Params, x: Tokens) -> Logits:
    """Pre-norm blocks h ← h + W attention(norm h), h ← h + W_2 act(W_1 norm h), head on norm h.

    Pre-norm after Xiong et al. 2020 (arXiv 2002.04745). `normalised`: before `act` as well.
    """
    act = dict(ACTIVATIONS)[activation]
    tokens, places, blocks, head = params
    rows, window = x.shape
    columns = jax.nn.one_hot(x, tokens.shape[1], axis=0, dtype=tokens.dtype)
    h = tokens @ columns.reshape(-1, rows * window)
    h = (h.reshape(-1, rows, window) + places[:, None]).reshape(h.shape)
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
    """`depth` blocks of `HEADS` heads and a hidden layer of 4 · width, on windows of one length.

    Raises ValueError unless the heads divide the width.
    """
    if width % HEADS:
        raise ValueError(f"the width of a transformer must be a multiple of {HEADS}, got {width}")
    return Network(
        partial(transformer_init, vocabulary, window, width, depth, scale),
        partial(transformer_apply, activation, normalised),
    )
