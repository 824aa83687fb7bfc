"""The oracle where the mean loss is known by a recursion: rates found by its gradient.

For a quadratic in independent directions with curvatures h_i and gradient noise σ_i² (Wu et al.
2018, arXiv 1803.02021) the second moments A_i = E θ_i² follow A_i' = (1 − α h_i)² A_i + α² σ_i².
All T rates are then searched at once, in float64, through that recursion: for the mean loss
½ Σ h_i A_i, or for the worst direction of all, max_i √A_i (A_i(0) = 1, σ = 0: |x_T/x_0|). Trained
runs then say what the trajectory is worth.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.optimize import minimize

from psi.lab.tasks.noisy_problems import NoisyQuadratic

LOWEST = 1e-6
STARTS = 16
PATIENCE = 24
CEILING = 1000.0  # times the initial loss

Rates = Float[np.ndarray, " step"]


def mean_oracle(problem: NoisyQuadratic, epochs: int, highest: float) -> Rates:
    """The T rates <= `highest` with the lowest mean loss in the end.

    L-BFGS-B on the log of the loss. Where rates may pass 2/h there are many local optima: the best
    of 16 searches from disturbed linear schedules is disturbed again and again, until 24 searches
    in a row find nothing better. On the way the loss stays below 1000 times the initial one: there
    are schedules that first blow a direction up and then let it vanish in one exact step, which no
    run in float32 does. Raises ValueError for epochs < 1 or a rate that is not positive.
    """
    _check(epochs, highest)
    rng = np.random.default_rng(0)
    left = 1 - np.arange(epochs) / epochs
    disturbed = np.exp(0.2 * rng.normal(size=(STARTS, epochs)))
    first = highest * np.linspace(0.3, 0.95, STARTS)[:, None] * left * disturbed
    best, lowest = min((_descend(problem, each, highest) for each in first), key=lambda r: r[1])
    failed = 0
    while failed < PATIENCE:
        step = rng.choice((0.02, 0.1, 0.3)) * rng.normal(size=epochs)
        found, loss = _descend(problem, best * np.exp(step), highest)
        failed = 0 if loss < lowest - 1e-4 else failed + 1
        if loss < lowest:
            best, lowest = found, loss
    return best


def joint_rates(problem: NoisyQuadratic, epochs: int, ahead: int, highest: float) -> Rates:
    """In every step the rates of the next H = `ahead` are optimised together, and the first taken.

    A receding horizon; H = 1 is greedy, H = T all at once. Raises ValueError as `mean_oracle`.
    """
    _check(min(epochs, ahead), highest)
    plan, rates = mean_oracle(problem, min(ahead, epochs), highest), []
    for i in range(epochs):
        plan = np.append(plan[1:], plan[-1])[: epochs - i] if i else plan
        plan, _ = _descend(problem, plan, highest)
        rates.append(plan[0])
        moments = np.asarray(problem.initial) * (1 - plan[0] * np.asarray(problem.curvature)) ** 2
        problem = problem._replace(initial=moments + plan[0] ** 2 * np.asarray(problem.variance))
    return np.array(rates)


def worst_oracle(curvature: Float[np.ndarray, " direction"], epochs: int) -> Rates:
    """The T rates with the smallest max_i |Π_t (1 − α_t h_i)|, without noise.

    SLSQP on the smallest m with −m <= Π_t (1 − α_t h_i) <= m, which is smooth where a maximum is
    not. Raises ValueError for epochs < 1.
    """
    _check(epochs, 1.0)
    start = np.append(np.full(epochs, 2 / (curvature.min() + curvature.max())), 1.0)
    start[:-1] *= np.linspace(0.7, 1.4, epochs)
    matrix = np.eye(epochs + 1)[-1]

    def slack(point: np.ndarray) -> np.ndarray:
        left = np.prod(1 - point[:-1, None] * curvature, axis=0)
        return np.concatenate([point[-1] - left, point[-1] + left])

    def slope(point: np.ndarray) -> np.ndarray:
        factors = 1 - point[:-1, None] * curvature
        others = np.stack([np.prod(np.delete(factors, t, 0), axis=0) for t in range(epochs)])
        each = (-curvature * others).T
        one = np.ones((len(curvature), 1))
        return np.block([[-each, one], [each, one]])

    found = minimize(
        lambda point: (point[-1], matrix),
        start,
        jac=True,
        method="SLSQP",
        constraints={"type": "ineq", "fun": slack, "jac": slope},
        options={"maxiter": 500, "ftol": 1e-12},
    )
    return found.x[:-1]


def _descend(problem: NoisyQuadratic, start: Rates, highest: float) -> tuple[Rates, float]:
    """L-BFGS-B from one start: (rates, log of the mean loss)."""
    with jax.enable_x64(True):
        numbers = jax.tree.map(lambda a: jnp.asarray(np.asarray(a), float), problem)

        def loss(rates: np.ndarray) -> tuple[float, np.ndarray]:
            value, slope = _gradient(numbers, jnp.asarray(rates, float))
            return float(value), np.asarray(slope)

        found = minimize(
            loss,
            np.clip(start, LOWEST, highest),
            jac=True,
            method="L-BFGS-B",
            bounds=[(LOWEST, highest)] * len(start),
            options={"maxiter": 1000, "ftol": 1e-12},
        )
    return found.x, float(found.fun)


@jax.jit
@partial(jax.value_and_grad, argnums=1)
def _gradient(problem: NoisyQuadratic, rates: Float[Array, " step"]) -> Float[Array, ""]:
    h, variance = jnp.asarray(problem.curvature), jnp.asarray(problem.variance)

    def step(moments: Array, rate: Array) -> tuple[Array, Array]:
        moments = (1 - rate * h) ** 2 * moments + rate**2 * variance
        return moments, (h * moments).sum() / 2

    first = jnp.asarray(problem.initial)
    losses = jax.lax.scan(step, first, rates)[1]
    above = jax.nn.relu(jnp.log(losses / (CEILING * (h * first).sum() / 2)))
    return jnp.log(losses[-1]) + (above**2).sum()


def _check(epochs: int, highest: float) -> None:
    if epochs < 1 or not highest > 0:
        raise ValueError(f"epochs >= 1 and a positive rate are needed, got {epochs} and {highest}")
