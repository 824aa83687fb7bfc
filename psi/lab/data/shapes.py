"""The table of trajectory families: what people use, and what leaves the good trajectories.

A *draw* is log(α_i / peak) over the epochs i = 0 … T−1, for many lanes at once a pure function of
a few random numbers of each. The numbers are JAX's, so that a key means the same everywhere; the
rest is NumPy, since tracing 25 families for JAX would take longer than all they are used for.
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
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key
from scipy.interpolate import CubicSpline

Column = Float[np.ndarray, "#lane 1"]
Log = Float[np.ndarray, "#lane epoch"]
Horizon = int | Column

WALK, JITTER, KNOT = 0.4, 0.3, 1.0  # standard deviations, nats
KNOTS = 5
SPIKES = 0.2  # share of epochs


class Chance(NamedTuple):
    """All that is random about some trajectories: uniform in [0, 1), or standard normal."""

    peak: Float[np.ndarray, "lane 1"]
    """Uniform."""
    shape: Float[np.ndarray, "lane 1"]
    """Uniform: a family's first parameter."""
    detail: Float[np.ndarray, "lane 1"]
    """Uniform: its second."""
    rise: Float[np.ndarray, "lane 1"]
    """Uniform: the length of the warm-up."""
    knots: Float[np.ndarray, "lane knot"]
    """Normal."""
    place: Float[np.ndarray, "lane epoch"]
    """Uniform: where something happens."""
    size: Float[np.ndarray, "lane epoch"]
    """Uniform: how much happens."""
    noise: Float[np.ndarray, "lane epoch"]
    """Normal."""


Draw = Callable[[Chance], Float[np.ndarray, "lane epoch"]]
"""chance → log(α_i / peak)"""
Shape = Callable[[Chance, Log, Horizon], Log]
"""(chance, i, horizon h) → log(α_i / peak), 0 at i = 0"""


def chance(keys: Key[Array, " lane"], epochs: int) -> Chance:
    """The random numbers of trajectories of T epochs, each from its own key."""
    numbers = (np.asarray(each, np.float64) for each in _numbers(keys, epochs))
    return Chance(*numbers)


@partial(jax.jit, static_argnames="epochs")
@partial(jax.vmap, in_axes=(0, None))
def _numbers(key: Key[Array, ""], epochs: int) -> tuple[Float[Array, " any"], ...]:
    # One call of the generator, whose code takes longest to compile; open at −1 for the normals.
    low = np.nextafter(np.float32(-1), np.float32(0))
    signed = jax.random.uniform(key, (4 + KNOTS + 3 * epochs,), jnp.float32, low, 1)
    ends = np.cumsum([1, 1, 1, 1, KNOTS, epochs, epochs])
    *uniform, knots, place, size, noise = jnp.split(signed, ends)
    uniform = [(each + 1) / 2 for each in (*uniform, place, size)]
    knots, noise = (math.sqrt(2) * jax.lax.erf_inv(each) for each in (knots, noise))
    return *uniform[:4], knots, *uniform[4:], noise


def _constant(_c: Chance, i: Log, _h: Horizon) -> Log:
    return np.zeros_like(i)


def _linear(_c: Chance, i: Log, h: Horizon) -> Log:
    return np.log((h - i) / h)


def _cosine(_c: Chance, i: Log, h: Horizon) -> Log:
    return _half_wave((h - i) / h)


def _polynomial(c: Chance, i: Log, h: Horizon) -> Log:
    return np.exp(_between(c.shape, math.log(0.3), math.log(4.0))) * np.log((h - i) / h)


def _exponential(c: Chance, i: Log, h: Horizon) -> Log:
    return -_between(c.shape, 0.5, 6.0) * i / h


def _inverse(_c: Chance, i: Log, _h: Horizon) -> Log:
    return -np.log1p(i)


def _inverse_sqrt(_c: Chance, i: Log, _h: Horizon) -> Log:
    return -np.log1p(i) / 2


def _steps(divisor: int, most: int) -> Shape:
    def shape(c: Chance, i: Log, _h: Horizon) -> Log:
        return -math.log(divisor) * np.cumsum(_marks(c, i, most), axis=-1)

    return shape


def _stable_decay(c: Chance, i: Log, h: Horizon) -> Log:
    share = _between(c.shape, 0.1, 0.5)
    return np.log(np.minimum((h - i) / (share * h), 1))


def _one_cycle(c: Chance) -> Log:
    i, epochs = _clock(c), c.place.shape[-1]
    top = np.maximum(np.floor(_between(c.shape, 0.2, 0.45) * epochs), 1)
    start = np.exp(-_between(c.detail, math.log(3), math.log(25)))
    cycle = start + (1 - start) * np.maximum(1 - np.abs(i - top) / top, 0)
    after = np.maximum(i - 2 * top, 0) / np.maximum(epochs - 2 * top, 1)
    return np.log(cycle) - math.log(100) * after


def _restarts(c: Chance) -> Log:
    i, epochs = _clock(c), c.place.shape[-1]
    marks = _marks(c, i, 4)
    start = np.maximum.accumulate(np.where(marks, i, 0), axis=-1)
    end = np.minimum.accumulate(np.where(marks, i, epochs)[:, ::-1], axis=-1)[:, ::-1]
    end = np.append(end[:, 1:], np.full((len(end), 1), epochs), axis=-1)  # the first after i
    return _half_wave((end - i) / (end - start))


def _walk(c: Chance) -> Log:
    """Random walk, normal steps, the first one included."""
    return np.cumsum(WALK * c.noise, axis=-1)


def _spline(c: Chance) -> Log:
    """Natural cubic spline through normal knots at i/T = 0, ¼, …, 1."""
    epochs = c.place.shape[-1]
    curve = CubicSpline(np.linspace(0, 1, KNOTS), KNOT * c.knots, axis=1, bc_type="natural")
    return curve(np.arange(epochs) / epochs)


def _spikes(c: Chance) -> Log:
    """Constant or exponential; each epoch, with p = 0.2, times or divided by 2 to 5."""
    base = np.where(c.detail < 0.5, 0, _exponential(c, _clock(c), c.place.shape[-1]))
    signed = 2 * c.size - 1
    jump = np.sign(signed) * _between(np.abs(signed), math.log(2), math.log(5))
    return base + np.where(c.place < SPIKES, jump, 0)


def _jitter(c: Chance) -> Log:
    return _linear(c, _clock(c), c.place.shape[-1]) + JITTER * c.noise


def _whole(shape: Shape) -> Draw:
    """The shape over the whole budget."""
    return lambda c: np.broadcast_to(shape(c, _clock(c), c.place.shape[-1]), c.place.shape)


def _warm(shape: Shape) -> Draw:
    """The shape after a linear rise over w epochs, w uniform in 1 … ⌈T/4⌉ and below T."""

    def draw(c: Chance) -> Log:
        i, epochs = _clock(c), c.place.shape[-1]
        w = np.minimum(1 + np.floor(c.rise * math.ceil(epochs / 4)), epochs - 1)
        rise = np.log(np.minimum((i + 1) / (w + 1), 1))
        return rise + shape(c, np.maximum(i - w, 0), epochs - w)

    return draw


def _clock(c: Chance) -> Log:
    return np.arange(c.place.shape[-1], dtype=float)[None]


def _between(
    uniform: Float[np.ndarray, "*any"], low: float, high: float
) -> Float[np.ndarray, "*any"]:
    return low + (high - low) * uniform


def _half_wave(left: Log) -> Log:
    # (1 + cos(π (1 − left)))/2 = sin²(π left/2), which keeps its digits near zero.
    return 2 * np.log(np.sin(np.pi / 2 * left))


def _marks(c: Chance, i: Log, most: int) -> Bool[np.ndarray, "lane epoch"]:
    """One to `most` random epochs with i > 0; all of them where there are fewer."""
    rank = np.where(i > 0, c.place, 2).argsort(-1, kind="stable").argsort(-1, kind="stable")
    return (rank < 1 + np.floor(c.shape * most)) & (i > 0)


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
"""Every family. α_i = clip(peak · e^draw, low/10, high): psi.lab.data.trajectories."""
