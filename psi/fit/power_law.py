"""The power law of the best rate: log α = w₀ + Σ_k w_k log fact_k, with bootstrap intervals.

Weighted least squares over groups. A group's weight is 1/(s² + τ²): s, the standard error of its
log α, and τ, the scatter of groups about the law beyond it, by DerSimonian and Laird's moments
(Controlled Clinical Trials 1986; with covariates Thompson & Sharp 1999). So a group that is known
well cannot outweigh all others, and one that is known badly counts little.

The 95 % intervals are of a bootstrap over whole groups, symmetric, since these cover best with few
groups (Hall, J. R. Stat. Soc. B 1988):

    w ± √(G/(G − p)) · q,   q: the 95 % quantile of |w_b − w| over resamples b

with G groups and p constants; residuals of few groups are too small by that factor. In simulations
of 4 to 17 groups and 1 to 3 facts they covered the truth in 94 to 99 %, percentiles in 88 to 95 %.
What no bootstrap sees: groups at an edge are left out, so where these are the largest ones the law
is of the others.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from psi.fit.sweep import Best
from psi.ideal.resampling import bootstrap_counts
from psi.law.law import FittedConstant, Law, Provenance, Range
from psi.law.parsing import parse

SHAPES = {
    "constant": "1",
    "linear": "(1 - progress)",
    "cosine": f"0.5*(1 + cos({np.pi!r}*progress))",
}
"""How a schedule goes from its peak: ψ(i/T) of α_i = α · ψ."""
LEAST_ERROR = 0.01  # of log α: no rate is known better, whatever its quadratic says


class PowerLaw(NamedTuple):
    """α = constant · Π_k fact_k^exponent_k."""

    constant: float
    exponents: tuple[FittedConstant, ...]
    """A fact's name, its exponent and the exponent's 95 % interval."""
    middle: tuple[float, ...]
    """Geometric means of the facts over groups."""
    rate: FittedConstant
    """The rate there, with its interval: the constant is one at facts of 1, far away."""
    domain: tuple[Range, ...]
    """The facts of the groups."""
    rates: Range
    """Their best rates."""
    scatter: float
    """τ, of log α."""
    groups: int
    """How many it is fitted to."""

    def __call__(self, facts: Float[np.ndarray, "... fact"]) -> Float[np.ndarray, "..."]:
        """The best rate at these facts."""
        return self.constant * np.prod(facts ** [each.value for each in self.exponents], axis=-1)

    def __str__(self) -> str:
        factors = (f"{each.name}^{each.value:.3f}" for each in self.exponents)
        return " * ".join([f"{self.constant:.4g}", *factors])


def power_law(
    groups: Sequence[Best], facts: Sequence[str], resamples: int = 2000, seed: int = 0
) -> PowerLaw:
    """Fit the law to the groups whose best rate is not at an edge.

    Args:
        groups: what `psi.fit.sweep.best_rates` found.
        facts: the names of their facts, in order.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        The law with its intervals.

    Raises:
        ValueError: too few groups, a fact of one value, or facts that move together.

    Example:
        >>> from psi.fit.power_law import power_law
        >>> from psi.fit.sweep import Best
        >>> sizes = (1e6, 3e6, 1e7, 3e7)
        >>> groups = [Best((n,), n**-0.5, 0, 0, 0.1, (), 9, 9, 0, "") for n in sizes]
        >>> round(power_law(groups, ["N"]).exponents[0].value, 3)
        -0.5
    """
    inner = [group for group in groups if not group.edge]
    values = np.array([group.facts for group in inner]).reshape(-1, len(facts))
    x = np.log(values)
    _check(x, facts, len(groups) - len(inner))
    y = np.log([group.rate for group in inner])
    middle, spread = x.mean(0), x.std(0)
    design = np.column_stack([np.ones(len(x)), (x - middle) / spread])
    w, scatter = _weights(design, y, np.array([group.error for group in inner]))
    rng = np.random.default_rng(seed)
    counts = np.vstack([np.ones(len(x)), bootstrap_counts(len(x), resamples, rng)])
    found = _solve(design, y, counts * w) / np.append(1.0, spread)
    best, resampled = found[0], found[1:]
    widen = np.sqrt(len(x) / (len(x) - design.shape[1]))
    half = widen * np.quantile(np.abs(resampled - best), 0.95, axis=0)
    low, high = best - half, best + half
    return PowerLaw(
        float(np.exp(best[0] - best[1:] @ middle)),
        tuple(FittedConstant(name, *map(float, each)) for name, *each in zip(
            facts, best[1:], low[1:], high[1:], strict=True)),
        tuple(np.exp(middle).tolist()),
        FittedConstant("rate", *(float(np.exp(each[0])) for each in (best, low, high))),
        tuple(Range(min(each), max(each)) for each in values.T.tolist()),
        Range(min(group.rate for group in inner), max(group.rate for group in inner)),
        scatter, len(x),
    )  # fmt: skip


def as_law(
    fitted: PowerLaw,
    features: Sequence[str],
    optimizer: str,
    schedule: str = "constant",
    provenance: Provenance | None = None,
) -> Law:
    """The law as a schedule that `psi.load` reads and any adapter follows.

    Args:
        fitted: a power law of facts.
        features: what a law calls these facts, in order (`psi.law.features.FEATURES`).
        optimizer: that of the runs.
        schedule: their schedule, a name of `SHAPES`: the fitted rate is its peak.
        provenance: where the law comes from.

    Returns:
        The law. It does not see the loss, so its typical ε_0 of 1 means nothing.

    Raises:
        ValueError: a feature is unknown.
    """
    names = features if schedule == "constant" else (*features, "progress")
    powers = zip(features, fitted.exponents, strict=True)
    factors = [f"{name}^({each.value!r})" for name, each in powers]
    shape = [SHAPES[schedule]] * (schedule != "constant")
    decayed = 1.0 if schedule == "constant" else 1e-3
    return Law(
        parse("*".join([repr(fitted.constant), *factors, *shape])),
        tuple(names),
        (*fitted.domain, Range(0.0, 1.0))[: len(names)],
        Range(decayed * fitted.rates.low, fitted.rates.high),
        optimizer,
        initial_loss=1.0,
        constants=tuple(
            each._replace(name=f"exponent of {name}")
            for name, each in zip(features, fitted.exponents, strict=True)
        ),
        provenance=provenance,
    )


def _check(x: Float[np.ndarray, "group fact"], facts: Sequence[str], edges: int) -> None:
    least = len(facts) + 2
    if len(x) < least:
        more = f" (and {edges} at an edge of what was tried: widen that)" * bool(edges)
        raise ValueError(
            f"a law of {', '.join(facts)} needs >= {least} groups of runs, each of 3 rates or more "
            f"with the best one between others; got {len(x)}{more}"
        )
    for name, values in zip(facts, x.T, strict=True):
        if np.ptp(values) < 1e-9:
            raise ValueError(
                f"fact {name!r} is {np.exp(values[0]):.6g} in all groups: its exponent cannot be "
                "known, leave it out of facts"
            )
    scaled = (x - x.mean(0)) / x.std(0)
    if np.linalg.svd(scaled, compute_uv=False)[-1] < 1e-3 * np.sqrt(len(x)):
        raise ValueError(
            f"the logarithms of {', '.join(facts)} move together in this sweep, so their exponents "
            "cannot be told apart: leave one of them out of facts"
        )


def _weights(
    design: Float[np.ndarray, "group constant"],
    y: Float[np.ndarray, " group"],
    error: Float[np.ndarray, " group"],
) -> tuple[Float[np.ndarray, " group"], float]:
    """(1/(s² + τ²), τ)."""
    variance = np.maximum(error, LEAST_ERROR) ** 2
    w = 1 / variance
    gram = np.linalg.inv((design.T * w) @ design)
    residual = y - design @ gram @ (design.T @ (w * y))
    expected = len(y) - design.shape[1]
    freedom = w.sum() - np.trace(gram @ ((design.T * w**2) @ design))
    between = max(0.0, float((w @ residual**2 - expected) / freedom))
    return 1 / (variance + between), between**0.5


def _solve(
    design: Float[np.ndarray, "group constant"],
    y: Float[np.ndarray, " group"],
    w: Float[np.ndarray, "sample group"],
) -> Float[np.ndarray, "determined constant"]:
    """Weighted least squares for each sample of weights that determines all constants."""
    products = design[:, :, None] * design[:, None, :]
    grams = np.tensordot(w / w.sum(1, keepdims=True), products, 1)
    right = (w / w.sum(1, keepdims=True)) @ (design * y[:, None])
    eigenvalues = np.linalg.eigvalsh(grams)
    kept = eigenvalues[:, 0] > 1e-9 * eigenvalues[:, -1]
    return np.linalg.solve(grams[kept], right[kept][..., None])[..., 0]
