"""The table of trajectory families: what people use, and what leaves the good trajectories.

A *draw* is log(α_i / peak) over the epochs i = 0 … T−1, for many lanes at once a pure function of
a few random numbers of each. Those are JAX's (trajectories.py), so that a key means the same
everywhere; the rest is NumPy, since tracing 25 families for JAX would take longer than all they are
used for. Over i, with a length of h epochs:

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

import numpy as np
from jaxtyping import Bool, Float

from psi.lab.registry import Table

Column = Float[np.ndarray, "#lane 1"]
Log = Float[np.ndarray, "#lane epoch"]
Length = int | Column

WALK, JITTER, KNOT = 0.4, 0.3, 1.0  # standard deviations, nats
KNOTS = 5
SPIKES = 0.2  # share of epochs


class Draws(NamedTuple):
    """The random numbers of some trajectories: uniform in [0, 1), or standard normal."""

    peak: Float[np.ndarray, "lane 1"]  # uniform
    shape: Float[np.ndarray, "lane 1"]  # uniform: a family's first parameter
    detail: Float[np.ndarray, "lane 1"]  # uniform: its second
    rise: Float[np.ndarray, "lane 1"]  # uniform: the length of the warm-up
    knots: Float[np.ndarray, "lane knot"]  # normal
    position: Float[np.ndarray, "lane epoch"]  # uniform: where something happens
    size: Float[np.ndarray, "lane epoch"]  # uniform: how much happens
    noise: Float[np.ndarray, "lane epoch"]  # normal

    @property
    def epochs(self) -> int:
        """T, the budget."""
        return self.noise.shape[-1]


Draw = Callable[[Draws], Float[np.ndarray, "#lane epoch"]]
"""draws → log(α_i / peak)"""
Shape = Callable[[Draws, Log, Length], Log]  # (draws, i, length h) → log(α_i / peak), 0 at i = 0


def _linear(_: Draws, i: Log, h: Length) -> Log:
    return np.log((h - i) / h)


def _polynomial(d: Draws, i: Log, h: Length) -> Log:
    return np.exp(_between(d.shape, math.log(0.3), math.log(4.0))) * np.log((h - i) / h)


def _exponential(d: Draws, i: Log, h: Length) -> Log:
    return -_between(d.shape, 0.5, 6.0) * i / h


def _steps(divisor: int, most: int) -> Shape:
    def shape(d: Draws, i: Log, _h: Length) -> Log:
        return -math.log(divisor) * np.cumsum(_marks(d, i, most), axis=-1)

    return shape


def _stable_decay(d: Draws, i: Log, h: Length) -> Log:
    share = _between(d.shape, 0.1, 0.5)
    return np.log(np.minimum((h - i) / (share * h), 1))


def _one_cycle(d: Draws) -> Log:
    i, epochs = _clock(d), d.epochs
    top = np.maximum(np.floor(_between(d.shape, 0.2, 0.45) * epochs), 1)
    start = np.exp(-_between(d.detail, math.log(3), math.log(25)))
    cycle = start + (1 - start) * np.maximum(1 - np.abs(i - top) / top, 0)
    after = np.maximum(i - 2 * top, 0) / np.maximum(epochs - 2 * top, 1)
    return np.log(cycle) - math.log(100) * after


def _restarts(d: Draws) -> Log:
    i, epochs = _clock(d), d.epochs
    marks = _marks(d, i, 4)
    start = np.maximum.accumulate(np.where(marks, i, 0), axis=-1)
    end = np.minimum.accumulate(np.where(marks, i, epochs)[:, ::-1], axis=-1)[:, ::-1]
    end = np.append(end[:, 1:], np.full((len(end), 1), epochs), axis=-1)  # the first after i
    return _half_wave((end - i) / (end - start))


def _walk(d: Draws) -> Log:
    """Random walk, normal steps, the first one included."""
    return np.cumsum(WALK * d.noise, axis=-1)


def _spline(d: Draws) -> Log:
    """Natural cubic spline through normal knots at i/T = 0, ¼, …, 1."""
    from scipy.interpolate import CubicSpline

    curve = CubicSpline(np.linspace(0, 1, KNOTS), KNOT * d.knots, axis=1, bc_type="natural")
    return curve(np.arange(d.epochs) / d.epochs)


def _spikes(d: Draws) -> Log:
    """Constant or exponential; each epoch, with p = 0.2, times or divided by 2 to 5."""
    base = np.where(d.detail < 0.5, 0, _exponential(d, _clock(d), d.epochs))
    signed = 2 * d.size - 1
    jump = np.sign(signed) * _between(np.abs(signed), math.log(2), math.log(5))
    return base + np.where(d.position < SPIKES, jump, 0)


def _jitter(d: Draws) -> Log:
    return _linear(d, _clock(d), d.epochs) + JITTER * d.noise


def _whole(shape: Shape) -> Draw:
    """The shape over the whole budget."""
    return lambda d: np.broadcast_to(shape(d, _clock(d), d.epochs), d.position.shape)


def _warm(shape: Shape) -> Draw:
    """The shape after a linear rise over w epochs, w uniform in 1 … ⌈T/4⌉ and below T."""

    def draw(d: Draws) -> Log:
        i, epochs = _clock(d), d.epochs
        w = np.minimum(1 + np.floor(d.rise * math.ceil(epochs / 4)), epochs - 1)
        rise = np.log(np.minimum((i + 1) / (w + 1), 1))
        return rise + shape(d, np.maximum(i - w, 0), epochs - w)

    return draw


def _clock(d: Draws) -> Log:
    return np.arange(d.epochs, dtype=float)[None]


def _between(
    uniform: Float[np.ndarray, "*any"], low: float, high: float
) -> Float[np.ndarray, "*any"]:
    return low + (high - low) * uniform


def _half_wave(left: Log) -> Log:
    # (1 + cos(π (1 − left)))/2 = sin²(π left/2), which keeps its digits near zero.
    return 2 * np.log(np.sin(np.pi / 2 * left))


def _marks(d: Draws, i: Log, most: int) -> Bool[np.ndarray, "lane epoch"]:
    """One to `most` random epochs with i > 0; all of them where there are fewer."""
    rank = np.where(i > 0, d.position, 2).argsort(-1, kind="stable").argsort(-1, kind="stable")
    return (rank < 1 + np.floor(d.shape * most)) & (i > 0)


SHAPES: tuple[tuple[str, Shape], ...] = (
    ("constant", lambda _d, i, _h: np.zeros_like(i)),
    ("step_2", _steps(2, 6)),
    ("step_10", _steps(10, 3)),
    ("exponential", _exponential),
    ("inverse_sqrt", lambda _d, i, _h: -np.log1p(i) / 2),
    ("inverse", lambda _d, i, _h: -np.log1p(i)),
    ("polynomial", _polynomial),
    ("cosine", lambda _d, i, h: _half_wave((h - i) / h)),
    ("linear", _linear),
)
"""Schedules that start at their peak."""


class TrajectoryFamily(NamedTuple):
    """A row: a name, and the draws' shape of the rate."""

    name: str
    draw: Draw
    """Pure; its result is broadcast to shape=(lane, epoch)."""


HOUSE = (
    *(TrajectoryFamily(name, _whole(shape)) for name, shape in SHAPES),
    *(TrajectoryFamily(f"warmup_{name}", _warm(shape)) for name, shape in SHAPES),
    TrajectoryFamily("warmup_stable_decay", _warm(_stable_decay)),
    TrajectoryFamily("one_cycle", _one_cycle),
    TrajectoryFamily("restarts", _restarts),
    TrajectoryFamily("walk", _walk),
    TrajectoryFamily("spline", _spline),
    TrajectoryFamily("spikes", _spikes),
    TrajectoryFamily("jitter", _jitter),
)
"""What a data set goes round unless it names families. Another one here would draw all others'
trajectories anew, and so every data set: a new row joins FAMILIES alone."""

FAMILIES: Table[TrajectoryFamily] = Table("trajectory family", HOUSE)
"""Every family. α_i = clip(peak · e^draw, low/10, high): psi.lab.data.trajectories."""
