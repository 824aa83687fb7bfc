"""A small pool: cheap tasks of the published atlas, of two shapes."""

from functools import cache
from pathlib import Path

import pytest

from psi.fit.feedback.pool import Pool, pool_of
from psi.fit.scale.table import read_atlas

ATLAS = Path(__file__).parents[3] / "data" / "atlas"


@cache
def _pool() -> Pool:
    return pool_of(read_atlas(ATLAS), "adam", operations=1.1e7)


@pytest.fixture
def pool() -> Pool:
    """Tasks whose trainings take a few milliseconds."""
    return _pool()
