"""Does the symbolic search find what was planted?

2,000 points, ε log-uniform in [10⁻³, 10] and i uniform among 0 … 99, of

    α = ε/(2(ε + 0.5))/(1 + i/40) · exp(noise · z)      or      α = ε^p · exp(noise · z),

z standard normal. The first is the ideal rate of a noisy quadratic (Schaul et al. 2012, arXiv
1206.1106) that is annealed as 1/i; the second that of noiseless power laws.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from psi.fit.formula.formula import Candidate, candidate
from psi.fit.formula.points import Points, points
from psi.fit.formula.refit import log_residuals, refit
from psi.fit.symbolic.config import SymbolicConfig
from psi.fit.symbolic.regression import symbolic_regression
from psi.lab.engine.timing import timed
from psi.law.expression import evaluate
from psi.law.parsing import parse
from psi.law.printing import text

POINTS = 2000
LOSSES = (1e-3, 10.0)
EPOCHS = 100
NAMES = ("loss", "epoch")
SATURATING = parse("a*loss/(loss + c)/(1 + epoch/d)")
POWER = parse("a*loss^p")
TRUTH = {"a": 0.5, "c": 0.5, "d": 40.0}
SAME = 0.01  # relative

Rate = Callable[[Float[np.ndarray, " point"], Float[np.ndarray, " point"]], np.ndarray]
Deviation = Callable[[dict[str, float]], float]  # of found constants from the planted ones


class PlantedResult(NamedTuple):
    """What the symbolic search found where one form was planted."""

    recovered: bool
    """The chosen form, refitted to noise-free values, is the planted one to 1 % on a grid."""
    formula: str  # the chosen row, as fitted to the noise
    free: int  # its number of constants
    worst: float  # largest relative deviation after the refit to noise-free values
    constants: dict[str, float]
    """(a, c, d) of a·ε/(ε + c)/(1 + i/d), or (a, p) of a·ε^p, that say the same as the row."""
    off: float  # largest deviation of a constant from the planted one; relative, but absolute for p
    front: int  # rows of the front
    seconds: float  # wall clock of the search


def planted(
    seed: int, noise: float, config: SymbolicConfig | None = None, count: int = POINTS
) -> PlantedResult:
    """The saturating form, from data and a search of this seed."""

    def off(found: dict[str, float]) -> float:
        return max(abs(found[name] / true - 1) for name, true in TRUTH.items())

    form, noisy = candidate(SATURATING, NAMES, TRUTH), sample(saturating, seed, noise, count)
    return _result(saturating, form, off, noisy, config or SymbolicConfig(seed=seed))


def saturating(loss: np.ndarray, epoch: np.ndarray) -> np.ndarray:
    """The planted α = ε/(2(ε + 0.5))/(1 + i/40)."""
    return loss / (2 * (loss + 0.5)) / (1 + epoch / 40)


def power_law(
    exponent: float,
    seed: int,
    noise: float = 0.05,
    config: SymbolicConfig | None = None,
    count: int = POINTS,
) -> PlantedResult:
    """ε^exponent, from data and a search of this seed."""
    form = candidate(POWER, NAMES, {"a": 1.0, "p": exponent})

    def rate(loss: np.ndarray, _: np.ndarray) -> np.ndarray:
        return loss**exponent

    noisy, chosen = sample(rate, seed, noise, count), config or SymbolicConfig(seed=seed)
    return _result(rate, form, lambda found: abs(found["p"] - exponent), noisy, chosen)


def sample(rate: Rate, seed: int, noise: float, count: int = POINTS) -> Points:
    """Points at random losses and epochs of a planted rate, with log-normal noise."""
    rng = np.random.default_rng(seed)
    low, high = np.log(LOSSES)
    loss = np.exp(rng.uniform(low, high, count))
    epoch = rng.integers(0, EPOCHS, count).astype(float)
    factor = np.exp(noise * rng.normal(size=count))
    return points(NAMES, np.stack([loss, epoch]), rate(loss, epoch) * factor)


def grid(rate: Rate) -> Points:
    """Noise-free points, evenly spaced in log ε and i."""
    axes = np.geomspace(*LOSSES, 60), np.arange(0.0, EPOCHS, 3)
    loss, epoch = (axis.ravel() for axis in np.meshgrid(*axes))
    return points(NAMES, np.stack([loss, epoch]), rate(loss, epoch))


def _result(
    rate: Rate, truth: Candidate, off: Deviation, noisy: Points, config: SymbolicConfig
) -> PlantedResult:
    clean = grid(rate)
    seconds, front = timed(lambda: symbolic_regression(noisy, config))
    row = front.chosen
    again = refit(Candidate(row.formula, row.fitted), clean, starts=4)
    worst = float(np.abs(np.expm1(log_residuals(again, clean))).max())
    values = evaluate(row.expression, NAMES, clean.values, np)
    found = np.broadcast_to(values, clean.log_rate.shape)
    fit = refit(truth, clean._replace(log_rate=np.log(found)))
    constants = dict(zip(fit.formula.names, map(float, fit.fitted), strict=True))
    return PlantedResult(
        recovered=worst <= SAME, formula=text(row.expression, 4), free=len(row.fitted), worst=worst,
        constants=constants, off=off(constants), front=len(front.rows), seconds=seconds,
    )  # fmt: skip
