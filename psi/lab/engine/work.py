"""Work for the engine: lanes × seeds, cut into calls of one program of fixed shape."""

from typing import Any, NamedTuple

import jax
import numpy as np


class Layout(NamedTuple):
    """How work is cut into programs."""

    width: int
    """Lanes a unit."""
    units: int
    """Units a call: about a second of work, as long as Ctrl-C and the progress bar may wait."""


LAYOUTS: tuple[tuple[str, Layout], ...] = (
    ("cpu", Layout(32, 16)),  # psi bench engine, two cores: 16 to 64 lanes are within 10 %
    ("gpu", Layout(1024, 8)),  # not measured yet
    ("tpu", Layout(1024, 8)),  # not measured yet
)


def layout(width: int | None = None) -> Layout:
    """The layout of this kind of device, or of a given width."""
    kind = dict(LAYOUTS)[jax.default_backend()]
    return kind if width is None else kind._replace(width=width)


def units_of(lanes: int, seeds: int, shape: Layout) -> int:
    """Units that lanes × seeds make."""
    return seeds * -(-lanes // shape.width)


def calls_of(lanes: int, seeds: int, shape: Layout) -> int:
    """Calls of the program that lanes × seeds make."""
    return -(-units_of(lanes, seeds, shape) // shape.units)


class Work(NamedTuple):
    """Lanes × seeds cut into calls of the program. Unit u is seed u // blocks, block u % blocks."""

    lanes: Any
    """shape=(blocks, width, …); the last block is padded with its last lane"""
    lane_count: int
    """Lanes there really are."""
    seeds: np.ndarray
    shape: Layout

    @property
    def units(self) -> int:
        """Units in all."""
        return units_of(self.lane_count, len(self.seeds), self.shape)

    @property
    def calls(self) -> int:
        """Calls of the program in all."""
        return calls_of(self.lane_count, len(self.seeds), self.shape)

    def of_call(self, call: int) -> range:
        """The units of one call."""
        first = call * self.shape.units
        return range(first, min(first + self.shape.units, self.units))

    def runs(self, call: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(lane, seed, position among all lanes) of each run of a call, padding left out."""
        unit = np.array(self.of_call(call))
        blocks = self.units // len(self.seeds)
        lane = unit[:, None] % blocks * self.shape.width + np.arange(self.shape.width)
        seed = np.broadcast_to(self.seeds[unit // blocks][:, None], lane.shape)
        real = lane < self.lane_count
        return lane[real], seed[real], np.flatnonzero(real)


def cut(lanes: Any, seeds: np.ndarray, shape: Layout) -> Work:
    """Lanes × seeds as work for the program."""
    count = jax.tree.leaves(lanes)[0].shape[0]
    blocks = -(-count // shape.width)
    index = np.minimum(np.arange(blocks * shape.width), count - 1).reshape(blocks, -1)
    return Work(jax.tree.map(lambda a: np.asarray(a)[index], lanes), count, seeds, shape)
