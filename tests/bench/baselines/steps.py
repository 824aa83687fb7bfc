"""Steps of a method on a small regularised logistic regression: by a row, by hand, by torch.

In double precision, so that methods that begin with steps of 10⁻⁶ are held to their formulas too.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from psi.bench.baselines import plain_rates
from psi.law.features import Observation

EPOCHS, STEPS = 4, 8  # steps an epoch
_random = np.random.default_rng(18)
X = _random.normal(size=(EPOCHS * STEPS, 6, 3))
Y = np.where(X @ [1.0, -2.0, 0.5] + _random.normal(size=X.shape[:2]) > 0, 1.0, -1.0)
START = np.array([0.3, -0.2, 0.1, 0.4])  # three weights and the bias


def loss(theta, x, y):
    margins = y * (x @ theta[:3] + theta[3])
    return np.logaddexp(0, -margins).mean() + 0.05 * theta @ theta


def gradient(theta, x, y):
    slopes = -y / (1 + np.exp(y * (x @ theta[:3] + theta[3])))
    return np.append(slopes @ x, slopes.sum()) / len(y) + 0.1 * theta


def tree_loss(params, x, y):
    margins = y * (x @ params["w"] + params["b"])
    square = params["w"] @ params["w"] + params["b"] ** 2
    return jnp.logaddexp(0, -margins).mean() + 0.05 * square


def batches(row):
    """Minibatches, epoch after epoch; for a row of full batches all rows every time."""
    if not row.full_batch:
        return X, Y, STEPS
    x, y = X.reshape(-1, 3), Y.reshape(-1)
    return np.stack([x] * EPOCHS * STEPS), np.stack([y] * EPOCHS * STEPS), STEPS


def trained(row, rates):
    """Parameters after every step and those that count, each of shape (rates, steps, 4).

    As in the engine: lanes together, compiled, one step after the other in a scan.
    """
    with jax.enable_x64(True):
        own = row.optimizer(EPOCHS * STEPS) if row.warms_up else row.optimizer()
        optimizer = optax.with_extra_args_support(own)
        x, y, steps = batches(row)
        seen = Observation(*[jnp.asarray(1.0)] * len(Observation._fields))

        def flat(params):
            return jnp.append(params["w"], params["b"])

        def run(rate):
            policy = row.make(rate, EPOCHS)
            before = [seen._replace(epoch=jnp.asarray(i)) for i in range(EPOCHS)]
            alphas = jnp.stack([policy.step(policy.init(each), each)[1] for each in before])

            def step(carry, batch):
                params, state = carry
                x, y, alpha = batch
                value, grads = jax.value_and_grad(tree_loss)(params, x, y)
                updates, state = optimizer.update(
                    grads, state, params, value=value, grad=grads,
                    value_fn=lambda params: tree_loss(params, x, y),
                )  # fmt: skip
                params = jax.tree.map(lambda p, u: p - alpha * u, params, updates)
                counts = row.evaluated(state, params) if row.evaluated else params
                return (params, state), (flat(params), flat(counts))

            params = {"w": jnp.asarray(START[:3]), "b": jnp.asarray(START[3])}
            start = params, optimizer.init(params)
            return jax.lax.scan(step, start, (x, y, jnp.repeat(alphas, steps)))[1]

        return [np.asarray(a) for a in jax.jit(jax.vmap(run))(jnp.asarray(rates))]


def by_hand(update, rate, row, shape="constant"):
    """θ after every step of θ ← θ − α_i update(θ, g, ε), in numpy."""
    x, y, steps = batches(row)
    alphas = np.repeat(rate * plain_rates(shape, EPOCHS), steps)
    theta, path = START.copy(), []
    for alpha, *batch in zip(alphas, x, y, strict=True):
        theta = theta - alpha * update(theta, gradient(theta, *batch), loss(theta, *batch))
        path.append(theta)
    return np.array(path)


def by_torch(make, rate):
    """θ after every step of a torch optimizer, made by make([θ], lr=rate)."""
    import torch

    theta, path = torch.tensor(START, requires_grad=True), []
    optimizer = make([theta], lr=rate)
    for x, y in zip(X, Y, strict=True):
        theta.grad = torch.tensor(gradient(theta.detach().numpy(), x, y))
        optimizer.step()
        path.append(theta.detach().numpy().copy())
    return np.array(path)


def agree(path, expected, tolerance=1e-9):
    """Each way from the start, relative to the longest."""
    moved, should = path - START, expected - START
    np.testing.assert_allclose(moved, should, rtol=0, atol=tolerance * np.abs(should).max())
