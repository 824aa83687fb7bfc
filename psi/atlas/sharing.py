"""The parts of an atlas on many machines, through Ray (extra `ray`): the records of one machine."""

from collections.abc import Iterator, Sequence
from functools import partial

import pandas as pd

from psi.atlas.collect import trained
from psi.atlas.config import AtlasConfig
from psi.atlas.padding import REACHES
from psi.atlas.parts import Engine, Part
from psi.lab.data.cluster import connect, spread
from psi.lab.engine.devices import prepare


def ray_engine(config: AtlasConfig, address: str | None = None) -> Engine:
    """What trains parts on the Ray cluster at `address`, or on one of its own on this machine.

    Raises ValueError where Ray is not installed or no cluster is there.
    """
    connect(address)
    return partial(_engine, config)


def _engine(config: AtlasConfig, wanted: Sequence[Part]) -> Iterator[tuple[Part, pd.DataFrame]]:
    import ray

    named = {part.name: part for part in wanted}
    calls = {part.name: (part, config) for part in wanted}
    # Without a card these tasks are trained on cores, which takes long.
    gpus = int(REACHES[config.reach].together and "GPU" in ray.cluster_resources())
    return ((named[name], frame) for name, frame in spread(_train_part, calls, gpus))


def _train_part(part: Part, config: AtlasConfig) -> pd.DataFrame:
    prepare(cores=1)  # Ray runs as many of these as there are cores
    return trained(part, config)
