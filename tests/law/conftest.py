"""Laws to test with: one of each kind, and the two array namespaces.

A test that asks for `law` runs for every kind, one that asks for `xp` for both namespaces.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import psi
from psi.law.expression import from_json
from psi.law.feedback import Feedback
from psi.law.law import FittedConstant, Law, Provenance, Range, Score
from psi.law.network import Layer, Network
from psi.law.parsing import parse

MakeFormula: TypeAlias = Callable[..., Law]


def _formula() -> Law:
    """α = 0.3 · loss_ratio^0.7 · (1 − progress)^1.5 + 0.001."""
    tree = [
        "add",
        [
            "mul",
            ["mul", 0.3, ["pow", "loss_ratio", 0.7]],
            ["pow", ["sub", 1.0, "progress"], 1.5],
        ],
        0.001,
    ]
    return Law(
        model=from_json(tree),
        features=("loss_ratio", "progress"),
        domain=(Range(0.01, 1.5), Range(0.0, 0.95)),
        rates=Range(1e-3, 0.5),
        optimizer="momentum",
        initial_loss=2.3,
        constants=(FittedConstant("a", 0.3, 0.25, 0.35),),
        scores=(Score("regret", -0.1), Score("spread", 1 / 3)),
        provenance=Provenance("d" * 8, "c" * 8, ("numpy==2.0.0",)),
    )


def _network() -> Law:
    """Widths 3-8-8-1 with weights of the size that training leaves behind."""
    rng = np.random.default_rng(0)
    widths = (3, 8, 8, 1)
    layers = tuple(
        Layer(rng.normal(size=(m, n)) / np.sqrt(m), rng.normal(size=n) / 4)
        for m, n in pairwise(widths)
    )
    return Law(
        model=Network(
            transforms=("log", "identity", "log"),
            shift=np.array([-1.0, 0.5, 0.2]),
            scale=np.array([1.2, 0.3, 0.8]),
            layers=layers,
        ),
        features=("loss_ratio", "progress", "loss"),
        domain=(Range(0.01, 1.5), Range(0.0, 0.95), Range(0.05, 4.0)),
        rates=Range(1e-3, 5.0),
        optimizer="adam",
        initial_loss=2.3,
        scores=(Score("regret", -0.2),),
    )


def _feedback() -> Law:
    """α = 0.2 · (1 − progress) · exp(u), u within [−3, 1], from the memory of both losses."""
    ranges = {
        "progress": Range(0.0, 0.95), "loss_excess": Range(0.0, 2.0),
        "loss_trend": Range(-1.0, 1.0), "val_excess": Range(0.0, 2.0),
        "val_progress": Range(-1.0, 1.0), "val_stalled": Range(0.0, 1.0),
        "val_since_best": Range(0.0, 50.0), "val_gap": Range(-1.0, 1.0),
        "val_known": Range(0.0, 1.0), "feedback": Range(-3.0, 1.0),
    }  # fmt: skip
    change = (
        "0.3*loss_trend - 0.1*loss_excess - 0.7*tanh(20*val_excess) + 0.2*tanh(20*val_progress)"
    )
    change += " - 0.05*val_stalled*val_since_best + 0.01*val_gap - 0.02*val_known"
    return Law(
        model=parse("0.2*(1 - progress)*exp(feedback)"),
        features=tuple(ranges),
        domain=tuple(ranges.values()),
        rates=Range(1e-4, 1.0),
        optimizer="adam",
        initial_loss=2.3,
        target="validation",
        feedback=Feedback(0.98, parse(change)),
    )


LAWS: dict[str, Callable[[], Law]] = {
    "formula": _formula,
    "network": _network,
    "feedback": _feedback,
}


@pytest.fixture(scope="session")
def formula_law() -> Law:
    return _formula()


@pytest.fixture(scope="session")
def network_law() -> Law:
    return _network()


@pytest.fixture(scope="session", params=LAWS)
def law(request: pytest.FixtureRequest) -> Law:
    return LAWS[request.param]()


@pytest.fixture(scope="session", params=[name for name in LAWS if name != "feedback"])
def memoryless_law(request: pytest.FixtureRequest) -> Law:
    """One whose rates depend on the present loss alone."""
    return LAWS[request.param]()


@pytest.fixture(params=[np, jnp], ids=["numpy", "jax"])
def xp(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    """numpy, and jax.numpy in double precision."""
    with jax.enable_x64(True):
        yield request.param


@pytest.fixture(scope="session")
def make_formula() -> MakeFormula:
    """A law of any formula: wide rates and typical ε_0 = 2 unless told otherwise."""

    def make(
        tree: object,
        *domain: tuple[str, float, float],
        rates: tuple[float, float] = (1e-9, 100.0),
        initial_loss: float = 2.0,
    ) -> Law:
        return Law(
            model=from_json(tree),
            features=tuple(name for name, _, _ in domain),
            domain=tuple(Range(low, high) for _, low, high in domain),
            rates=Range(*rates),
            optimizer="sgd",
            initial_loss=initial_loss,
        )

    return make


@pytest.fixture
def refuse(tmp_path: Path) -> Callable[[bytes], str]:
    """Load a file of these bytes, which must fail as documented; the reason given."""

    def load(content: bytes) -> str:
        path = tmp_path / "hostile.law"
        path.write_bytes(content)
        with pytest.raises(psi.LawFileError) as caught:
            psi.load(path)
        assert type(caught.value) is psi.LawFileError
        assert str(caught.value).startswith(f"{path}: ")
        return str(caught.value)

    return load
