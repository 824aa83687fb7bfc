"""G13 of problems.md: the worst convex function for a schedule, found by search, then trained on.

An adversary chooses subgradients g_1 … g_{N+1} and values f_k at the points that the schedule then
visits, x_{k+1} = x_k − η_k g_k, and x_1. There is a convex function with these values, minimum 0 at
0 and slope <= 1 exactly when (Taylor, Hendrickx & Glineur 2017, arXiv 1502.05666)

    f_j >= f_i + g_i·(x_j − x_i),   0 >= f_i − g_i·x_i,   f_i >= 0,   ‖g_i‖ <= 1,   ‖x_1‖ <= 1,

and max_i (f_i + g_i·(x − x_i)) is one. The largest f_{N+1} is searched by SLSQP in N + 1
dimensions, from several starts, with a margin in the first of these so that at x_j the maximum
has slope g_j and no other. Zamani & Glineur 2023, arXiv 2307.11134: under a linear schedule no last
iterate is worse than DG/√(N+1), and no schedule has a better guarantee.
"""

from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.optimize import minimize, minimize_scalar

from psi.lab.hyper import Hyper
from psi.lab.networks.network import Params
from psi.lab.tasks.problems import Problem, deterministic, task_of
from psi.lab.tasks.task import Batch
from psi.verify.horizons import final_losses
from psi.verify.noiseless import start
from psi.verify.rows import Row, absolute

STEPS = 8
POINTS = STEPS + 1
DIMENSION = STEPS + 1
MARGIN = 1e-4
SEARCHES = 4
# √(N+1) f/(DG) of the last iterate at the worst function, N = 8 (problems.md).
LINEAR = 1.00
BEST_CONSTANT = 1.16
CONSTANT = 1.65  # of the constant rate 1/√(N+1), with which the linear schedule begins

Point = Float[np.ndarray, " unknown"]


class MaxAffine(NamedTuple):
    """f = max(0, max_i (offset_i + g_i·x))."""

    slopes: Any  # g_i; shape=(pieces, d)
    offsets: Any  # f_i − g_i·x_i; shape=(pieces,)
    initial: Any  # x_1; shape=(d,)


def _loss(problem: MaxAffine, x: Params, batch: Batch) -> Float[Array, ""]:
    del batch
    return jnp.maximum((problem.slopes * x[None]).sum(1) + problem.offsets, 0.0).max()


WORST = deterministic(_loss)


def guarantees() -> list[Row]:
    """G13: √(N+1) f/(DG) at the worst function, N = 8, in trained runs."""
    left = np.arange(STEPS, 0, -1) / (STEPS + 1) ** 1.5
    peak = 1 / np.sqrt(STEPS + 1)  # where the line (N + 1 − k)/(N + 1)^{3/2} begins, k = 0
    best: Any = minimize_scalar(
        lambda rate: -_worst(np.full(STEPS, rate)).fun, bounds=(0.05, 0.4), method="bounded",
        options={"xatol": 1e-3},
    )  # fmt: skip
    return [
        absolute("G13", "worst case, linear", _trained(left), LINEAR, 0.01),
        absolute("G13", "worst case, best constant", _constant(float(best.x)), BEST_CONSTANT, 0.02),
        absolute("G13", "worst case, constant 1/√(N+1)", _constant(float(peak)), CONSTANT, 0.03),
    ]


def _constant(rate: float) -> float:
    return _trained(np.full(STEPS, rate))


def _trained(rates: Float[np.ndarray, " step"]) -> float:
    """√(N+1) f/(DG) at the end of a trained run on the function that is worst for these rates."""
    slopes, values, first = (np.asarray(a) for a in _parts(_worst(rates).x))
    moved = np.cumsum(rates[:, None] * slopes[:-1], axis=0)
    points = first - np.concatenate([np.zeros((1, DIMENSION)), moved])
    numbers = MaxAffine(slopes, values - (slopes * points).sum(1), first)
    task = task_of("worst", Problem(WORST, lambda _: numbers), Hyper(epochs=STEPS))
    (last,) = final_losses(task, start(task), rates[None])
    return last * np.sqrt(STEPS + 1)


def _worst(rates: Float[np.ndarray, " step"]) -> Any:
    """The adversary's best answer of several searches."""
    rng = np.random.default_rng(0)
    return min((_search(rates, _start(rng)) for _ in range(SEARCHES)), key=lambda r: r.fun)


def _search(rates: Float[np.ndarray, " step"], start: Point) -> Any:
    aim = np.zeros(len(start))
    aim[POINTS * DIMENSION + POINTS - 1] = -1.0  # minus f_{N+1}
    with jax.enable_x64(True):
        value, slope = (lambda z, f=f: np.asarray(f(z, rates)) for f in _programs())
        limits = {"type": "ineq", "fun": value, "jac": slope}
        options = {"maxiter": 500, "ftol": 1e-9}
        call = {"jac": True, "method": "SLSQP", "constraints": limits, "options": options}
        return minimize(lambda z: (aim @ z, aim), start, **call)


def _start(rng: np.random.Generator) -> Point:
    slopes = rng.normal(size=(POINTS, DIMENSION))
    slopes *= 0.9 / np.linalg.norm(slopes, axis=1, keepdims=True)
    first = rng.normal(size=DIMENSION)
    values = rng.uniform(0, 0.5, POINTS)
    return np.concatenate([slopes.reshape(-1), values, 0.9 * first / np.linalg.norm(first)])


def _parts(z: Any) -> tuple[Any, Any, Any]:
    """g, f and x_1."""
    count = POINTS * DIMENSION
    return z[:count].reshape(POINTS, DIMENSION), z[count : count + POINTS], z[count + POINTS :]


@cache
def _programs() -> tuple[Any, Any]:
    different = ~np.eye(POINTS, dtype=bool)

    def slack(z: Array, rates: Array) -> Array:
        slopes, values, first = _parts(z)
        moved = jnp.cumsum(rates[:, None] * slopes[:-1], axis=0)
        points = first[None] - jnp.concatenate([jnp.zeros((1, DIMENSION)), moved])
        steps = points[:, None] - points[None]
        above = values[:, None] - values[None] - (slopes[None] * steps).sum(-1) - MARGIN
        at_zero = (slopes * points).sum(-1) - values
        ball = 1 - jnp.append((slopes**2).sum(-1), (first**2).sum())
        return jnp.concatenate([above[different], at_zero, values, ball])

    return jax.jit(slack), jax.jit(jax.jacfwd(slack))
