"""Robust least squares of a family of curves in log α, many fits at a time.

    min over constants of  Σ_k ρ(√w_k (log Ψ(x_k) − log α_k)),   ρ(r) = 2(√(1 + r²) − 1),

w of mean 1, so that a label a nat or more off its curve counts linearly (soft L1). BFGS
(optimistix) in float64; constants that must be positive are searched as logarithms.

One program serves the whole table of families: it gets the number of each table's factor, and
every table has slots for the constants of its longest factor. The objective has no slope in a slot
that a factor does not use, which stays where it is.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optimistix
from jaxtyping import Array, Float, Int

from psi.fit.formula.families import Factor, Family, factor_formula, tables
from psi.fit.formula.points import Points

LANES = 64  # fits at a time
PAD = 256  # points
STEPS = 200
TOLERANCE = 1e-8

Table = Float[np.ndarray, "lane constant"]


def solve(
    family: Family, points: Points, starts: Table, weight: Float[np.ndarray, "lane point"]
) -> tuple[Table, Float[np.ndarray, " lane"]]:
    """Where each lane's search ends, and its objective there; constants as they are searched."""
    count = len(points.log_rate)
    index = np.minimum(np.arange(count + -count % PAD), count - 1)
    real = np.arange(len(index)) < count
    padded = weight[:, index] * real
    padded = padded / padded.sum(1, keepdims=True) * count
    slots = _slots(family, points.names)
    begin = np.zeros((len(starts), 1 + sum(_widths(points.names))))
    begin[:, slots] = starts
    with jax.enable_x64(True):
        columns = (begin, points.values[:, index], points.log_rate[index], padded)
        rows = jnp.asarray(np.array(family.rows, np.int32))
        searched, objective = _program(points.names, tables(points.names))(
            rows, *map(jnp.asarray, columns)
        )
        return np.asarray(searched)[:, slots], np.asarray(objective)


def _widths(names: tuple[str, ...]) -> list[int]:
    """Slots of each table."""
    return [max(len(factor.parameters) for factor in table) for table in tables(names)]


def _slots(family: Family, names: tuple[str, ...]) -> list[int]:
    """Where the family's constants are among all: a, then those of each table's factor."""
    slots, first = [0], 1
    for table, row, width in zip(tables(names), family.rows, _widths(names), strict=True):
        slots += range(first, first + len(table[row].parameters))
        first += width
    return slots


@cache
def _program(names: tuple[str, ...], factors: tuple[tuple[Factor, ...], ...]) -> Callable[..., Any]:
    del factors  # part of the key: a user may have added one

    @jax.jit
    def program(
        rows: Int[Array, " table"],
        starts: Float[Array, "lane slot"],
        values: Float[Array, "feature point"],
        log_rate: Float[Array, " point"],
        weight: Float[Array, "lane point"],
    ) -> tuple[Array, Array]:
        def objective(searched: Float[Array, " slot"], weight: Array) -> Array:
            square = weight * jnp.square(_log_rate(names, rows, searched, values) - log_rate)
            # 2(√(1 + r²) − 1) without its cancellation
            return jnp.where(weight > 0, 2 * square / (1 + jnp.sqrt(1 + square)), 0.0).sum()

        def lane(start: Float[Array, " slot"], weight: Array) -> tuple[Array, Array]:
            method = optimistix.BFGS(TOLERANCE, TOLERANCE)
            searched = optimistix.minimise(
                objective, method, start, weight, max_steps=STEPS, throw=False
            ).value
            end = objective(searched, weight)
            return searched, jnp.where(jnp.isfinite(end), end, jnp.inf)

        return jax.vmap(lane)(starts, weight)

    return program


def _log_rate(
    names: tuple[str, ...],
    rows: Int[Array, " table"],
    searched: Float[Array, " slot"],
    values: Array,
) -> Float[Array, " point"]:
    rate, first = jnp.exp(searched[0]), 1
    for row, table, width in zip(rows, tables(names), _widths(names), strict=True):
        branches = [partial(_factor, factor, names) for factor in table]
        rate = rate * jax.lax.switch(row, branches, searched[first : first + width], values)
        first += width
    return jnp.log(jnp.broadcast_to(rate, values.shape[1:]))


def _factor(
    factor: Factor, names: tuple[str, ...], searched: Float[Array, " slot"], values: Array
) -> Float[Array, " point"]:
    formula = factor_formula(factor, names)
    value = formula.value(names, values, searched[: len(formula.parameters)], jnp)
    return jnp.broadcast_to(jnp.asarray(value, searched.dtype), values.shape[1:])
