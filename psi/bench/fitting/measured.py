"""Laws that are known exactly, found again from trained runs: measure, then fit."""

import numpy as np
from jaxtyping import Float

from psi.fit.formula.curves import fit_curve
from psi.fit.formula.families import LOSS_ALONE, family
from psi.fit.formula.points import Points, points
from psi.fit.symbolic.config import SymbolicConfig
from psi.fit.symbolic.regression import symbolic_regression
from psi.law.expression import evaluate
from psi.law.printing import text
from psi.verify.greedy import REGRESSION_SCALE, C, H, measured_quadratic, measured_regression
from psi.verify.noiseless import EXPONENTS, measured_power, measured_tail
from psi.verify.rows import Row, absolute, at_least, relative

LOSSES = 40  # what is measured of G1 and G2
SPAN = 10**1.5  # either side of c
SAME = 0.01


def quadratics(runs: int = 16_384) -> list[Row]:
    """G1 and G2: the form ε/(ε + c) found by the symbolic search, and its constants."""
    first = C * np.geomspace(1 / SPAN, SPAN, LOSSES)
    second = REGRESSION_SCALE * np.geomspace(1 / SPAN, SPAN, LOSSES)
    # G2: (1/λ) ε/(κε + c') = (1/(λκ)) ε/(ε + c'/κ), κ = (B + d + 1)/B, λ = 0.5
    stretch = (8 + 8 + 1) / 8
    return [
        *_saturating("G1", first, measured_quadratic(first, runs), 1 / H, C),
        *_saturating(
            "G2", second, measured_regression(second, runs), 2.0 / stretch,
            REGRESSION_SCALE / stretch,
        ),
    ]  # fmt: skip


def exponents() -> list[Row]:
    """G7, G8, G9: the exponent of ε, from the family a ε^p."""
    measured = [
        *(("G7", f"p of c|x|^{p:g}", (2 - p) / p, measured_power(p, "sgd")) for p in EXPONENTS),
        ("G8", "p of sign descent", 0.5, measured_power(2.0, "sign")),
        ("G9", "p of the exponential tail", -1.0, measured_tail(np.geomspace(0.01, 1.0, 7))),
    ]
    rows = []
    for problem, what, truth, (excess, rates) in measured:
        curve = fit_curve(family("loss_power", LOSS_ALONE), _points(excess, rates))
        rows.append(absolute(problem, what, float(curve.constants[1]), truth, 0.05))
    return rows


def _saturating(
    problem: str,
    excess: Float[np.ndarray, " loss"],
    rates: Float[np.ndarray, " loss"],
    top: float,
    middle: float,
) -> list[Row]:
    """Whether the chosen formula is some a ε/(ε + c) to 1 %, with a = `top` and c = `middle`."""
    measured = _points(excess, rates)
    found = symbolic_regression(measured, SymbolicConfig()).chosen.expression
    rate = np.broadcast_to(evaluate(found, LOSS_ALONE, measured.values, np), rates.shape)
    curve = fit_curve(family("saturating", LOSS_ALONE), _points(excess, rate))
    again = evaluate(curve.expression, LOSS_ALONE, measured.values, np)
    form = f"{text(found, 4)} is a ε/(ε + c) to {SAME:.0%}"
    deviation = float(np.abs(again / rate - 1).max())
    return [
        at_least(problem, form, float(deviation <= SAME), 1.0),
        relative(problem, "1/h", float(curve.constants[0]), top, 0.10),
        relative(problem, "c", float(curve.constants[1]), middle, 0.10),
    ]


def _points(excess: Float[np.ndarray, " loss"], rates: Float[np.ndarray, " loss"]) -> Points:
    return points(LOSS_ALONE, excess[None], rates)
