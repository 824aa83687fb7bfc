"""PsiSchedule in real trainings; on the torch backend here, and once more in a process on JAX."""

import math
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import psi
from psi.law.clock import Clock, observe, start, tick
from psi.law.law import Law
from psi.law.parts import explained
from tests.schedulers.drivers import clock_rates

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("torch")
keras = pytest.importorskip("keras")

from psi.schedulers.keras import PsiSchedule  # noqa: E402

if keras.backend.backend() == "jax":  # Keras adds biases to rows without saying so
    import jax

    jax.config.update("jax_numpy_rank_promotion", "allow")

EPOCHS = 5
ROWS = 48


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, 3)).astype(np.float32)
    return x, (x @ [[1.0], [-2.0], [0.5]]).astype(np.float32)


def line(lr: Any = 0.7) -> Any:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(lr), loss="mse")
    return model


def fit(model: Any, schedule: Any, epochs: int = EPOCHS, **more: Any) -> Any:
    x, y = data()
    return model.fit(
        x, y, epochs=epochs, batch_size=16, verbose=0, shuffle=False, callbacks=[schedule], **more
    ).history


def rate(model: Any) -> float:
    return float(model.optimizer.learning_rate)


def numbers(variable: Any) -> np.ndarray:
    value = variable.value
    return np.array(value.tolist(), float)


def test_a_training_has_the_clock_s_rates(law: Law) -> None:
    model = line()
    history = fit(model, PsiSchedule(law, EPOCHS, initial_loss=6.0))
    wanted = clock_rates(law, np.array(history["loss"]), EPOCHS, initial_loss=6.0)
    np.testing.assert_allclose(history["learning_rate"], wanted[:-1], rtol=1e-6)
    assert rate(model) == pytest.approx(wanted[-1])
    assert history["loss"][-1] < history["loss"][0]


def test_the_rate_is_the_one_that_trains(formula: Law) -> None:
    """One epoch of one step on a line: w_1 = w_0 − α_0 g."""
    model = line()
    x, y = data()
    w, b = (numbers(v) for v in model.trainable_weights)
    slope = 2 * x.T @ (x @ w + b - y) / ROWS
    schedule = PsiSchedule(formula, 4, initial_loss=10.0)
    model.fit(x, y, epochs=1, batch_size=ROWS, verbose=0, callbacks=[schedule])
    moved = w - numbers(model.trainable_weights[0])
    np.testing.assert_allclose(moved, 0.2 * slope, rtol=1e-4)


def test_decisions_every_few_minibatches(formula: Law) -> None:
    """Three minibatches an epoch, two a period; each one's loss is found from Keras's mean."""

    rates: list[float] = []
    model = line()
    schedule = PsiSchedule(formula, 8, initial_loss=6.0, every=2)
    # JAX empties the optimizer's own variables for the length of an epoch.
    log = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: rates.append(  # noqa: ARG005
            schedule.state_dict()["learning_rate"]
        )
    )
    x, y = data()
    model.fit(x, y, epochs=2, batch_size=16, verbose=0, shuffle=False, callbacks=[schedule, log])
    assert rates[0] == rates[1] == pytest.approx(0.2)
    assert rates[2] == rates[3] != rates[1]
    assert rates[4] == rates[5] != rates[3]
    # The same trained by hand.
    w, b = (numbers(v) for v in line().trainable_weights)
    losses = []
    for step, alpha in enumerate(rates):
        rows = slice(16 * (step % 3), 16 * (step % 3) + 16)
        error = x[rows] @ w + b - y[rows]
        losses.append((error**2).mean())
        w, b = w - alpha * 2 * x[rows].T @ error / 16, b - alpha * 2 * error.mean(0)
    means = np.array(losses).reshape(3, 2).mean(1)
    wanted = clock_rates(formula, means, 8, initial_loss=6.0)
    np.testing.assert_allclose(rates[::2], wanted[:3], rtol=1e-4)


def test_the_first_minibatch_is_the_first_loss_where_it_is_seen(formula: Law) -> None:
    model = line()
    schedule = PsiSchedule(formula, 8, every=1)
    fit(model, schedule, 1)
    assert schedule.state_dict()["initial_loss"] == pytest.approx(5.0, rel=0.9)
    assert schedule.state_dict()["initial_loss"] != formula.initial_loss


def test_a_loss_that_is_no_number_keeps_the_rate_and_warns_once(formula: Law) -> None:
    model, schedule = line(), PsiSchedule(formula, 4, initial_loss=2.0)
    schedule.set_model(model)
    schedule.on_train_begin()
    with pytest.warns(UserWarning, match="psi: epoch 0 ended with a mean loss of nan"):
        schedule.on_epoch_end(0, {"loss": math.nan})
    schedule.on_epoch_end(1, {"loss": math.inf})
    assert (rate(model), schedule.skipped) == (pytest.approx(0.2), 2)


def test_it_says_why_the_rate_is_what_it_is(formula: Law) -> None:
    model, schedule = line(), PsiSchedule(formula, 4, initial_loss=2.0)
    schedule.set_model(model)
    schedule.on_train_begin()
    schedule.on_epoch_end(0, {"loss": 1.0})
    clock = Clock(formula, 4, 2.0)
    state = tick(clock, observe(start(clock, np), np.float64(1.0)), np)
    assert schedule.explain() == explained(clock, state)


def test_parameters_are_counted() -> None:
    law = psi.load("sgd@0.1.0")
    exponent = next(c.value for c in law.constants if c.name == "u")
    rates = []
    for inputs in (29, 1199):
        model = keras.Sequential([keras.layers.Input((inputs,)), keras.layers.Dense(1)])
        model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
        schedule = PsiSchedule(law, EPOCHS, initial_loss=2.0)
        schedule.set_model(model)
        schedule.on_train_begin()
        rates.append(rate(model))
    assert rates[1] / rates[0] == pytest.approx(40**exponent)


def test_saved_at_any_of_200_epochs_the_rest_is_the_same_bits(law: Law) -> None:
    losses = 2.0 * np.exp(-np.arange(200) / 80) * (1.2 + np.sin(np.arange(200)))
    model = line()

    def run(state: Any, first: int, last: int) -> tuple[list[Any], list[float]]:
        schedule = PsiSchedule(law, 200, initial_loss=2.0, max_change=1.3)
        if state is not None:
            schedule.load_state_dict(state)
        schedule.set_model(model)
        schedule.on_train_begin()
        states, rates = [schedule.state_dict()], [rate(model)]
        for epoch in range(first, last):
            schedule.on_epoch_end(epoch, {"loss": losses[epoch]})
            states.append(schedule.state_dict())
            rates.append(rate(model))
        return states, rates

    states, rates = run(None, 0, 200)
    assert len(set(rates)) > 150
    for number in range(200):  # a state that is the same goes on the same
        last = min(number + 3, 200)
        wanted = states[number : last + 1], rates[number : last + 1]
        assert run(states[number], number, last) == wanted


def test_a_second_fit_goes_on(formula: Law) -> None:
    """As one fit over both: Keras's optimizer goes on as well."""
    model, schedule = line(), PsiSchedule(formula, EPOCHS, initial_loss=6.0)
    first = fit(model, schedule, 2)
    second = fit(model, schedule, EPOCHS, initial_epoch=2)
    whole = fit(line(), PsiSchedule(formula, EPOCHS, initial_loss=6.0))
    assert [*first["learning_rate"], *second["learning_rate"]] == whole["learning_rate"]


@contextmanager
def psi_says(match: str) -> Iterator[None]:
    """One warning of Ψ's, whatever Keras may warn of."""
    with warnings.catch_warnings(record=True) as said:
        warnings.filterwarnings("always", "psi:", UserWarning)
        yield
    assert [bool(re.search(match, str(each.message))) for each in said] == [True]


def test_case_keras_initial_epoch() -> None:
    """Another process: weights restored, schedule new; the rates are those of epochs 6 to 9."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 8)).astype("float32")
    y = (x.sum(1) > 0).astype("int32")
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer="adam", loss=loss)
    new = PsiSchedule(psi.load("adam@0.1.0"), epochs=10)
    with psi_says("psi: fit begins at epoch 6, the schedule is at 0: it go"):
        history = model.fit(x, y, initial_epoch=6, epochs=10, verbose=0, callbacks=[new]).history
    assert history["learning_rate"] == pytest.approx([0.047, 0.032, 0.019, 0.008], rel=0.06)


class Killed(keras.callbacks.Callback):
    """A process that ends in the middle of an epoch."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        del logs
        if epoch == self.epoch:
            raise KeyboardInterrupt


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras, saving torch's tensors
@pytest.mark.parametrize(
    ("killed", "first", "every"),
    [(1, "schedule", None), (2, "backup", None), (4, "schedule", None), (2, "backup", 2)],
)
def test_kind_a_killed_run_goes_on_from_its_backup(
    formula: Law, tmp_path: Any, killed: int, first: str, every: int | None
) -> None:
    """The rates of a run that was killed and made again are those of one that was not."""
    x, y = data()

    def made(**more: Any) -> Any:
        return PsiSchedule(formula, 8, initial_loss=6.0, every=every, **more)

    def callbacks(schedule: Any) -> list[Any]:
        backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
        return [schedule, backup] if first == "schedule" else [backup, schedule]

    def run(*more: Any) -> Any:
        schedule = made(backup_dir=tmp_path / "backup")
        history = keras.callbacks.History()
        settings: Any = {"epochs": EPOCHS, "batch_size": 16, "verbose": 0, "shuffle": False}
        every = [*callbacks(schedule), history, *more]
        line().fit(x, y, callbacks=every, **settings)
        return history.history["learning_rate"]

    whole = fit(line(), made())["learning_rate"]
    with pytest.raises(KeyboardInterrupt):
        run(Killed(killed))
    assert run() == whole[killed:]
    assert not (tmp_path / "backup").exists()  # Keras removes it when the run has ended


def test_a_second_fit_after_all_epochs_begins_anew(formula: Law) -> None:
    schedule = PsiSchedule(formula, 2, initial_loss=6.0)
    first = fit(line(), schedule, 2)
    with psi_says("begins at epoch 0, the schedule is at 2 and has ended"):
        assert fit(line(), schedule, 2)["learning_rate"] == first["learning_rate"]


def test_a_loop_of_fits_goes_on_and_says_so(formula: Law) -> None:
    model, schedule = line(), PsiSchedule(formula, EPOCHS, initial_loss=6.0)
    rates = fit(model, schedule, 1)["learning_rate"]
    with psi_says(r"it goes on \(fit\(initial_epoch=.*\(said once\)"):
        for _ in range(1, EPOCHS):
            rates += fit(model, schedule, 1)["learning_rate"]
    whole = fit(line(), PsiSchedule(formula, EPOCHS, initial_loss=6.0))
    assert rates == whole["learning_rate"]


@pytest.mark.parametrize("every", [None, 2])
@pytest.mark.parametrize("ended", [2, 4])
def test_kind_another_model_begins_anew(formula: Law, ended: int, every: int | None) -> None:
    """Folds of a cross-validation with one callback; the first may have stopped early."""
    schedule = PsiSchedule(formula, 4 if every is None else 6, initial_loss=6.0, every=every)
    first = fit(line(), schedule, ended)["learning_rate"]
    with psi_says(r"schedule is at \d (and has ended|of another model's training): it begins anew"):
        assert fit(line(), schedule, ended)["learning_rate"] == first


def test_a_model_of_another_size_is_counted_anew() -> None:
    def model(width: int) -> Any:
        dense = keras.layers.Dense
        made = keras.Sequential([keras.layers.Input((3,)), dense(width), dense(1)])
        made.compile(optimizer=keras.optimizers.SGD(1.0), loss="mse")
        return made

    def begun(schedule: Any, model: Any) -> Any:
        schedule.set_model(model)
        schedule.on_train_begin()
        schedule.on_epoch_begin(0)
        return schedule

    schedule, wide = PsiSchedule(psi.load("sgd@0.1.0"), 2, initial_loss=6.0), model(40)
    begun(schedule, model(10)).on_epoch_end(0, {"loss": 1.0})
    with psi_says("of another model's training: it begins anew"):
        begun(schedule, wide)
    assert schedule.state_dict()["parameters"] == wide.count_params() == 201
    alone = begun(PsiSchedule(psi.load("sgd@0.1.0"), 2, initial_loss=6.0), wide)
    assert schedule.state_dict() == alone.state_dict()


@pytest.mark.parametrize(("every", "period"), [(1, 6), (2, 3), (4, 1)])
def test_kind_periods_go_on_from_the_initial_epoch(formula: Law, every: int, period: int) -> None:
    """Two epochs of three minibatches were before, in another process."""
    schedule = PsiSchedule(formula, 12, initial_loss=6.0, every=every)
    with psi_says(f"fit begins at period {period}, the schedule is at 0: it goes on at {period}"):
        fit(line(), schedule, 3, initial_epoch=2)
    assert schedule.state_dict()["epoch"] == period + 3 // every


def test_rows_without_a_length_keep_the_period_s_rate(formula: Law) -> None:
    """Where such an epoch ends, Keras on JAX puts back the rate that was in force before."""
    x, y = data()
    rows = ((x[k : k + 16], y[k : k + 16]) for k in (0, 8, 16, 32))
    model, schedule = line(), PsiSchedule(formula, 8, initial_loss=6.0, every=1)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*ran out of data", UserWarning)
        model.fit(rows, epochs=1, verbose=0, shuffle=False, callbacks=[schedule])
    schedule.on_epoch_begin(1)
    assert schedule.state_dict()["epoch"] == 4
    assert rate(model) == pytest.approx(schedule.state_dict()["learning_rate"])


def test_a_validation_loss_sets_no_rate_for_a_law_that_does_not_see_it(formula: Law) -> None:
    model, schedule = line(), PsiSchedule(formula, 8, initial_loss=6.0, every=100)
    fit(model, schedule, 1)
    model.optimizer.learning_rate = 0.123  # another's
    schedule.on_epoch_end(1, {"loss": 1.0, "val_loss": 1.0})
    assert rate(model) == pytest.approx(0.123)


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras, reading torch's rate
@pytest.mark.parametrize("every", [None, 2])
@pytest.mark.parametrize("first", ["Ψ first", "Ψ last"])
@pytest.mark.parametrize("name", ["LearningRateScheduler", "ReduceLROnPlateau"])
def test_kind_another_callback_that_sets_the_rate_is_said(
    formula: Law, name: str, first: str, every: int | None
) -> None:
    fixed = keras.callbacks.LearningRateScheduler(lambda epoch, lr: 0.01)  # noqa: ARG005
    plateau = keras.callbacks.ReduceLROnPlateau("loss", 0.1, patience=0, min_delta=99.0)
    other = fixed if name == "LearningRateScheduler" else plateau
    schedule = PsiSchedule(formula, 8, initial_loss=6.0, every=every)
    callbacks = [schedule, other] if first == "Ψ first" else [other, schedule]
    x, y = data()
    with psi_says(r"the rate in force was 0.0\d+, not Ψ's 0.\d+: does another"):
        line().fit(x, y, epochs=EPOCHS, batch_size=16, verbose=0, callbacks=callbacks)


def test_a_run_outside_is_said_once_or_refused(formula: Law) -> None:
    model = line()
    model.compile(optimizer=keras.optimizers.Adam(0.1), loss="mse")
    schedule = PsiSchedule(formula, 1000, initial_loss=6.0)
    with psi_says(r"Adam \(the law is for sgd.*; 1,000 epochs"):
        fit(model, schedule, 2)
    assert [each.what for each in schedule.outside] == ["optimizer", "epochs"]
    with pytest.raises(ValueError, match=r"outside of what this law has seen: Adam"):
        fit(model, PsiSchedule(formula, 9, strict=True))


def test_more_epochs_than_the_budget_are_said(formula: Law) -> None:
    with psi_says("3 epochs have ended and epochs=2"):
        fit(line(), PsiSchedule(formula, 2, initial_loss=6.0), 3)


def test_it_may_go_on_to_another_budget(formula: Law) -> None:
    model, schedule = line(), PsiSchedule(formula, 4, initial_loss=2.0)
    schedule.set_model(model)
    schedule.on_train_begin()
    schedule.extend(8)
    schedule.on_epoch_end(0, {"loss": 2.0})
    assert rate(model) == pytest.approx(0.2 * (1 - 1 / 8))


# What is refused


def test_an_optimizer_with_a_schedule_is_refused_when_the_fit_begins(formula: Law) -> None:
    model = line(keras.optimizers.schedules.CosineDecay(0.1, 100))
    with pytest.raises(ValueError, match="compile with a float learning_rate"):
        fit(model, PsiSchedule(formula, 4))


def test_a_training_without_a_loss_is_refused(formula: Law) -> None:
    schedule = PsiSchedule(formula, 4)
    schedule.set_model(line())
    with pytest.raises(ValueError, match=r"the logs must hold the loss, got \['mae'\]"):
        schedule.on_epoch_end(0, {"mae": 1.0})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"law": "adam"}, "law must be a psi.Law"),
        ({"every": 0}, "every must be a whole number >= 1, got 0"),
        ({"min_lr": 2.0, "max_lr": 1.0}, "min_lr <= max_lr"),
    ],
)
def test_what_makes_no_sense_is_refused(formula: Law, change: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        PsiSchedule(**({"law": formula, "epochs": 4} | change))


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() == "jax", reason="that process is this")
def test_all_of_it_holds_on_jax() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    there = {**os.environ, "KERAS_BACKEND": "jax"}
    done = subprocess.run(command, env=there, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
