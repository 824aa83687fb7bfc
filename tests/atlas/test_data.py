"""Data: made again bit by bit, padded without loss, with the least loss that they claim."""

from dataclasses import replace

import numpy as np
import pytest

from psi.atlas.data import VISITS, arrays_of, digest, facts_of, order_of, rows_of
from psi.atlas.description import OF_TOKENS, Description
from psi.atlas.generators import sampler
from psi.atlas.padding import Shape
from psi.atlas.randomness import generator
from psi.atlas.real import table
from tests.atlas.conftest import TASKS
from tests.atlas.test_networks import SHAPE

STREAM = Description("mixture", 8, inputs=4, classes=3, batch=5, steps_per_epoch=3, epochs=4)


@pytest.mark.parametrize("kind", TASKS)
def test_rows_are_made_again(kind):
    assert digest(TASKS[kind]) == digest(TASKS[kind])
    assert digest(TASKS[kind]) != digest(replace(TASKS[kind], number=99))


def test_digests_are_those_of_the_first_atlas():
    """Another version of numpy that draws other numbers would be another atlas."""
    assert digest(STREAM)[:16] == "98b3cb7cacef1306"


def test_a_network_of_tokens_reads_texts_alone():
    task = Description("teacher", 1, classes=57, network="gru", batch=6, steps_per_epoch=3)
    with pytest.raises(ValueError, match="unknown source of tokens 'teacher'"):
        rows_of(task)


def test_windows_of_a_text_begin_in_what_is_held_of_it():
    task = Description(
        "licences", 1, inputs=9, classes=57, network="gru", batch=6, steps_per_epoch=3
    )
    rows = rows_of(task)
    arrays = arrays_of(task, rows, SHAPE["gru"])
    assert int(arrays.rows) == min(len(rows.x), len(arrays.x))


@pytest.mark.parametrize("kind", TASKS)
def test_padding_keeps_all_rows(kind):
    task = TASKS[kind]
    rows = rows_of(task)
    arrays = arrays_of(task, rows, SHAPE[kind])
    count, held = int(arrays.rows), len(rows.val_x)
    assert int(arrays.val_rows) == held
    if kind in OF_TOKENS:
        np.testing.assert_array_equal(arrays.x[:count], rows.x)
    else:
        np.testing.assert_array_equal(arrays.x[:count, : task.inputs], rows.x.astype("f4"))
        assert not arrays.x[count:].any()
        assert not arrays.x[:, task.inputs :].any()
    np.testing.assert_array_equal(arrays.val_x[:held, : task.inputs], rows.val_x.astype("f4"))


def test_a_stream_never_shows_a_row_twice():
    rows = rows_of(STREAM)
    assert len(rows.x) == STREAM.steps * STREAM.batch * STREAM.epochs
    assert len(np.unique(rows.x, axis=0)) == len(rows.x)
    assert rows.floor > 0
    orders = [order_of(STREAM, seed)[: len(rows.x)] for seed in (0, 1)]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(len(rows.x)))
    assert (orders[0] != orders[1]).any()


def test_each_epoch_is_a_permutation_of_the_rows():
    task = TASKS["mlp"]
    order = order_of(task, 0)
    assert len(order) == VISITS
    epochs = order[: task.rows * task.epochs].reshape(task.epochs, -1)
    np.testing.assert_array_equal(np.sort(epochs, axis=1)[1], np.arange(task.rows))
    assert (epochs[0] != epochs[1]).any()
    assert (order_of(task, 1)[: task.rows] != order[: task.rows]).any()


@pytest.mark.parametrize("noise", [0.0, 0.25])
def test_a_teacher_s_labels_are_as_noisy_as_described(noise):
    """4,000 labels, a quarter of them of three classes by chance: a sixth differs, ± 0.6 %."""
    task = Description("teacher", 3, rows=50, inputs=4, classes=3, noise=noise)
    clean = sampler(replace(task, noise=0.0), generator(1, 3))(4000, generator(5))
    noisy = sampler(task, generator(1, 3))(4000, generator(5))
    np.testing.assert_array_equal(clean.x, noisy.x)
    assert (clean.y != noisy.y).mean() == pytest.approx(noise * 2 / 3, abs=0.03)
    right, other = 1 - noise + noise / 3, noise / 3
    entropy = -right * np.log(right) - (2 * other * np.log(other) if noise else 0)
    assert noisy.bayes == pytest.approx(entropy, abs=0.04)
    assert clean.bayes == 0


@pytest.mark.parametrize("columns", ["normal", "heavy", "binary"])
def test_no_prediction_beats_a_mixture_s_least_loss(columns):
    """Logistic regression is of the family of the posterior for normal and binary columns."""
    from sklearn.linear_model import LogisticRegression

    task = Description("mixture", 4, rows=50, inputs=3, classes=3, columns=columns, imbalance=0.5)
    draw = sampler(task, generator(1, 4))
    train, test = draw(20_000, generator(6)), draw(20_000, generator(7))
    model = LogisticRegression(C=1e4, max_iter=500).fit(train.x, train.y)
    chances = model.predict_proba(test.x)[np.arange(len(test.y)), test.y]
    loss = -np.log(chances).mean()
    assert loss > test.bayes - 0.003
    if columns != "heavy":
        assert loss < test.bayes + 0.003


def test_a_markov_text_has_the_entropy_of_its_chain():
    task = Description("markov", 5, inputs=4, classes=6, network="gru", batch=4, steps_per_epoch=3)
    sample = sampler(task, generator(1, 5))(60_000, generator(6))
    pairs = np.zeros((6, 6))
    np.add.at(pairs, (sample.x, sample.y), 1)
    chances = pairs / pairs.sum(1, keepdims=True)
    seen = -np.log(chances[sample.x, sample.y]).mean()
    # Counting 30 frequencies on these very tokens gains 30/(2 · 60,000) nats.
    assert sample.bayes == pytest.approx(seen, abs=0.003)
    np.testing.assert_array_equal(sample.x[1:], sample.y[:-1])


@pytest.mark.parametrize("kind", ["embedding", "gru"])
def test_the_floor_of_a_text_is_that_of_the_windows_that_are_evaluated(kind):
    """Frequencies of pairs in 260,000 tokens are the chain's within 1 %."""
    rows, classes = rows_of(TASKS[kind]), TASKS[kind].classes
    pairs = np.zeros((classes, classes))
    np.add.at(pairs, (rows.x, rows.y), 1)
    chances = pairs / pairs.sum(1, keepdims=True)
    given = rows.val_x[:, -1] if kind == "embedding" else rows.val_x
    assert rows.floor == pytest.approx(-np.log(chances[given, rows.val_y]).mean(), abs=0.005)


def test_a_fixed_text_is_as_long_as_its_windows():
    """Of fixed rows L* is 0, of the licences' unknown all the same."""
    task = Description("markov", 5, rows=40, inputs=4, classes=6, network="gru", batch=4)
    rows = rows_of(task)
    assert len(rows.x) == 160
    assert rows.floor == 0
    assert int(arrays_of(task, rows, SHAPE["gru"]).rows) == 40
    assert facts_of(task, rows).rows == 40
    order = order_of(task, 0)[: 40 * task.epochs].reshape(-1, 40)
    np.testing.assert_array_equal(np.sort(order)[-1], np.arange(40))
    text = replace(task, source="licences", classes=57)
    assert np.isnan(rows_of(text).floor)
    assert (rows_of(text).x != rows_of(replace(text, number=6)).x).any()
    last = rows_of(replace(text, network="embedding", width=3))
    counts = 1 + np.bincount(last.y[3::4], minlength=57)  # of what its windows are followed by
    expected = -np.log(counts / counts.sum())[last.y[3::4]].mean()
    assert last.chances.train_loss == pytest.approx(expected)


def test_images_of_little_noise_can_be_told_apart():
    task = Description("images", 6, rows=50, inputs=64, classes=4, network="cnn")
    sample = sampler(task, generator(1, 6))(300, generator(6))
    assert 0 <= sample.bayes < np.log(4)
    assert sample.x.std() == pytest.approx(1, rel=0.3)


def test_a_real_table_is_subsampled():
    task = Description("wine", 9, rows=60, inputs=7, classes=3, batch=10)
    rows, whole = rows_of(task), table("wine")
    assert rows.x.shape == (60, 7)
    assert rows.domain == "wine"
    # Each row and column is one of the table's.
    columns = [int(np.flatnonzero((column == whole.val_x.T).all(1))[0]) for column in rows.val_x.T]
    assert columns == sorted(set(columns))
    known = {tuple(row) for row in whole.x[:, columns]}
    assert all(tuple(row) in known for row in rows.x)


def test_targets_of_a_regression_are_standardised():
    task = Description("ill_conditioned", 3, inputs=6, noise=0.3, batch=50, steps_per_epoch=20)
    rows = rows_of(task)
    assert rows.y.std() == pytest.approx(1)
    assert rows.chances.val_loss == pytest.approx(0.5, rel=0.2)
    assert 0.01 < rows.floor < 0.2


def test_a_shape_that_is_too_small_holds_no_task():
    assert not Shape("mlp", 4, 4, 16, 4, 0, 0, True).holds(TASKS["mlp"])


def test_a_law_sees_the_chance_loss_of_the_rows_that_are_trained_on():
    rows = rows_of(STREAM)
    assert rows.chances.train_loss != rows.chances.val_loss
    assert facts_of(STREAM, rows).chance_loss == rows.chances.train_loss
