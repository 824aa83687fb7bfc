"""G7, G8, G9, G11 of problems.md: exponents of ideal rates, and Chebyshev's rates by search."""

import jax
import numpy as np
from jaxtyping import Float

from psi.ideal.branched import Branching, best_rates, branch_surface
from psi.ideal.continuation import CONSTANT
from psi.ideal.contour import iso_rate
from psi.ideal.moments import worst_oracle
from psi.lab.engine.branch import States, starts
from psi.lab.hyper import Hyper
from psi.lab.tasks.closed_forms import chebyshev_error
from psi.lab.tasks.noiseless_problems import ExponentialTail, PowerLaw
from psi.lab.tasks.problems import POWER_LAW, TAIL, Problem, ProblemFunctions, task_of
from psi.lab.tasks.task import Task
from psi.verify.greedy import quadratic
from psi.verify.horizons import final_losses
from psi.verify.rows import Row, absolute, relative

ONE_STEP = Branching(1, CONSTANT, orders=0, rounds=4)
"""No noise, and a minimum of the next loss as sharp as a cusp: rounds close in on it."""
RATES = np.geomspace(1e-3, 1e3, 16)
DISTANCES = np.geomspace(0.3, 3.0, 7)
EXPONENTS = (1.0, 1.5, 2.0, 3.0, 4.0)  # p of G7
SIGN_EXPONENT = 0.5  # of ε in G8's α* = √(2ε/h)
TAIL_EXPONENT, NATS = -1.0, 0.5
"""Of ε in G9's α = η₀/ε, the rate at which the loss falls by η₀ = 0.5 nats a step."""
LOW, HIGH = 1.0, 10.0  # μ and L of G11


def power_laws() -> list[Row]:
    """G7: α* ~ ε^((2−p)/p) on c |x|^p."""
    return [
        absolute("G7", f"exponent of ε in α*, p = {p:g}", _exponent(p, "sgd"), (2 - p) / p, 0.02)
        for p in EXPONENTS
    ]


def sign_descent() -> list[Row]:
    """G8: α* = √(2ε/h) for the sign of the gradient, on a quadratic."""
    return [absolute("G8", "exponent of ε in α*", _exponent(2.0, "sign"), SIGN_EXPONENT, 0.02)]


def exponential_tail() -> list[Row]:
    """G9: α = η₀/ε, the rate at which exp(−x) falls by η₀ = 0.5 nats a step."""
    slope = _slope(*measured_tail(np.geomspace(0.01, 1.0, 7)))
    what = "exponent of ε in the rate of 0.5 nats a step"
    return [absolute("G9", what, slope, TAIL_EXPONENT, 0.03)]


def measured_tail(excess: Float[np.ndarray, " loss"]) -> tuple[np.ndarray, np.ndarray]:
    """(ε, the rate at which the loss falls by half a nat a step), from trained runs of G9."""
    found = []
    for e in excess:
        task = _task("exponential_tail", TAIL, ExponentialTail(float(-np.log(e))), "sgd")
        surface = branch_surface(task, start(task), RATES, ONE_STEP, jax.random.key(0))
        found.append(iso_rate(surface, NATS)[0])
    return excess, np.array(found)


def chebyshev() -> list[Row]:
    """G11: 8 rates that are the best for the worst of 200 curvatures, one trained run each.

    The largest |x_T/x_0| is 2ρ^T/(1 + ρ^{2T}), ρ = (√κ − 1)/(√κ + 1), κ = L/μ.
    """
    curvatures, epochs = np.linspace(LOW, HIGH, 200), 8
    rates = worst_oracle(curvatures, epochs)[None]
    ratios = []
    for h in curvatures:
        task = quadratic(h / 2, h, 0.0, epochs)
        states = start(task)
        (last,) = final_losses(task, states, rates)
        ratios.append(np.sqrt(last / float(states.initial_loss[0, 0])))
    truth = chebyshev_error(LOW, HIGH, epochs)
    return [relative("G11", "largest |x_T/x_0|, oracle", max(ratios), truth, 0.10)]


def _exponent(p: float, optimizer: str) -> float:
    return _slope(*measured_power(p, optimizer))


def measured_power(p: float, optimizer: str) -> tuple[np.ndarray, np.ndarray]:
    """(ε, α*) on c |x|^p, from trained runs of G7, or of G8 with p = 2 and sign descent."""
    excess, found = [], []
    for distance in DISTANCES:
        task = _task("power_law", POWER_LAW, PowerLaw(0.5, p, float(distance)), optimizer)
        surface = branch_surface(task, start(task), RATES, ONE_STEP, jax.random.key(0))
        excess.append(task.facts.chance_loss)
        found.append(best_rates(surface)[0])
    return np.array(excess), np.array(found)


def _slope(excess: Float[np.ndarray, " point"], rates: Float[np.ndarray, " point"]) -> float:
    return float(np.polyfit(np.log(excess), np.log(rates), 1)[0])


def _task(name: str, functions: ProblemFunctions, numbers: tuple, optimizer: str) -> Task:
    hyper = Hyper(epochs=1, optimizer=optimizer)
    return task_of(name, Problem(functions, lambda _: numbers), hyper)


def start(task: Task) -> States:
    """The one state of a task without noise, before its first epoch."""
    return starts(task, np.zeros(1, int), jax.random.key(0))
