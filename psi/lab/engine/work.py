"""The engine's work, lanes × seeds, cut into calls of one compiled program of fixed shape.

A lane is one policy, a unit of work one seed and a block of `width` lanes.
"""

from typing import Any, NamedTuple

import jax
import numpy as np


class Layout(NamedTuple):
    """The shape of one call of the program."""

    width: int
    """Lanes a unit."""
    units: int
    """Units a call: about a second of work, which is what Ctrl-C and the progress bar wait for."""


LAYOUTS: tuple[tuple[str, Layout], ...] = (
    ("cpu", Layout(32, 16)),  # psi bench engine, two cores: 16 to 64 lanes are within 10 %
    ("gpu", Layout(1024, 8)),  # not measured yet
    ("tpu", Layout(1024, 8)),  # not measured yet
)


def layout(width: int | None = None) -> Layout:
    """The layout for this machine's kind of device, with another width where one is given."""
    usual = dict(LAYOUTS)[jax.default_backend()]
    return usual if width is None else usual._replace(width=width)


def units_of(lanes: int, seeds: int, shape: Layout) -> int:
    """How many units lanes × seeds make."""
    return seeds * -(-lanes // shape.width)


def calls_of(lanes: int, seeds: int, shape: Layout) -> int:
    """How many calls of the program lanes × seeds make."""
    return -(-units_of(lanes, seeds, shape) // shape.units)


class Work(NamedTuple):
    """Lanes × seeds cut into units. Unit u trains block u % blocks from seed u // blocks."""

    lanes: Any
    """shape=(blocks, width, …), of lanes of their own for each seed (seeds, blocks, width, …); the
    last block is padded with its last lane."""
    lane_count: int  # lanes without padding
    seeds: np.ndarray
    shape: Layout
    by_seed: bool = False

    def lanes_of(self, units: np.ndarray) -> Any:
        """The lanes of each unit, leaves of shape=(unit, width, …)."""
        seed, block = np.divmod(units, self.units // len(self.seeds))
        at = (seed, block) if self.by_seed else block
        return jax.tree.map(lambda a: a[at], self.lanes)

    @property
    def units(self) -> int:
        """How many units there are."""
        return units_of(self.lane_count, len(self.seeds), self.shape)

    @property
    def calls(self) -> int:
        """How many calls of the program there are."""
        return calls_of(self.lane_count, len(self.seeds), self.shape)

    def of_call(self, call: int) -> range:
        """Numbers of the units of one call."""
        first = call * self.shape.units
        return range(first, min(first + self.shape.units, self.units))

    def runs(self, call: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(lane, seed, index among the call's lanes with padding) of each run without padding."""
        unit = np.array(self.of_call(call))
        blocks = self.units // len(self.seeds)
        lane = unit[:, None] % blocks * self.shape.width + np.arange(self.shape.width)
        seed = np.broadcast_to(self.seeds[unit // blocks][:, None], lane.shape)
        real = lane < self.lane_count
        return lane[real], seed[real], np.flatnonzero(real)


def cut(lanes: Any, seeds: np.ndarray, shape: Layout, by_seed: bool = False) -> Work:
    """Lanes × seeds as work of this shape.

    Lanes are a pytree with a leading axis of lanes; `by_seed`, with one of seeds before it.
    """
    axis = int(by_seed)
    count = jax.tree.leaves(lanes)[0].shape[axis]
    blocks = -(-count // shape.width)
    index = np.minimum(np.arange(blocks * shape.width), count - 1).reshape(blocks, -1)
    chosen = jax.tree.map(lambda a: np.take(a, index, axis), lanes)
    return Work(chosen, count, seeds, shape, by_seed)
