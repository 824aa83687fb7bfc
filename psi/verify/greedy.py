"""G1, G2, G3 of problems.md: the best rate for the next loss, from trained runs and by formula."""

import jax
import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.optimize import root_scalar

from psi.ideal.branched import Branching, best_rates, branch_surface
from psi.ideal.continuation import CONSTANT
from psi.ideal.pool import pooled
from psi.ideal.rate import ideal_rates
from psi.ideal.receding import recede
from psi.lab.engine.branch import States, starts
from psi.lab.hyper import Hyper
from psi.lab.tasks.closed_forms import least_squares_rate, noisy_quadratic_losses
from psi.lab.tasks.closed_forms import noisy_quadratic_rate as formula
from psi.lab.tasks.noisy_problems import LeastSquares, NoisyQuadratic
from psi.lab.tasks.problems import LEAST_SQUARES, NOISY_QUADRATIC, Problem, task_of
from psi.lab.tasks.task import Task
from psi.verify.rows import Row, absolute, many

RUNS = 65_536
ONE_STEP = Branching(horizon=1, continuation=CONSTANT, orders=0, rounds=2)
RATES = np.geomspace(0.003, 1.0, 14)  # fixed, whatever the ideal rate is: 0.015 to 0.48 in G1
H, VARIANCE = 2.0, 1.0  # h and σ² of G1
C = VARIANCE / (2 * H)  # c of G1: the excess at which the ideal rate is half of 1/h
KEY = 20261123
DIMENSION, BATCH, SCALE, NOISE = 8, 8, 0.5, 0.5  # d, B, λ and s_n of G2
REGRESSION_SCALE = DIMENSION * NOISE**2 / (2 * BATCH)  # d s_n²/(2B) of G2

Losses = Float[np.ndarray, " loss"]
PerTask = Float[np.ndarray, " task"]


def quadratic(excess: float, h: float = H, variance: float = VARIANCE, epochs: int = 1) -> Task:
    """The one-dimensional noisy quadratic that starts at a mean excess."""
    numbers = NoisyQuadratic(np.array([h]), np.array([variance]), np.array([2 * excess / h]))
    problem = Problem(NOISY_QUADRATIC, lambda _: numbers)
    return task_of("noisy_quadratic", problem, Hyper(epochs=epochs))


def numbers_of(task: Task) -> NoisyQuadratic:
    """The numbers of a noisy quadratic, float64."""
    return NoisyQuadratic(*(np.asarray(a, float) for a in task.arrays))


def of_the_loss(runs: int = RUNS) -> list[Row]:
    """G1: α*(ε) = (1/h) ε/(ε + c) at 13 losses."""
    excess = C * np.geomspace(10**-1.5, 10**1.5, 13)
    return many("G1", "α*(ε)", measured_quadratic(excess, runs), _truth(excess), 0.03, 0.10)


def measured_quadratic(excess: Losses, runs: int = RUNS) -> Losses:
    """G1's ideal rates at these losses, from trained runs."""
    return np.array([_best(quadratic(e), runs, k) for k, e in enumerate(excess)])


def of_the_epoch(runs: int = RUNS, epochs: int = 20) -> list[Row]:
    """G1: α*(i) = (1/h)/(1 + i + c/ε_0), along the greedy schedule."""
    task = quadratic(16 * C, epochs=epochs)
    key = jax.random.key(KEY)
    found = recede(task, starts(task, np.arange(runs), key), RATES, ONE_STEP, key)
    truth = _truth(noisy_quadratic_losses(numbers_of(task), epochs)[:-1])
    return many("G1", "α*(i)", found.rates, truth, 0.03, 0.10)


def coverage(repetitions: int = 1000, states: int = 64, orders: int = 8) -> list[Row]:
    """G1: how often the 95 % interval of a small estimate covers α*.

    Of 1,000 intervals that are right 95 % of the time, fewer than 93 % or more than 97 % are once
    in 250 times (binomial).
    """
    task, key = quadratic(C), jax.random.key(KEY + 1)
    first = starts(task, np.arange(repetitions * states), key)
    runs = jax.tree.map(lambda a: a.reshape(repetitions, states, *a.shape[2:]), first.runs)
    cells = States(runs, np.zeros(repetitions, int))
    branching = Branching(1, CONSTANT, orders, rounds=2)
    ideal = ideal_rates(branch_surface(task, cells, RATES, branching, key))
    truth = float(_truth(np.array([C]))[0])
    covered = ((ideal.lr_low <= truth) & (truth <= ideal.lr_high)).mean()
    what = f"share of {repetitions:,} intervals of 95 % that cover α*"
    return [absolute("G1", what, float(covered), 0.95, 0.02)]


def linear_regression(runs: int = 20_480) -> list[Row]:
    """G2: α*(ε) = (1/λ) ε/(κε + d s_n²/(2B)), real minibatches of 8 rows in 8 dimensions."""
    excess = REGRESSION_SCALE * np.geomspace(0.1, 10, 7)
    found = measured_regression(excess, runs)
    truth = [least_squares_rate(float(e), regression(e), BATCH) for e in excess]
    return many("G2", "α*(ε)", found, np.array(truth), 0.05)


def measured_regression(excess: Losses, runs: int = 20_480) -> Losses:
    """G2's ideal rates at these losses, from trained runs."""
    found = []
    for k, e in enumerate(excess):
        problem = Problem(LEAST_SQUARES, lambda _, e=e: regression(e), batch=BATCH)
        found.append(_best(task_of("least_squares", problem, Hyper(epochs=1)), runs, k))
    return np.array(found)


def regression(excess: float) -> LeastSquares:
    """The linear regression of G2 that starts at an excess loss."""
    target = np.full(DIMENSION, np.sqrt(2 * excess / (DIMENSION * SCALE)))
    return LeastSquares(SCALE, NOISE, target)


def mixture(runs: int = RUNS // 4) -> list[Row]:
    """G3: one rate for 8 tasks at the same loss, for their mean loss and for its mean log.

    α*(ε) = E[h] ε/(E[h²] ε + E[hσ²]/2) for the mean loss.
    """
    rng = np.random.default_rng(KEY)
    h, variance = np.exp(rng.uniform(-1, 1, 8)), np.exp(rng.uniform(-1, 1, 8))
    excess = np.geomspace(0.03, 3, 7)
    rates, rows = np.geomspace(0.01, 3.0, 36), []

    def surface(n: int, k: int) -> pd.DataFrame:
        task = quadratic(excess[n], h[k], variance[k])
        states = starts(task, np.arange(runs), jax.random.key(KEY + 8 * n + k))
        return branch_surface(task, states, rates, Branching(1, CONSTANT, 0), jax.random.key(0))

    surfaces = [[surface(n, k) for k in range(8)] for n in range(len(excess))]
    for log, name, law in ((False, "mean loss", _mean_law), (True, "mean log loss", _log_law)):
        found = [best_rates(pooled(each, log))[0] for each in surfaces]
        truth = np.array([law(e, h, variance) for e in excess])
        rows += many("G3", f"α*(ε) of the {name}", np.array(found), truth, 0.05)
    return rows


def _best(task: Task, runs: int, number: int) -> float:
    key = jax.random.fold_in(jax.random.key(KEY), number)
    states = starts(task, np.arange(runs), key)
    return float(best_rates(branch_surface(task, states, RATES, ONE_STEP, key))[0])


def _truth(excess: Losses) -> Losses:
    one = NoisyQuadratic(np.array([H]), np.array([VARIANCE]), np.ones(1))
    return np.asarray(formula(excess, one))


def _mean_law(excess: float, h: PerTask, variance: PerTask) -> float:
    """The α of the lowest mean loss, E[h] ε/(E[h²] ε + E[hσ²]/2)."""
    return float(h.mean() * excess / ((h**2).mean() * excess + (h * variance).mean() / 2))


def _log_law(excess: float, h: PerTask, variance: PerTask) -> float:
    """The α of the lowest mean log loss, the root of Σ (−2h(1 − αh)ε + αhσ²)/ε'."""

    def slope(rate: float) -> float:
        after = (1 - rate * h) ** 2 * excess + rate**2 * h * variance / 2
        return float(((-2 * h * (1 - rate * h) * excess + rate * h * variance) / after).sum())

    return float(root_scalar(slope, bracket=(1e-6, 1 / h.min())).root)
