"""The table of trajectory families: what people use, and what leaves the good trajectories.

A *draw* is log(α_i / peak) over the epochs i = 0 … T−1, a pure function of a few random numbers
that are drawn once for all families (each draw of its own would cost seconds of compilation).
Over i, with a horizon of h epochs:

* `constant` 1; `linear` 1 − i/h; `cosine` (1 + cos(π i/h))/2; `polynomial` (1 − i/h)^p,
  p log-uniform in [0.3, 4]; `exponential` e^(−c i/h), c uniform in [0.5, 6];
* `inverse` 1/(1 + i) (Robbins & Monro 1951), `inverse_sqrt` 1/√(1 + i);
* `step_2`, `step_10` divided by 2 at one to six, by 10 at one to three random epochs;
* `warmup_…` each of these from epoch w on (i − w for i, T − w for h) after a linear rise
  (i + 1)/(w + 1) (Goyal et al. 2017, arXiv 1706.02677);
* `warmup_stable_decay` constant after the rise, linear to zero over the last 10 to 50 %
  (Hu et al. 2024, arXiv 2404.06395; the shape of the decay is free there);
* `one_cycle` linear up from 1/d to 1 and down again in equal times, then by two orders of magnitude
  further (Smith & Topin 2017, arXiv 1708.07120);
* `restarts` cosine between one to four random epochs (Loshchilov & Hutter 2016, arXiv 1608.03983);
* `walk`, `spline` random in log α; `spikes` a fifth of the epochs far off; `jitter` linear with
  noise: states that a good schedule visits.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key
from scipy.interpolate import CubicSpline

Scalar = int | float | Float[Array, ""]
Log = Float[Array, " epoch"]

WALK, JITTER, KNOT = 0.4, 0.3, 1.0  # standard deviations, nats
KNOTS = 5
SPIKES = 0.2  # share of epochs


class Chance(NamedTuple):
    """All that is random about a trajectory: uniform in [0, 1), or standard normal."""

    peak: Float[Array, ""]
    """Uniform."""
    shape: Float[Array, ""]
    """Uniform: a family's first parameter."""
    detail: Float[Array, ""]
    """Uniform: its second."""
    rise: Float[Array, ""]
    """Uniform: the length of the warm-up."""
    knots: Float[Array, " knot"]
    """Normal."""
    place: Float[Array, " epoch"]
    """Uniform: where something happens."""
    size: Float[Array, " epoch"]
    """Uniform: how much happens."""
    noise: Float[Array, " epoch"]
    """Normal."""


Draw = Callable[[Chance], Log]
"""chance → log(α_i / peak)"""
Shape = Callable[[Chance, Log, Scalar], Log]
"""(chance, i, horizon h) → log(α_i / peak), 0 at i = 0"""


def chance(key: Key[Array, ""], epochs: int) -> Chance:
    """The random numbers of one trajectory of T epochs."""
    # One call of the generator, whose code takes longest to compile; open at −1 for the normals.
    dtype = jnp.zeros(()).dtype
    low = np.nextafter(np.array(-1, dtype), 0, dtype=dtype)
    signed = jax.random.uniform(key, (4 + KNOTS + 3 * epochs,), dtype, low, 1)
    (peak, shape, detail, rise), knots, rest = jnp.split(signed, [4, 4 + KNOTS])
    place, size, noise = rest.reshape(3, epochs)
    uniform = (peak, shape, detail, rise, place, size)
    peak, shape, detail, rise, place, size = ((each + 1) / 2 for each in uniform)
    knots, noise = (math.sqrt(2) * jax.lax.erf_inv(each) for each in (knots, noise))
    return Chance(peak, shape, detail, rise, knots, place, size, noise)


def _constant(_c: Chance, i: Log, _h: Scalar) -> Log:
    return jnp.zeros_like(i)


def _linear(_c: Chance, i: Log, h: Scalar) -> Log:
    return jnp.log((h - i) / h)


def _cosine(_c: Chance, i: Log, h: Scalar) -> Log:
    return _half_wave((h - i) / h)


def _polynomial(c: Chance, i: Log, h: Scalar) -> Log:
    return jnp.exp(_between(c.shape, math.log(0.3), math.log(4.0))) * jnp.log((h - i) / h)


def _exponential(c: Chance, i: Log, h: Scalar) -> Log:
    return -_between(c.shape, 0.5, 6.0) * i / h


def _inverse(_c: Chance, i: Log, _h: Scalar) -> Log:
    return -jnp.log1p(i)


def _inverse_sqrt(_c: Chance, i: Log, _h: Scalar) -> Log:
    return -jnp.log1p(i) / 2


def _steps(divisor: int, most: int) -> Shape:
    def shape(c: Chance, i: Log, _h: Scalar) -> Log:
        return -math.log(divisor) * jnp.cumsum(_marks(c, i, most))

    return shape


def _stable_decay(c: Chance, i: Log, h: Scalar) -> Log:
    share = _between(c.shape, 0.1, 0.5)
    return jnp.log(jnp.minimum((h - i) / (share * h), 1))


def _one_cycle(c: Chance) -> Log:
    i, epochs = _clock(c), len(c.place)
    top = jnp.maximum(jnp.floor(_between(c.shape, 0.2, 0.45) * epochs), 1)
    start = jnp.exp(-_between(c.detail, math.log(3), math.log(25)))
    cycle = start + (1 - start) * jnp.maximum(1 - jnp.abs(i - top) / top, 0)
    after = jnp.maximum(i - 2 * top, 0) / jnp.maximum(epochs - 2 * top, 1)
    return jnp.log(cycle) - math.log(100) * after


def _restarts(c: Chance) -> Log:
    i, epochs = _clock(c), len(c.place)
    marks = _marks(c, i, 4)
    start = jax.lax.cummax(jnp.where(marks, i, 0))
    end = jax.lax.cummin(jnp.where(marks, i, epochs), reverse=True)
    end = jnp.append(end[1:], jnp.full(1, epochs, end.dtype))  # the first mark after i
    return _half_wave((end - i) / (end - start))


def _walk(c: Chance) -> Log:
    """Random walk, normal steps, the first one included."""
    return jnp.cumsum(WALK * c.noise)


def _spline(c: Chance) -> Log:
    """Natural cubic spline through normal knots at i/T = 0, ¼, …, 1."""
    t = np.arange(len(c.place)) / len(c.place)
    basis = CubicSpline(np.linspace(0, 1, KNOTS), np.eye(KNOTS), bc_type="natural")(t)
    return KNOT * jnp.sum(jnp.asarray(basis, c.knots.dtype) * c.knots[None], 1)


def _spikes(c: Chance) -> Log:
    """Constant or exponential; each epoch, with p = 0.2, times or divided by 2 to 5."""
    base = jnp.where(c.detail < 0.5, 0, _exponential(c, _clock(c), len(c.place)))
    signed = 2 * c.size - 1
    jump = jnp.sign(signed) * _between(jnp.abs(signed), math.log(2), math.log(5))
    return base + jnp.where(c.place < SPIKES, jump, 0)


def _jitter(c: Chance) -> Log:
    return _linear(c, _clock(c), len(c.place)) + JITTER * c.noise


def _whole(shape: Shape) -> Draw:
    """The shape over the whole budget."""
    return lambda c: shape(c, _clock(c), len(c.place))


def _warm(shape: Shape) -> Draw:
    """The shape after a linear rise over w epochs, w uniform in 1 … ⌈T/4⌉ and below T."""

    def draw(c: Chance) -> Log:
        i, epochs = _clock(c), len(c.place)
        w = jnp.minimum(1 + jnp.floor(c.rise * math.ceil(epochs / 4)), epochs - 1)
        rise = jnp.log(jnp.minimum((i + 1) / (w + 1), 1))
        return rise + shape(c, jnp.maximum(i - w, 0), epochs - w)

    return draw


def _clock(c: Chance) -> Log:
    return jnp.arange(len(c.place), dtype=c.place.dtype)


def _between(uniform: Float[Array, "*any"], low: float, high: float) -> Float[Array, "*any"]:
    return low + (high - low) * uniform


def _half_wave(left: Log) -> Log:
    # (1 + cos(π (1 − left)))/2 = sin²(π left/2), which keeps its digits near zero.
    return 2 * jnp.log(jnp.sin(jnp.pi / 2 * left))


def _marks(c: Chance, i: Log, most: int) -> Bool[Array, " epoch"]:
    """One to `most` random epochs with i > 0; all of them where there are fewer."""
    place = jnp.where(i > 0, c.place, 2)
    # Counting instead of sorting, which takes much longer to compile.
    rank = (place[None] < place[:, None]).sum(1)
    return (rank < 1 + jnp.floor(c.shape * most)) & (i > 0)


SHAPES: tuple[tuple[str, Shape], ...] = (
    ("constant", _constant),
    ("step_2", _steps(2, 6)),
    ("step_10", _steps(10, 3)),
    ("exponential", _exponential),
    ("inverse_sqrt", _inverse_sqrt),
    ("inverse", _inverse),
    ("polynomial", _polynomial),
    ("cosine", _cosine),
    ("linear", _linear),
)
"""Schedules that start at their peak."""

FAMILIES: tuple[tuple[str, Draw], ...] = (
    *((name, _whole(shape)) for name, shape in SHAPES),
    *((f"warmup_{name}", _warm(shape)) for name, shape in SHAPES),
    ("warmup_stable_decay", _warm(_stable_decay)),
    ("one_cycle", _one_cycle),
    ("restarts", _restarts),
    ("walk", _walk),
    ("spline", _spline),
    ("spikes", _spikes),
    ("jitter", _jitter),
)
"""Every family. α_i = clip(peak · e^draw, low/10, high): psi.lab.trajectories."""
