"""Open-loop schedules to train on: the pilot's plain ones, random ones, and branched cells.

A random trajectory is one of a family of psi.lab.data.families, its peak log-uniform,

    α_i = clip(peak · e^draw_i, low/10, high),    peak = low · (high/low)^u,  u ~ U(0, 1),

so that some are too slow and some pass the edge of stability.

Along any one good trajectory the loss and the epoch say the same, so the data must also ask what
was best from states off it: a *cell* is a random prefix up to a branch epoch i, shared by
K candidate rates that each go linearly to zero from there,

    α_j = prefix_j  for j < i,    α_j = candidate · (T − j)/(T − i)  for j >= i.

Cells visit the same epoch at good and bad losses; the candidates ask what was best from there.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from psi.lab.data.families import HOUSE, KNOTS, Draws, TrajectoryFamily

Rates = Float[np.ndarray, " epoch"]
ROUNDS = 32  # times round the families a call: its shape is compiled once, whatever the count

Families = Sequence[TrajectoryFamily]


class Plan(NamedTuple):
    """Trajectories to train, one a lane, and what they are."""

    rates: Float[np.ndarray, "lane epoch"]
    family: list[str]
    cell: Int[np.ndarray, " lane"]
    """Number of the cell in its task; −1 for a trajectory without one."""
    branch: Int[np.ndarray, " lane"]
    """Epoch at which the candidate rate takes over; −1 for a trajectory without one."""


PLAIN: tuple[tuple[str, Callable[[np.ndarray], np.ndarray]], ...] = (
    ("constant", lambda t: np.ones_like(t)),
    ("linear", lambda t: 1 - t),
    ("cosine", lambda t: (1 + np.cos(np.pi * t)) / 2),
)
"""Shape of a plain schedule over t = i/T: α_i = peak · shape(i/T)."""


def pilot_family(schedule: str) -> str:
    """Family name of a plain schedule's pilot runs, which tells them from random ones."""
    return f"pilot_{schedule}"


def plain(peaks: Rates, epochs: int) -> Plan:
    """Every plain shape at every peak rate: the pilot's trajectories."""
    t = np.arange(epochs) / epochs
    rates = [peak * shape(t) for _, shape in PLAIN for peak in peaks]
    family = [pilot_family(name) for name, _ in PLAIN for _ in peaks]
    none = np.full(len(rates), -1)
    return Plan(np.array(rates), family, none, none)


def free(
    key: Key[Array, ""],
    count: int,
    epochs: int,
    low: float,
    high: float,
    families: Families = HOUSE,
) -> Plan:
    """`count` random trajectories, going round the families.

    Trajectory k depends on (key, k, epochs, low, high, families) alone: a longer plan begins with
    a shorter. Peaks are log-uniform in [low, high], rates in [low/10, high]. Raises ValueError for
    count < 1, epochs < 1, or rates that are not 0 < low < high < ∞.
    """
    _check(epochs, low, high, count=count)
    numbers = np.arange(count)
    rates = _unclipped(key, numbers, epochs, (low, high), families).clip(low / 10, high)
    none = np.full(count, -1)
    return Plan(rates, _names(numbers, families), none, none)


def branched(
    key: Key[Array, ""],
    cells: int,
    candidates: int,
    epochs: int,
    low: float,
    high: float,
    families: Families = HOUSE,
) -> Plan:
    """`cells` random prefixes with `candidates` rates each, log-uniform in [low, high].

    Branch epochs go round 0 … T−1, families go round the table from a random one, so that over
    many keys every family meets every branch epoch. Peaks of prefixes are log-uniform in
    [low, high / 2], so that some are too low, some too high. Candidates are evenly spaced in
    log α with a random offset. Raises ValueError as `free` does.
    """
    _check(epochs, low, high, cells=cells, candidates=candidates)
    drawn, first, offset = _cells(key, cells, len(families))
    numbers = int(first) + np.arange(cells)
    highest = max(low, high / 2)
    prefix = _unclipped(drawn, numbers, epochs, (low, highest), families).clip(low / 10, high)
    spread = (np.arange(candidates)[None] + np.asarray(offset, float)[:, None]) / candidates
    candidate = low * (high / low) ** spread[:, :, None]
    at, i = branch_epochs(cells, epochs)[:, None, None], np.arange(epochs)[None, None]
    rates = np.where(i < at, prefix[:, None], candidate * (epochs - i) / (epochs - at))
    return Plan(
        rates.reshape(-1, epochs),
        [name for name in _names(numbers, families) for _ in range(candidates)],
        np.arange(cells).repeat(candidates),
        at.reshape(-1).repeat(candidates),
    )


def branch_epochs(cells: int, epochs: int) -> Int[np.ndarray, " cell"]:
    """Round 0 … T−1; spread evenly over it where there are fewer cells than epochs."""
    number = np.arange(cells)
    return number * epochs // cells if cells < epochs else number % epochs


def _names(numbers: Int[np.ndarray, " lane"], families: Families) -> list[str]:
    return [families[k % len(families)].name for k in numbers]


def _unclipped(
    key: Key[Array, ""],
    numbers: Int[np.ndarray, " lane"],
    epochs: int,
    rates: tuple[float, float],
    families: Families,
) -> Float[np.ndarray, "lane epoch"]:
    """Rates of the trajectories `numbers`, which are consecutive, before they are clipped."""
    first, last = numbers[0] // len(families) * len(families), numbers[-1]
    chunk = ROUNDS * len(families)
    logs = [_logs(key, k, epochs, families) for k in range(first, last + 1, chunk)]
    peak, shape = np.split(np.concatenate(logs), [1], axis=1)
    low, high = rates
    return (low * (high / low) ** peak * np.exp(shape))[numbers - first]


def _logs(
    key: Key[Array, ""], first: int, epochs: int, families: Families
) -> Float[np.ndarray, "lane one_more"]:
    """Where the peak is between low and high, then log(α_i / peak), of the next trajectories.

    `first` is of the first family.
    """
    count = ROUNDS * len(families)
    draws = draws_of(_keys(key, first, count), epochs)
    logs = np.empty((count, epochs))
    for k, family in enumerate(families):
        own = slice(k, None, len(families))
        logs[own] = family.draw(Draws(*(each[own] for each in draws)))
    return np.concatenate([draws.peak, logs], axis=1)


def draws_of(keys: Key[Array, " lane"], epochs: int) -> Draws:
    """The random numbers of trajectories of T epochs, each from its own key."""
    numbers = (np.asarray(each, np.float64) for each in _numbers(keys, epochs))
    return Draws(*numbers)


@partial(jax.jit, static_argnames="epochs")
@partial(jax.vmap, in_axes=(0, None))
def _numbers(key: Key[Array, ""], epochs: int) -> tuple[Float[Array, " any"], ...]:
    # One call of the generator, whose code takes longest to compile; open at −1 for the normals.
    low = np.nextafter(np.float32(-1), np.float32(0))
    signed = jax.random.uniform(key, (4 + KNOTS + 3 * epochs,), jnp.float32, low, 1)
    ends = np.cumsum([1, 1, 1, 1, KNOTS, epochs, epochs])
    *uniform, knots, position, size, noise = jnp.split(signed, ends)
    uniform = [(each + 1) / 2 for each in (*uniform, position, size)]
    knots, noise = (math.sqrt(2) * jax.lax.erf_inv(each) for each in (knots, noise))
    return *uniform[:4], knots, *uniform[4:], noise


@partial(jax.jit, static_argnames="count")
def _keys(key: Key[Array, ""], first: Array | int, count: int) -> Key[Array, " lane"]:
    return jax.vmap(partial(jax.random.fold_in, key))(first + jnp.arange(count))


@partial(jax.jit, static_argnames=("cells", "families"))
def _cells(
    key: Key[Array, ""], cells: int, families: int
) -> tuple[Key[Array, ""], Int[Array, ""], Float[Array, " cell"]]:
    """The key of the prefixes, the family of the first, and each cell's offset in [0, 1)."""
    drawn, other = jax.random.split(key)
    uniform = jax.random.uniform(other, (1 + cells,))
    return drawn, (uniform[0] * families).astype(int), uniform[1:]


def _check(epochs: int, low: float, high: float, **counts: int) -> None:
    for name, value in (("epochs", epochs), *counts.items()):
        if value < 1:
            raise ValueError(f"{name} must be >= 1, got {value}")
    if not 0 < low < high < math.inf:
        raise ValueError(f"rates must be 0 < low < high < inf, got {low} and {high}")
