"""scale_by_psi among other transformations, on several devices, and from checkpoints."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import psi
from psi.law.law import Law
from psi.schedulers import optax as adapter
from psi.schedulers.optax import outside
from psi.schedulers.optax import scale_by_psi as _scale_by_psi

scale_by_psi: Any = _scale_by_psi
STEPS, EPOCHS = 3, 4
LOSSES = (2.2 * np.linspace(1, 0.2, 2 * STEPS * EPOCHS)).astype(np.float32)


def rates(tx: Any, losses: np.ndarray, params: Any = None, jit: bool = True) -> list[float]:
    """The rate last used after every step, wherever it is in the state."""
    params = jnp.ones(2) if params is None else params
    state, found = tx.init(params), []

    def step(state: Any, loss: Any) -> Any:
        return tx.update(params, state, params, value=loss)[1]

    for loss in losses:
        state = (jax.jit(step) if jit else step)(state, loss)
        found.append(float(optax.tree.get(state, "learning_rate")))
    return found


@pytest.fixture(scope="module")
def alone(formula: Law) -> list[float]:
    return rates(scale_by_psi(formula, STEPS, EPOCHS), LOSSES)


def test_in_multi_steps_an_epoch_counts_updates(formula: Law) -> None:
    """Two minibatches an update: Ψ sees the second's loss."""
    alone = rates(scale_by_psi(formula, STEPS, EPOCHS), LOSSES[1::2])
    tx = optax.MultiSteps(scale_by_psi(formula, STEPS, EPOCHS), every_k_schedule=2)
    assert rates(tx, LOSSES)[1::2] == pytest.approx(alone, rel=1e-6)


def test_in_multi_transform_its_part_alone_has_the_rate(formula: Law, alone: list[float]) -> None:
    params = {"body": jnp.ones(3), "head": jnp.ones(2)}
    parts: Any = {"slow": optax.sgd(1e-3), "psi": scale_by_psi(formula, STEPS, EPOCHS)}
    tx: Any = optax.multi_transform(parts, {"body": "slow", "head": "psi"})
    assert rates(tx, LOSSES, params) == pytest.approx(alone, rel=1e-6)
    updates, _ = tx.update(params, tx.init(params), params, value=2.0)
    np.testing.assert_allclose(updates["body"], -1e-3, rtol=1e-6)
    np.testing.assert_allclose(updates["head"], -0.2, rtol=1e-6)


def test_under_clipping_and_decay_it_still_sees_the_loss(formula: Law, alone: list[float]) -> None:
    tx = optax.chain(
        optax.clip_by_global_norm(1.0), optax.add_decayed_weights(1e-4), optax.scale_by_adam(),
        scale_by_psi(formula, STEPS, EPOCHS),
    )  # fmt: skip
    assert rates(tx, LOSSES) == pytest.approx(alone, rel=1e-6)


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


# How optax's wrappers hand on the loss


def injected(law: Law, *static: str, **arguments: Any) -> Any:
    fixed = ("law", "steps_per_epoch", "epochs", *static)
    return optax.inject_hyperparams(_scale_by_psi, static_args=fixed)(
        law=law, steps_per_epoch=STEPS, epochs=EPOCHS, **arguments
    )


@pytest.mark.parametrize("jit", [False, True])
def test_case_optax_inject_hyperparams_jit(formula: Law, jit: bool) -> None:
    tx = injected(formula, "warmup", max_lr=0.12)
    update = jax.jit(tx.update) if jit else tx.update
    state = tx.init(jnp.ones(3))
    for loss in LOSSES[: STEPS + 1]:
        _, state = update(jnp.ones(3), state, value=jnp.float32(loss))
    assert float(optax.tree.get(state, "learning_rate")) == pytest.approx(0.12)
    state.hyperparams["max_lr"] = jnp.float32(0.05)  # what the wrapper is for: changed on the way
    moved = [update(jnp.ones(3), state, value=jnp.float32(2.0))]
    for _ in range(1, STEPS):
        moved.append(update(jnp.ones(3), moved[-1][1], value=jnp.float32(2.0)))
    np.testing.assert_allclose(moved[-1][0], -0.05, rtol=1e-6)


TRACED: dict[str, dict[str, Any]] = {
    "limits": {"min_lr": 0.05, "max_lr": 0.15},
    "first loss": {"initial_loss": 3.0},
    "change": {"max_change": 1.1, "initial_loss": 2.0},
    "scale": {"scale": 0.5},
    "all": {"min_lr": 0.01, "max_lr": 0.4, "initial_loss": 3.0, "max_change": 1.3, "scale": 0.7},
}


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("traced", TRACED)
def test_kind_traced_arguments_are_those_that_are_not(formula: Law, traced: str, jit: bool) -> None:
    arguments = TRACED[traced]
    law = replace(formula, scale=1.0) if "scale" in arguments else formula
    tx = injected(law, "warmup", **arguments)
    losses = LOSSES if jit else LOSSES[: STEPS + 1]
    plain = rates(_scale_by_psi(law, STEPS, EPOCHS, **arguments), losses)
    assert rates(tx, losses, jit=jit) == pytest.approx(plain, rel=1e-6)


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("name", ["steps_per_epoch", "epochs", "warmup"])
def test_kind_whole_numbers_that_may_be_traced_are_refused_at_once(
    formula: Law, name: str, jit: bool
) -> None:
    arguments: Any = {"law": formula, "steps_per_epoch": 3, "epochs": 4, "warmup": 0}
    static = [each for each in arguments if each != name]
    tx = optax.inject_hyperparams(_scale_by_psi, static_args=static)(**arguments)
    with pytest.raises(ValueError, match=f"{name} must be a whole number"):
        (jax.jit(tx.init) if jit else tx.init)(jnp.ones(3))


ALWAYS: Any = lambda step: step >= 0  # noqa: E731
WRAPPERS: dict[str, Callable[[Any], Any]] = {
    "chain": lambda tx: optax.chain(optax.trace(0.9), tx),
    "named_chain": lambda tx: optax.named_chain(("trace", optax.trace(0.9)), ("psi", tx)),
    "masked": lambda tx: optax.masked(tx, True),
    "partition": lambda tx: optax.partition({"psi": tx}, "psi"),
    "flatten": optax.flatten,
    "apply_if_finite": lambda tx: optax.apply_if_finite(tx, 5),
    "conditionally_transform": lambda tx: optax.conditionally_transform(tx, ALWAYS),
    "MultiSteps(…, 1)": lambda tx: optax.MultiSteps(tx, 1),
}
"""optax's wrappers that hand on `value`, as optax.md lists them."""


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_every_wrapper_hands_on_the_loss(formula: Law, alone: list[float], wrapper: str) -> None:
    found = rates(WRAPPERS[wrapper](scale_by_psi(formula, STEPS, EPOCHS)), LOSSES)
    assert found == pytest.approx(alone, rel=1e-6)
    page = Path(adapter.__file__).with_name("optax.md").read_text()
    assert f"`{wrapper.split('(')[0]}`" in page


@pytest.mark.parametrize("micro", [1, 2, 3])
def test_behind_multi_steps_it_sees_the_mean_of_all_micro_losses(formula: Law, micro: int) -> None:
    """Micro-steps of an epoch: STEPS · micro; the updates between are zero, and those at the end
    the accumulated gradient's."""
    every = np.repeat(LOSSES, micro) * np.tile(np.linspace(0.5, 1.5, micro), len(LOSSES))
    accumulated: Any = optax.MultiSteps(optax.identity(), micro).gradient_transformation()
    tx: Any = optax.chain(accumulated, scale_by_psi(formula, STEPS * micro, EPOCHS, 2.0))
    found = rates(tx, every.astype(np.float32))
    means = every.reshape(-1, micro).mean(1).astype(np.float32)
    alone = rates(scale_by_psi(formula, STEPS, EPOCHS, 2.0), means)
    assert found[::micro] == pytest.approx(alone, rel=1e-5)
    state = tx.init(jnp.ones(2))
    moved = jnp.zeros(2)
    for number in range(micro):
        updates, state = tx.update(jnp.full(2, number + 1.0), state, value=2.0)
        moved += updates
        assert bool((updates != 0).all()) == (number == micro - 1)
    np.testing.assert_allclose(moved, -0.2 * (micro + 1) / 2, rtol=1e-6)


def test_flax_s_train_state_is_told_what_to_call(formula: Law) -> None:
    from flax.training.train_state import TrainState

    tx = scale_by_psi(formula, STEPS, EPOCHS)
    made: Any = TrainState.create(apply_fn=lambda: None, params={"w": jnp.ones(3)}, tx=tx)
    with pytest.raises(ValueError, match=r"In place of flax's TrainState.apply_gradients, which"):
        made.apply_gradients(grads={"w": jnp.ones(3)})
    updates, state = made.tx.update({"w": jnp.ones(3)}, made.opt_state, made.params, value=2.0)
    after = made.replace(
        step=made.step + 1, params=optax.apply_updates(made.params, updates), opt_state=state
    )
    np.testing.assert_allclose(after.params["w"], 0.8, rtol=1e-6)


# What is outside of a law


def test_outside_is_told_from_the_whole_state() -> None:
    law = psi.load("adam@0.1.0")
    params = {"w": jnp.ones((1000, 1100))}
    tx: Any = optax.chain(optax.trace(0.9), scale_by_psi(law, 1, epochs=100))
    with pytest.warns(UserWarning, match="psi: outside .*: 100 epochs .*; 1,100,000 parameters"):
        state = tx.init(params)
    _, state = tx.update(params, state, params, value=2.0)
    _, state = tx.update(params, state, params, value=90.0)
    assert [each.what for each in outside(law, state)] == ["optimizer", "epochs", "parameters"]
    _, state = tx.update(params, state, params, value=1.0)  # now the loss of 90 has been used
    assert outside(law, state)[-1].seen == "a loss of 45 × the initial loss"
    strict = _scale_by_psi(law, 1, epochs=100, strict=True)
    with pytest.raises(ValueError, match="outside of what this law has seen: 100 epochs"):
        strict.init(params)
    with pytest.raises(ValueError, match="an optimizer with a scale_by_psi, and has none"):
        outside(law, optax.adam(1.0).init(params))


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        (optax.scale_by_adam, "adam"), (optax.scale_by_amsgrad, "adam"),
        (optax.scale_by_radam, "adam"), (lambda: optax.trace(0.9), "momentum"),
        (optax.identity, "sgd"), (optax.scale_by_lion, None), (optax.scale_by_rms, None),
        (optax.scale_by_belief, None), (optax.scale_by_novograd, None),
    ],
)  # fmt: skip
def test_the_law_of_a_chain_is_known_by_its_states(rule: Any, fits: str | None) -> None:
    for name in ("sgd", "momentum", "adam"):
        law = psi.load(f"{name}@0.1.0")
        tx = optax.chain(optax.clip(1.0), rule(), _scale_by_psi(law, 1, epochs=10))
        found = outside(law, tx.init(jnp.ones(100)))
        assert bool(found) == (fits != name)


@pytest.mark.parametrize(
    ("rule", "name"),
    [(optax.scale_by_factored_rms, "Factored"), (lambda: optax.ema(0.9), "Ema"),
     (optax.scale_by_adan, "Adan"), (optax.contrib.scale_by_muon, "Muon"),
     (lambda: optax.contrib.madgrad(1.0), "Madgrad")],
)  # fmt: skip
def test_kind_a_rule_of_its_own_is_not_taken_for_sgd(rule: Any, name: str) -> None:
    law = psi.load("sgd@0.1.0")
    tx = optax.chain(rule(), _scale_by_psi(law, 1, epochs=10))
    found = outside(law, tx.init({"w": jnp.ones((10, 10))}))
    assert [str(each) for each in found] == [
        f"{name} (the law is for sgd, no shipped law fits it: its rates are used as they are)"
    ]


@pytest.mark.parametrize("updates", [1, STEPS * EPOCHS, STEPS * EPOCHS + 1, 3 * STEPS * EPOCHS])
def test_kind_more_updates_than_the_budget_are_outside(formula: Law, updates: int) -> None:
    tx: Any = _scale_by_psi(formula, STEPS, EPOCHS)
    state = tx.init(jnp.ones(2))
    for _ in range(updates):
        _, state = tx.update(jnp.ones(2), state, value=2.0)
    found = [each.what for each in outside(formula, state)]
    assert found == ["ended"] * (updates > STEPS * EPOCHS)


def test_a_multi_steps_around_it_is_outside(formula: Law) -> None:
    behind = optax.MultiSteps(optax.identity(), 2).gradient_transformation()
    for tx, wrong in (
        (optax.MultiSteps(scale_by_psi(formula, STEPS, EPOCHS), 2), ["value"]),
        (optax.chain(behind, scale_by_psi(formula, STEPS, EPOCHS)), []),
    ):
        assert [each.what for each in outside(formula, tx.init(jnp.ones(2)))] == wrong


def test_outside_is_asked_of_one_run_and_one_law() -> None:
    laws = {"adam": psi.load("adam@0.1.0"), "sgd": psi.load("sgd@0.1.0")}
    rules: Any = {"adam": optax.scale_by_adam(), "sgd": optax.identity()}
    parts: Any = {k: optax.chain(rules[k], _scale_by_psi(laws[k], 1, 10)) for k in laws}
    tx = optax.multi_transform(parts, {"adam": "adam", "sgd": "sgd"})
    state: Any = tx.init({"adam": jnp.ones(30), "sgd": jnp.ones(30)})
    with pytest.raises(ValueError, match=r"of one scale_by_psi: outside\(law, state.inner_states"):
        outside(laws["adam"], state)
    for name, law in laws.items():
        assert outside(law, state.inner_states[name]) == ()
    runs = jax.vmap(_scale_by_psi(laws["sgd"], 1, 10).init)(jnp.ones((4, 30)))
    with pytest.raises(ValueError, match=r"of one run: .*a\[0\], state\)\), got shape \(4,\)"):
        outside(laws["sgd"], runs)


def test_a_restored_state_keeps_its_own_budget(formula: Law) -> None:
    """As optax.md says; T may be set after restoring."""
    state: Any = _scale_by_psi(formula, 1, 4, 2.0).init(jnp.ones(2))
    tx: Any = _scale_by_psi(formula, 1, 50, 2.0)
    for budget in (4.0, 50.0):
        state = optax.tree.set(state, budget=budget) if budget == 50 else state
        epoch = int(tx.update(jnp.ones(2), state, value=2.0)[1].epoch)
        _, state = tx.update(jnp.ones(2), state, value=2.0)
        assert float(state.learning_rate) == pytest.approx(0.2 * (1 - epoch / budget))


@pytest.mark.parametrize("value", [3, True, jnp.int32(3), "1.5", 1.5j, {"loss": 1.5}, [1.5]])
def test_kind_what_is_no_float_is_no_value(formula: Law, value: Any) -> None:
    tx = _scale_by_psi(formula, STEPS, EPOCHS)
    with pytest.raises(ValueError, match="value must be a loss, a float in nats; got type"):
        tx.update(jnp.ones(3), tx.init(jnp.ones(3)), value=value)
