"""Losses against scikit-learn, scipy and rows that are left out by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.metrics import accuracy_score, log_loss, r2_score

from psi.lab.tasks.losses import cross_entropy, mean, r_squared, share_right, squared_error

ROWS, CLASSES = 50, 4
RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(CLASSES, ROWS)).astype(np.float32) * 3
LABELS = RNG.integers(0, CLASSES, ROWS)
TARGETS = RNG.normal(size=ROWS).astype(np.float32)
REAL = np.arange(ROWS) % 3 > 0


def test_cross_entropy_and_share_right_against_scikit_learn():
    p = np.exp(log_softmax(LOGITS.astype(np.float64), axis=0)).T
    loss = cross_entropy(jnp.asarray(LOGITS), jnp.asarray(LABELS))
    assert float(loss) == pytest.approx(log_loss(LABELS, p), rel=1e-5)
    share = share_right(jnp.asarray(LOGITS), jnp.asarray(LABELS))
    assert float(share) == pytest.approx(accuracy_score(LABELS, LOGITS.argmax(0)))


def test_smoothed_labels_are_spread_over_all_classes():
    target = 0.7 * np.eye(CLASSES)[LABELS] + 0.3 / CLASSES
    expected = -(target * log_softmax(LOGITS.astype(np.float64), axis=0).T).sum(1).mean()
    found = cross_entropy(jnp.asarray(LOGITS), jnp.asarray(LABELS), smoothing=0.3)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_logits_of_any_size_overflow_nowhere():
    loss, slope = jax.value_and_grad(cross_entropy)(jnp.asarray(LOGITS) * 1e30, jnp.asarray(LABELS))
    assert np.isfinite(loss)
    assert np.isfinite(slope).all()


def test_a_regression_against_scikit_learn():
    outputs = jnp.asarray(LOGITS[:1])
    half = np.square(LOGITS[0].astype(np.float64) - TARGETS).mean() / 2
    assert float(squared_error(outputs, jnp.asarray(TARGETS))) == pytest.approx(half, rel=1e-5)
    expected = r2_score(TARGETS, LOGITS[0])
    assert float(r_squared(outputs, jnp.asarray(TARGETS))) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_padding_counts_for_nothing(smoothing):
    """Whatever stands in the rows that are padding."""
    logits = np.where(REAL, LOGITS, 17.0).astype(np.float32)
    found = cross_entropy(jnp.asarray(logits), jnp.asarray(LABELS), jnp.asarray(REAL), smoothing)
    alone = cross_entropy(jnp.asarray(LOGITS[:, REAL]), jnp.asarray(LABELS[REAL]), None, smoothing)
    assert float(found) == pytest.approx(float(alone), rel=1e-5)
    found = squared_error(jnp.asarray(logits), jnp.asarray(TARGETS), jnp.asarray(REAL))
    alone = squared_error(jnp.asarray(LOGITS[:, REAL]), jnp.asarray(TARGETS[REAL]))
    assert float(found) == pytest.approx(float(alone), rel=1e-5)
    assert mean(jnp.ones(3), jnp.zeros(3, bool)) == 0
