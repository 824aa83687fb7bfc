"""Tuning-free methods against the formulas of their papers, in numpy and double precision."""

import numpy as np
import pytest

from psi.bench.baselines import BASELINES, tuning_free
from tests.bench.baselines.steps import EPOCHS, START, STEPS, agree, by_hand, trained


def adam_bias(t):
    return np.sqrt(1 - 0.999**t) / (1 - 0.9**t)


def prodigy():
    d0, d = 1e-6, 1e-6
    m, v, s, r, t, beta = 0.0, 0.0, 0.0, 0.0, 0, np.sqrt(0.999)

    def update(theta, g, loss):
        nonlocal d, m, v, s, r, t
        t += 1
        step = d * adam_bias(t)
        r = beta * r + d / d0 * step * g @ (START - theta)
        s = beta * s + d / d0 * step * g
        m, v = 0.9 * m + 0.1 * d * g, 0.999 * v + 0.001 * d**2 * g**2
        d = max(d, r / np.abs(s).sum())
        return step * m / (np.sqrt(v) + d * 1e-8)

    return update


def d_adaptation():
    d, m, v, s, r, t, beta = 1e-6, 0.0, 0.0, np.zeros(4), 0.0, 0, np.sqrt(0.999)

    def update(theta, g, loss):
        nonlocal d, m, v, s, r, t
        t += 1
        step = d * adam_bias(t)
        r = beta * r + (1 - beta) * step * g @ (s / (np.sqrt(v) + 1e-8))
        s = beta * s + (1 - beta) * step * g
        m, v = 0.9 * m + 0.1 * step * g, 0.999 * v + 0.001 * g**2
        d = max(d, r / ((1 - beta) * np.abs(s).sum()))
        return m / (np.sqrt(v) + 1e-8)

    return update


def cocob():
    largest, absolute, reward, total = 1e-8, 0.0, 0.0, 0.0

    def update(theta, g, loss):
        nonlocal largest, absolute, reward, total
        largest, absolute = np.maximum(largest, np.abs(g)), absolute + np.abs(g)
        reward, total = np.maximum(reward - g * (theta - START), 0), total - g
        bet = total / (largest * np.maximum(absolute + largest, 100 * largest))
        return theta - START - bet * (largest + reward)

    return update


def adamw():
    m, v, t = 0.0, 0.0, 0

    def update(theta, g):
        nonlocal m, v, t
        t, m, v = t + 1, 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        return m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8) + 1e-4 * theta

    return update


def mechanic(make):
    """Mechanic with decay 0.01, s_0 = 10⁻⁶ and h clipped, as in its authors' optax code."""

    def start():
        inner, betas = make(), 1 - 0.1 ** np.arange(1, 7)
        r, m, v, s = np.zeros(6), np.zeros(6), np.zeros(6), np.full(6, 1e-6)

        def update(theta, g, loss):
            nonlocal r, m, v, s
            size, norms = s.sum(), np.linalg.norm
            down = (START - theta) / (size + 1e-8)
            further = down + inner(theta, g)
            decayed = g + 0.01 * size * norms(g) / (norms(theta) + 1e-8) * theta
            h = decayed @ down
            clipped = np.clip(h, -m, m)
            m = np.maximum(betas * m, abs(h) + 1e-8)
            v, r = betas**2 * v + h**2, betas * r + clipped * s
            s = (1e-6 / 6 * m + np.maximum(0, r)) / (np.sqrt(v) + 1e-8)
            return theta - START + s.sum() * further

        return update

    return start


def momo():
    mean_loss, m, inner = 0.0, 0.0, 0.0
    first = True

    def update(theta, g, loss):
        nonlocal mean_loss, m, inner, first
        keep, first = 0.0 if first else 0.9, False
        mean_loss = keep * mean_loss + (1 - keep) * loss
        m, inner = keep * m + (1 - keep) * g, keep * inner + (1 - keep) * g @ theta
        return min(1.0, max(mean_loss + m @ theta - inner, 0) / (m @ m)) * m

    return update


def momo_adam():
    mean_loss, m, v, inner, t = 0.0, 0.0, 0.0, 0.0, 0

    def update(theta, g, loss):
        nonlocal mean_loss, m, v, inner, t
        t, m, v = t + 1, 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        mean_loss, inner = 0.9 * mean_loss + 0.1 * loss, 0.9 * inner + 0.1 * g @ theta
        scaled = m / (1e-8 + np.sqrt(v / (1 - 0.999**t)))
        polyak = max(mean_loss + m @ theta - inner, 0) / (m @ scaled)
        return min(0.01 / (1 - 0.9**t), polyak) * scaled

    return update


def dog():
    far, squares = 1e-6 * (1 + np.linalg.norm(START)), 1e-8

    def update(theta, g, loss):
        nonlocal far, squares
        far, squares = max(far, np.linalg.norm(theta - START)), squares + g @ g
        return far / np.sqrt(squares) * g

    return update


def dowg():
    far, squares = 1e-4, 0.0

    def update(theta, g, loss):
        nonlocal far, squares
        far = max(far, (theta - START) @ (theta - START))
        squares += far * g @ g
        return far / (np.sqrt(squares) + 1e-4) * g

    return update


class ScheduleFree:
    """The recursion of x, y and z; what counts is x. Two steps of 32 warm up.

    optax weighs a step by the squared rate of the next one, which is that of all steps here.
    """

    def __init__(self, rate, squares):
        self.rate, self.squares, self.t, self.v = rate, squares, 0, 0.0
        self.x, self.z, self.xs = START, START, []

    def __call__(self, y, g, _):
        self.t, self.v = self.t + 1, 0.999 * self.v + 0.001 * g**2
        scale = np.sqrt(self.v / (1 - 0.999**self.t)) + 1e-8 if self.squares else 1.0
        self.z = self.z - min(self.t / 2, 1.0) * self.rate * g / scale
        self.x = self.x + (self.z - self.x) / self.t
        self.xs.append(self.x)
        return y - (0.9 * self.x + 0.1 * self.z)


# name: (reference, shape of its schedule)
BY_HAND = {
    "prodigy": (prodigy, "cosine"),
    "d_adaptation": (d_adaptation, "linear"),
    "cocob": (cocob, "constant"),
    "mechanic_sgd": (mechanic(lambda: lambda _, g: g), "constant"),
    "mechanic_adamw": (mechanic(adamw), "constant"),
    "momo": (momo, "constant"),
    "momo_adam": (momo_adam, "constant"),
    "dog": (dog, "constant"),
    "dowg": (dowg, "constant"),
}
SCHEDULE_FREE = {"schedule_free_sgd": (1.0, False), "schedule_free_adamw": (0.0025, True)}


def test_every_row_has_a_reference_and_is_not_tuned():
    assert {row.name for row in tuning_free.ROWS} == {*BY_HAND, *SCHEDULE_FREE}
    assert not any(row.tuned for row in tuning_free.ROWS)
    assert {row.default for row in tuning_free.ROWS} == {1.0}


@pytest.mark.parametrize("name", BY_HAND)
def test_a_row_follows_its_formula(name):
    row, (make, shape) = BASELINES[name], BY_HAND[name]
    paths, counts = trained(row, [1.0, 0.5])
    for path, rate in zip(paths, [1.0, 0.5], strict=True):
        agree(path, by_hand(make(), rate, row, shape))
    assert (row.evaluated is None) == np.array_equal(paths, counts)


@pytest.mark.parametrize("name", SCHEDULE_FREE)
def test_a_schedule_free_row_is_trained_at_y_and_evaluated_at_x(name):
    row, reference = BASELINES[name], ScheduleFree(*SCHEDULE_FREE[name])
    paths, counts = trained(row, [1.0])
    agree(paths[0], by_hand(reference, 1.0, row))
    agree(counts[0], np.array(reference.xs))


def test_dog_counts_its_average_of_polynomial_decay():
    """Weights of θ_1 … θ_t: (1 + γ)/(t + γ) for the last, and what it leaves for those before."""
    paths, counts = trained(BASELINES["dog"], [1.0])
    expected = np.zeros(4)
    for t in range(1, EPOCHS * STEPS + 1):
        weight = (1 + 8) / (t + 8)
        expected = (1 - weight) * expected + weight * paths[0, t - 1]
        agree(counts[0, t - 1 : t], expected[None])
