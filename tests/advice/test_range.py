"""The range test: curves whose steepest fall is known, noise alone, and three frameworks."""

import os
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import psi
from psi.advice.range_test import Suggestion, read, suggest_lr

RATES = np.geomspace(1e-5, 10, 100)
X = np.log10(RATES)


def curve(steepest: float) -> np.ndarray:
    """Falls from 2.3 to 0.3 as a logistic around log10(rate) = steepest, rises two decades on."""
    fall = 2 / (1 + np.exp(-(X - steepest) / 0.25))
    return 2.3 - fall + 4.0 * np.clip(X - steepest - 1.5, 0, None) ** 2


def noisy(losses: np.ndarray, noise: float, seeds: int, draw: int) -> np.ndarray:
    rng = np.random.default_rng(draw)
    return losses + noise * rng.normal(size=(seeds, len(RATES)))


@pytest.mark.parametrize("steepest", [-3.0, -2.0, -1.5])
def test_without_noise_it_is_where_the_curve_falls_fastest(steepest: float) -> None:
    found = read(RATES, curve(steepest)[None])
    assert found.lr == pytest.approx(10**steepest, rel=0.1)
    assert found.slope.min() == pytest.approx(-2.0, rel=0.3)  # the logistic's own, smoothed


def test_noise_moves_it_by_little() -> None:
    """300 draws of three runs with noise of a quarter of the fall: 9 in 10 within a factor 2."""
    found = [read(RATES, noisy(curve(-2.0), 0.5, 3, draw)).lr for draw in range(300)]
    near = [lr is not None and 0.5 < lr / 1e-2 < 2 for lr in found]
    assert np.mean(near) > 0.9


def test_of_noise_alone_it_says_so() -> None:
    """Falsely a rate in at most 3 of 100 tests; 300 draws, fixed."""
    found = [read(RATES, noisy(np.full(100, 2.3), 0.3, 3, draw)) for draw in range(300)]
    assert np.mean([each.lr is not None for each in found]) < 0.03
    assert any("no more than its noise" in each.reason for each in found)


def test_the_slope_s_error_is_what_it_varies_by() -> None:
    found = [read(RATES, noisy(np.full(100, 2.3), 0.3, 3, draw)) for draw in range(400)]
    spread = np.std([each.slope[50] for each in found])
    assert np.mean([each.error[50] for each in found]) == pytest.approx(spread, rel=0.1)


@pytest.mark.parametrize(
    ("losses", "reason"),
    [
        (curve(1.2), "still falls at the highest rate 10: go higher"),
        (curve(-6.5) + 0.1, "at any rate|begin lower"),
        (np.full(100, np.nan), "not finite near the lowest rate 1e-05: begin lower"),
    ],
)
def test_without_a_rate_it_says_why(losses: np.ndarray, reason: str) -> None:
    import re

    found = read(RATES, noisy(losses, 0.01, 2, 0))
    assert found.lr is None
    assert re.search(reason, found.reason)


def test_runs_that_diverge_end_and_count_as_high() -> None:
    calls = []

    def begin(seed: int) -> Any:
        start, seen = float(seed), iter(curve(-2.0))

        def step(lr: float) -> float:
            calls.append(lr)
            return next(seen) + 0.001 * start if lr < 0.3 else 1e9

        return step

    found = suggest_lr(begin, seeds=2)
    assert found.lr == pytest.approx(1e-2, rel=0.1)
    assert max(calls) < 0.4
    assert np.isnan(found.losses[:, -20:]).all()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"low": 0.0}, "0 < low < high"),
        ({"low": 1.0, "high": 0.1}, "0 < low < high, finite, got 1.0 and 0.1"),
        ({"high": np.inf}, "0 < low < high"),
        ({"steps": 5}, "20 steps and a seed"),
        ({"seeds": 0}, "20 steps and a seed"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        psi.suggest_lr(lambda _: float, **change)


# Frameworks: a dense network of 512 units, SGD, minibatches of 128, on digits


def digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    x, y = map(np.asarray, load_digits(return_X_y=True))
    return (x / 16).astype(np.float32)[:1792], y[:1792]


def trains_well(found: Suggestion) -> None:
    """Best constant rates of ten epochs are 0.5 to 1 there, from 2 on it diverges."""
    assert found.lr is not None, found.reason
    assert 0.03 < found.lr < 1.0


def test_optax_trains_at_the_rate() -> None:
    from psi.advice.range_optax import range_steps

    x, y = digits()
    batches = jnp.asarray(x).reshape(-1, 128, 64), jnp.asarray(y).reshape(-1, 128)

    def init(key: Any) -> Any:
        one, two = jax.random.split(key)
        return jax.random.normal(one, (64, 512)) / 6, jax.random.normal(two, (512, 10)) / 16

    def loss(params: Any, batch: Any) -> Any:
        logits = jax.nn.relu(batch[0] @ params[0]) @ params[1]
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch[1]).mean()

    begin = range_steps(loss, init, batches, optax.identity())
    found = psi.suggest_lr(begin)
    trains_well(found)
    assert np.array_equal(psi.suggest_lr(begin).losses, found.losses, equal_nan=True)
    step = begin(9)
    losses = [step(found.lr or 0.0) for _ in range(140)]
    assert np.mean(losses[-14:]) < 0.35


def test_torch_trains_at_the_rate_and_is_left_as_it_was() -> None:
    torch = pytest.importorskip("torch")
    from psi.advice.range_torch import range_steps

    torch.manual_seed(0)
    x, y = (torch.tensor(each) for each in digits())
    model = torch.nn.Sequential(torch.nn.Linear(64, 512), torch.nn.ReLU(), torch.nn.Linear(512, 10))
    optimizer = torch.optim.SGD(
        [{"params": model[0].parameters(), "lr": 0.2}, {"params": model[2].parameters()}], lr=0.1
    )
    rows = torch.utils.data.TensorDataset(x, y)
    batches = torch.utils.data.DataLoader(rows, batch_size=128, shuffle=True)
    loss = lambda model, batch: torch.nn.functional.cross_entropy(model(batch[0]), batch[1])  # noqa: E731
    before = [p.detach().clone() for p in model.parameters()]
    begin = range_steps(model, optimizer, batches, loss)
    trains_well(psi.suggest_lr(begin))
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert [group["lr"] for group in optimizer.param_groups] == [0.2, 0.1]
    begin(0)(1e-3)
    assert [group["lr"] for group in optimizer.param_groups] == [1e-3, 5e-4]


def test_keras_trains_at_the_rate_and_is_left_as_it_was() -> None:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    pytest.importorskip("torch")
    keras = pytest.importorskip("keras")
    from psi.advice.range_keras import range_steps

    keras.utils.set_random_seed(0)
    x, y = digits()
    layers = keras.layers
    model = keras.Sequential(
        [layers.Input((64,)), layers.Dense(512, activation="relu"), layers.Dense(10)]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss=loss)
    before = [variable.value.tolist() for variable in model.variables]
    trains_well(psi.suggest_lr(range_steps(model, x, y, batch_size=128)))
    assert [variable.value.tolist() for variable in model.variables] == before
    assert float(model.optimizer.learning_rate) == pytest.approx(0.1)


def test_the_figure_is_drawn(tmp_path: Path) -> None:
    from psi.report.range_test import range_figure

    for name, losses in (("found", curve(-2.0)), ("none", np.full(100, np.nan))):
        range_figure(read(RATES, losses[None]), tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").stat().st_size > 5000
