"""A range test's own random states: seeded once, going on, and never seen from outside."""

import random
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from psi.advice.randomness import global_sources, own_randomness, source  # noqa: E402

GENERATORS = {
    "python": lambda: random.Random(5),
    "numpy": lambda: np.random.default_rng(5),
    "numpy, Philox": lambda: np.random.Generator(np.random.Philox(5)),
    "numpy, legacy": lambda: np.random.RandomState(5),
    "torch": lambda: torch.Generator().manual_seed(5),
}


def draw(generator: Any) -> float:
    if isinstance(generator, torch.Generator):
        return float(torch.rand((), generator=generator))
    return float(generator.random() if hasattr(generator, "random") else generator.rand())


@pytest.mark.parametrize("name", GENERATORS)
def test_a_generator_is_lent_and_given_back(name: str) -> None:
    generator, same = GENERATORS[name](), GENERATORS[name]()
    lent = source(generator)
    assert lent is not None
    draws = []
    for seed in (1, 1, 2):
        own = own_randomness(seed, [lent])
        for _ in range(2):
            with own():
                draws.append(draw(generator))
    assert draws[:2] == draws[2:4]
    assert len(set(draws)) == 4
    assert draw(generator) == draw(same)


def test_what_raises_gives_back_too() -> None:
    generator, same = random.Random(5), random.Random(5)
    lent = source(generator)
    assert lent is not None

    def fails() -> None:
        with own_randomness(0, [lent])():
            generator.random()
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert generator.random() == same.random()


def test_the_global_ones_are_python_s_numpy_s_and_torch_s() -> None:
    own = own_randomness(7, global_sources())
    before = random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()  # noqa: NPY002
    with own():
        found = random.random(), np.random.random(), float(torch.rand(()))  # noqa: NPY002
    after = random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()  # noqa: NPY002
    assert after == before
    expected = (
        random.Random(7).random(), np.random.RandomState(7).random(),
        float(torch.rand((), generator=torch.Generator().manual_seed(7))),
    )  # fmt: skip
    assert found == expected


def test_other_objects_are_no_sources() -> None:
    assert source(3) is None
