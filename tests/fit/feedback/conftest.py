"""A small pool: cheap tasks of the published atlas, of two shapes."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from psi.fit.feedback.pool import Pool, pool_of
from psi.fit.scale.table import read_atlas
from psi.law.law import Law
from psi.law.parsing import parse

ATLAS = Path(__file__).parents[3] / "data" / "atlas"


def free_of(law: Law) -> Law:
    """A law of the same facts but T, with a constant rate."""
    names = tuple(name for name in law.facts if name != "budget")
    known = dict(zip(law.features, law.domain, strict=True))
    usual = dict(zip(law.facts, law.typical, strict=True))
    return replace(
        law, model=parse("0.01*parameters^(-0.5)*exp(-1.0*stream)"), features=names,
        domain=tuple(known[name] for name in names),
        typical=tuple(usual[name] for name in names),
        extrapolates=tuple(name for name in names if name != "stream"),
        constants=(), scores=(), provenance=None,
    )  # fmt: skip


@cache
def _pool() -> Pool:
    return pool_of(read_atlas(ATLAS), "adam", operations=1.1e7)


@pytest.fixture
def pool() -> Pool:
    """Tasks whose trainings take a few milliseconds."""
    return _pool()
