"""What a law costs: that it is measured, in turns; how much it is belongs to the machine."""

import time

import pytest

from psi.bench.speed.scheduler import LARGE, SMALL, _parameters, bench_scheduler, in_turns, network
from psi.law.trial import trial


def test_a_difference_is_that_of_two_programs_in_turns():
    said = []

    def sleeps(name, seconds):
        def run(calls):
            said.append(name)
            time.sleep(seconds * calls)

        return run

    more, base = in_turns(sleeps("a", 0.006), sleeps("b", 0.002), blocks=4, calls=2)
    assert more == pytest.approx(0.004, rel=0.5)
    assert base == pytest.approx(0.002, rel=0.5)
    assert "".join(said) == "ab" + "ba" + "ab" + "ba" + "ab"


@pytest.mark.slow
def test_every_cost_is_a_row_with_its_limit():
    pytest.importorskip("torch")
    rows = bench_scheduler(quick=True)
    assert [row.problem for row in rows] == [
        "torch, formula", "torch, network", "optax, formula", "optax, formula",
        "optax, network", "optax, network", "loading",
    ]  # fmt: skip
    assert [row.truth for row in rows] == [50e-6, 100e-6, 10e-6, 0.01, 10e-6, 0.01, 0.2]
    assert all(row.ok == (row.estimate <= row.truth) for row in rows)


def test_the_networks_are_those_it_names():
    assert _parameters(SMALL) == 64 * 32 + 32 + 32 * 10 + 10
    assert _parameters(LARGE) == pytest.approx(3e6, rel=0.02)
    assert trial(network()).ok
