"""Which law an optimizer needs; and that the page tells the same list."""

from pathlib import Path
from typing import Any

import pytest

import psi
from psi.schedulers.kin import KIN, outside_optimizer, recognise

PAGE = Path(psi.__file__).parent / "schedulers" / "outside.md"


@pytest.mark.parametrize(
    ("name", "settings", "law"),
    [
        ("Adam", {}, "adam"),
        ("AdamW", {"beta_1": 0.9, "beta_2": 0.95}, "adam"),
        ("Nadam", {"beta_1": 0.9, "beta_2": 0.999}, "adam"),
        ("PagedAdamW8bit", {"beta_1": 0.9, "beta_2": 0.999}, "adam"),
        ("Adam", {"beta_1": 0.5, "beta_2": 0.999}, None),  # as for adversarial networks
        ("Adam", {"beta_1": 0.0, "beta_2": 0.99}, None),
        ("SGD", {"momentum": 0}, "sgd"),
        ("SGD", {}, "sgd"),
        ("SGD", {"momentum": 0.9}, "momentum"),
        ("SGD", {"momentum": 0.95, "nesterov": True}, "momentum"),
        ("SGD", {"momentum": 0.5}, None),
        ("SGD", {"momentum": 0.99}, None),
        ("SGD", {"momentum": 0.9, "dampening": 0.9}, None),  # a mean of gradients: a tenth as far
        ("Lion", {"beta_1": 0.9, "beta_2": 0.99}, None),
        ("RMSprop", {"momentum": 0}, None),
        ("Adagrad", {}, None),
        ("Adafactor", {}, None),
        ("LBFGS", {}, None),
    ],
)
def test_the_law_of_an_optimizer(name: str, settings: dict[str, Any], law: str | None) -> None:
    """Every shipped law accepts its own kin alone, and names the law that fits the others."""
    found = recognise([name, "Optimizer", "object"], settings)
    assert found.law == law
    for own in ("sgd", "momentum", "adam"):
        said = outside_optimizer(psi.load(own), found)
        assert bool(said) == (own != law)
        if said:
            fits = f'psi.load("{law}") fits it' if law else "no shipped law fits it"
            assert said[0].known == f"the law is for {own}, {fits}"
            assert said[0].seen.startswith(name)


def test_a_subclass_is_its_base_s_kin() -> None:
    assert recognise(["MyOwn", "Adam", "Optimizer", "object"], {}).law == "adam"


@pytest.mark.parametrize(
    ("optimizer", "name", "outside"),
    [("lion", "Lion", False), ("lion", "Adam", True), ("lion", "Sophia", False),
     ("my-own", "MyOwn", False)],
)  # fmt: skip
def test_a_law_of_another_optimizer(optimizer: str, name: str, outside: bool) -> None:
    from dataclasses import replace

    law = replace(psi.load("adam"), optimizer=optimizer)
    assert bool(outside_optimizer(law, recognise([name], {}))) == outside


def test_the_page_lists_the_kin() -> None:
    page = PAGE.read_text()
    for law, names in KIN.items():
        row = next(line for line in page.splitlines() if line.startswith(f"| `{law}`"))
        assert row == f"| `{law}` | {', '.join(names)} |"
