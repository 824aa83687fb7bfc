"""scale_by_psi among other transformations, on several devices, and from checkpoints."""

import io
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from psi.law.law import Law
from psi.schedulers.optax import scale_by_psi as _scale_by_psi

scale_by_psi: Any = _scale_by_psi
STEPS, EPOCHS = 3, 4
LOSSES = (2.2 * np.linspace(1, 0.2, 2 * STEPS * EPOCHS)).astype(np.float32)


def rates(tx: Any, losses: np.ndarray, params: Any = None) -> list[float]:
    """The rate last used after every step, wherever it is in the state."""
    params = jnp.ones(2) if params is None else params
    state, found = tx.init(params), []
    for loss in losses:
        _, state = tx.update(params, state, params, value=loss)
        found.append(float(optax.tree.get(state, "learning_rate")))
    return found


def test_in_multi_steps_an_epoch_counts_updates(formula: Law) -> None:
    """Two minibatches an update: Ψ sees the second's loss."""
    alone = rates(scale_by_psi(formula, STEPS, EPOCHS), LOSSES[1::2])
    tx = optax.MultiSteps(scale_by_psi(formula, STEPS, EPOCHS), every_k_schedule=2)
    assert rates(tx, LOSSES)[1::2] == pytest.approx(alone, rel=1e-6)


def test_in_multi_transform_its_part_alone_has_the_rate(formula: Law) -> None:
    params = {"body": jnp.ones(3), "head": jnp.ones(2)}
    parts: Any = {"slow": optax.sgd(1e-3), "psi": scale_by_psi(formula, STEPS, EPOCHS)}
    tx: Any = optax.multi_transform(parts, {"body": "slow", "head": "psi"})
    assert rates(tx, LOSSES, params) == rates(scale_by_psi(formula, STEPS, EPOCHS), LOSSES)
    updates, _ = tx.update(params, tx.init(params), params, value=2.0)
    np.testing.assert_allclose(updates["body"], -1e-3, rtol=1e-6)
    np.testing.assert_allclose(updates["head"], -0.2, rtol=1e-6)


def test_under_clipping_and_decay_it_still_sees_the_loss(formula: Law) -> None:
    tx = optax.chain(
        optax.clip_by_global_norm(1.0), optax.add_decayed_weights(1e-4), optax.scale_by_adam(),
        scale_by_psi(formula, STEPS, EPOCHS),
    )  # fmt: skip
    assert rates(tx, LOSSES) == rates(scale_by_psi(formula, STEPS, EPOCHS), LOSSES)


def test_two_devices_have_one_rate_and_the_updates_of_one(formula: Law) -> None:
    """Rows of the batch on each, gradients reduced by XLA; every device holds the same state."""
    mesh = jax.make_mesh((2,), ("rows",), (jax.sharding.AxisType.Auto,))
    spread = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("rows"))
    same = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    x = jax.random.normal(jax.random.key(0), (8, 3))
    y = x @ jnp.array([1.0, -2.0, 0.5])
    tx: Any = scale_by_psi(formula, STEPS, EPOCHS)

    @jax.jit
    def step(w: Any, state: Any, x: Any, y: Any) -> Any:
        loss, gradient = jax.value_and_grad(lambda w: jnp.mean((x @ w - y) ** 2))(w)
        updates, state = tx.update(gradient, state, w, value=loss)
        return w + updates, state

    def train(x: Any, y: Any, w: Any) -> tuple[Any, Any]:
        state = jax.device_put(tx.init(w), w.sharding)
        for _ in range(STEPS * EPOCHS):
            w, state = step(w, state, x, y)
        return w, state

    rows = [jax.device_put(each, spread) for each in (x, y)]
    w, state = train(rows[0], rows[1], jax.device_put(jnp.zeros(3), same))
    alone, other = train(x, y, jnp.zeros(3))
    np.testing.assert_allclose(w, alone, rtol=1e-5)
    np.testing.assert_allclose(state.learning_rate, other.learning_rate, rtol=1e-5)
    shards = state.learning_rate.addressable_shards
    assert len({shard.device for shard in shards}) == 2
    assert len({float(shard.data) for shard in shards}) == 1


def test_saved_at_any_of_200_steps_the_rest_is_the_same_bits(law: Law) -> None:
    tx = scale_by_psi(law, 5, 40, max_change=1.3)
    losses = 2.0 * np.exp(-np.arange(200) / 80) * (1.2 + np.sin(np.arange(200)))
    step = jax.jit(lambda s, loss: tx.update(jnp.ones(2), s, value=loss)[1])
    state, files, found = tx.init(jnp.ones(2)), [], []
    for loss in losses:
        file = io.BytesIO()
        np.savez(file, *jax.tree.leaves(state))
        files.append(file)
        state = step(state, loss)
        found.append(np.asarray(state.learning_rate).tobytes())
    assert len(set(found)) > 30
    whole = jax.tree.structure(state)
    for number, file in enumerate(files):
        file.seek(0)
        kept = np.load(file, allow_pickle=False)
        state = jax.tree.unflatten(whole, [jnp.asarray(kept[name]) for name in kept.files])
        again = []
        for loss in losses[number:]:
            state = step(state, loss)
            again.append(np.asarray(state.learning_rate).tobytes())
        assert again == found[number:]


def test_a_run_may_get_another_budget_on_its_way(formula: Law) -> None:
    tx = scale_by_psi(formula, 1, 4, initial_loss=2.0)
    state = tx.init(jnp.ones(()))
    found = []
    for number in range(4):
        if number == 1:
            state = optax.tree.set(state, budget=8.0)
        _, state = tx.update(jnp.ones(()), state, value=2.0)
        found.append(float(state.learning_rate))
    assert found == pytest.approx([0.2, 0.2 * 7 / 8, 0.2 * 6 / 8, 0.2 * 5 / 8])


def test_a_loop_that_injects_hyperparameters_reads_the_same_rate(formula: Law) -> None:
    """`inject_hyperparams` around a neighbour shows that neighbour's; Ψ's is in its own state."""
    tx = optax.chain(
        optax.inject_hyperparams(optax.trace)(decay=0.9), scale_by_psi(formula, STEPS, EPOCHS)
    )
    state = tx.init(jnp.ones(2))
    _, state = optax.with_extra_args_support(tx).update(jnp.ones(2), state, value=2.0)
    assert float(optax.tree.get(state, "learning_rate")) == pytest.approx(0.2)
    assert float(optax.tree.get(state, "decay")) == pytest.approx(0.9)
