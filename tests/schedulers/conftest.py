"""Laws to drive optimizers with: one of each kind. A test that asks for `law` runs for both."""

import numpy as np
import pytest

from psi.law.expression import from_json
from psi.law.law import Law, Range
from psi.law.network import Layer, Network
from psi.law.parsing import parse
from tests.law.conftest import formula_law as formula_law
from tests.law.conftest import make_formula as make_formula


def _formula() -> Law:
    """α = 0.2 · loss_ratio^0.5 · (1 − progress)."""
    tree = ["mul", ["mul", 0.2, ["pow", "loss_ratio", 0.5]], ["sub", 1.0, "progress"]]
    return Law(
        model=from_json(tree),
        features=("loss_ratio", "progress"),
        domain=(Range(0.01, 1.5), Range(0.0, 0.995)),
        rates=Range(1e-3, 0.5),
        optimizer="sgd",
        initial_loss=2.0,
    )


def _network() -> Law:
    """The same features through three hidden units."""
    rng = np.random.default_rng(0)
    hidden = Layer(rng.normal(size=(2, 3)), rng.normal(size=3))
    last = Layer(rng.normal(size=(3, 1)), np.array([-2.0]))
    return Law(
        model=Network(("log", "identity"), np.array([-1.0, 0.5]), np.ones(2), (hidden, last)),
        features=("loss_ratio", "progress"),
        domain=(Range(0.01, 1.5), Range(0.0, 0.995)),
        rates=Range(1e-3, 0.9),
        optimizer="sgd",
        initial_loss=2.0,
    )


FACTS = {
    "parameters": (100, 10_000), "batch": (8, 256), "steps": (3, 400), "rows": (1, 20_000),
    "stream": (0, 1), "chance_loss": (0.1, 5.0), "classes": (1, 100), "weight_rms": (0.01, 1.0),
    "budget": (5, 100), "initial_grad_norm": (0.1, 10.0),
}  # fmt: skip


def law_of_facts() -> Law:
    """Every fact to a power of its own, made up; all go on beyond their domain."""
    powers = (-0.5, 0.2, -0.3, 0.1, 0.5, 0.4, 0.15, 0.6, -0.2, -0.5)
    factors = (
        f"(1 + {name})^{power}" if name == "stream" else f"{name}^({power})"
        for name, power in zip(FACTS, powers, strict=True)
    )
    domain = {**FACTS, "progress": (0.0, 0.995)}
    return Law(
        model=parse("*".join(["1", *factors, "(1 - progress)"])),
        features=tuple(domain),
        domain=tuple(Range(*ends) for ends in domain.values()),
        rates=Range(1e-6, 10.0),
        optimizer="sgd",
        initial_loss=2.0,
        target="validation",
        extrapolates=tuple(name for name in FACTS if name != "stream"),
    )


@pytest.fixture(scope="session")
def facts_law() -> Law:
    return law_of_facts()


LAWS = {"formula": _formula, "network": _network}


@pytest.fixture(scope="session", params=LAWS)
def law(request: pytest.FixtureRequest) -> Law:
    return LAWS[request.param]()


@pytest.fixture(scope="session")
def formula() -> Law:
    return _formula()
