"""The GRU and the causal transformer against plain numpy."""

from functools import partial

import jax
import numpy as np
import pytest

from psi.lab.networks.sequence import HEADS, gru, transformer
from tests.lab.networks.plain import (
    ACTS,
    ROWS,
    VOCABULARY,
    WINDOW,
    check_outputs_and_gradients,
    check_products_alone,
    check_rows_independent,
    check_single_precision,
    either,
    line,
    norm,
    tokens,
    weights_for,
)

pytestmark = pytest.mark.slow  # many programs are compiled


def plain_gru(normalised, params, x):
    levels, last = params
    sequence = list(np.eye(VOCABULARY)[x])
    for (w, b), (u, c) in levels:
        size = u.shape[1]
        gates = [slice(k * size, (k + 1) * size) for k in range(3)]
        h, out = np.zeros(size), []
        for e in sequence:
            own = [w[g] @ e + b[g] for g in gates]
            fed = [u[g] @ h + c[g] for g in gates]
            r, z = (1 / (1 + np.exp(-either(normalised, own[k] + fed[k]))) for k in (0, 1))
            h = z * h + (1 - z) * np.tanh(either(normalised, own[2] + r * fed[2]))
            out.append(h)
        sequence = out
    return np.stack([line(last, h) for h in sequence], axis=1)


def plain_attention(qkv):
    """(3 width, window) → (width, window), head by head and position by position."""
    q, k, v = qkv.reshape(3, HEADS, -1, WINDOW)
    out = np.empty(q.shape)
    for head, t in np.ndindex(HEADS, WINDOW):
        scores = [q[head, :, t] @ k[head, :, s] / np.sqrt(q.shape[1]) for s in range(t + 1)]
        weights = np.exp(scores) / np.exp(scores).sum()
        out[head, :, t] = sum(weights[s] * v[head, :, s] for s in range(t + 1))
    return out.reshape(-1, WINDOW)


def plain_transformer(act, normalised, params, x):
    def each(layer, h):
        return np.stack([line(layer, column) for column in h.T], axis=1)

    tokens, places, blocks, head = params
    h = tokens[:, x] + places
    for look, mix, inward, outward in blocks:
        h = h + each(mix, plain_attention(each(look, norm(h))))
        h = h + each(outward, ACTS[act](either(normalised, each(inward, norm(h)))))
    return each(head, norm(h))


CASES = {
    "gru": (gru(VOCABULARY, 4), partial(plain_gru, False)),
    "gru-2": (gru(VOCABULARY, 4, 2, 0.5, True), partial(plain_gru, True)),
    "transformer": (transformer(VOCABULARY, WINDOW, 4), partial(plain_transformer, "relu", False)),
    "transformer-2": (
        transformer(VOCABULARY, WINDOW, 4, 2, "gelu", 0.5, True),
        partial(plain_transformer, "gelu", True),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_outputs_and_gradients_against_a_plain_network(name):
    check_outputs_and_gradients(*CASES[name], *tokens())


@pytest.mark.parametrize("name", ["gru", "transformer"])
def test_in_single_precision(name):
    check_single_precision(*CASES[name], *tokens())


@pytest.mark.parametrize("name", ["gru", "transformer"])
def test_a_population_is_products_alone(name):
    check_products_alone(CASES[name][0], *tokens())


@pytest.mark.parametrize("name", CASES)
def test_a_later_token_changes_no_bit_of_an_earlier_output(name):
    net, _ = CASES[name]
    params, (x, _) = weights_for(net), tokens()
    apply = jax.jit(net.apply)
    before = np.asarray(apply(params, x))
    for t in range(1, WINDOW):
        other = x.copy()
        other[:, t:] = (x[:, t:] + 1 + np.arange(ROWS)[:, None]) % VOCABULARY
        after = np.asarray(apply(params, other))
        np.testing.assert_array_equal(after[..., :t], before[..., :t])
        assert (after[..., t] != before[..., t]).any(axis=0).all()


@pytest.mark.parametrize("name", ["gru-2", "transformer-2"])
def test_rows_do_not_see_each_other(name):
    check_rows_independent(CASES[name][0], tokens()[0])
