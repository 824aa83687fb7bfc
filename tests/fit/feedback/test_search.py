"""A search goes on where it was stopped, to the same bits, and finds what is there to find."""

from dataclasses import replace

import numpy as np
import pytest

import psi
from psi.fit.feedback import search as search_module
from psi.fit.feedback.family import Family
from psi.fit.feedback.search import SearchConfig, search
from psi.lab.data.folder import alone_in

HELD = ("level", "of_budget", "power")
CONFIG = SearchConfig(generations=4, lanes=6, inputs=("v_above", "v_step"), held=HELD)


@pytest.mark.slow
def test_a_stopped_search_goes_on_to_the_same_bits(pool, tmp_path, monkeypatch) -> None:
    family, train = Family(psi.load("adam"), CONFIG.inputs), pool.take(~pool.validation)
    whole = search(train, family, family.start, CONFIG, tmp_path / "whole")
    written = []

    def stopping(path, *rest):
        kept(path, *rest)
        written.append(path)
        if len(written) == 2:
            raise KeyboardInterrupt

    kept = search_module._write
    monkeypatch.setattr(search_module, "_write", stopping)
    with pytest.raises(KeyboardInterrupt):
        search(train, family, family.start, CONFIG, tmp_path / "stopped")
    monkeypatch.setattr(search_module, "_write", kept)
    again = search(train, family, family.start, CONFIG, tmp_path / "stopped")
    for one, other in zip(whole, again, strict=True):
        np.testing.assert_array_equal(one, other)
    held = [family.constants.index(name) for name in CONFIG.held]
    assert (whole.centres[:, held] == family.start[held]).all()
    moved = np.setdiff1d(np.arange(len(family.start)), held)
    assert (whole.centres[-1, moved] != family.start[moved]).any()
    with pytest.raises(ValueError, match="holds another search"):
        search(train, family, family.start, replace(CONFIG, seed=1), tmp_path / "whole")


@pytest.mark.parametrize("method", ["cma", "snes", "openes"])
def test_a_search_goes_to_the_lowest(method, pool, tmp_path, monkeypatch) -> None:
    family = Family(psi.load("adam"), ("v_above",))
    place = family.constants.index("v_above")

    def bowl(some, plan, lanes, seeds):
        return np.broadcast_to((lanes[:, place] - 0.25) ** 2, (len(some.entries), len(lanes)))

    monkeypatch.setattr(search_module, "losses", bowl)
    monkeypatch.setattr(search_module, "scored", lambda _, losses: losses)
    config = SearchConfig(generations=60, lanes=12, inputs=("v_above",), method=method)
    found = search(pool, family, family.start, config, tmp_path)
    assert found.constants[place] == pytest.approx(0.25, abs=0.05)


def test_a_descent_waits_at_a_limit(pool, tmp_path, monkeypatch) -> None:
    """A step beyond a limit is taken back: one step the other way leaves it at once."""
    family = Family(psi.load("adam"), ("v_above",))
    leak, steps = family.constants.index("leak"), iter([-50.0, -50.0, 1.0])

    def descended(state, some, plan, at, directions, seed):
        return state._replace(z=state.z + next(steps)), 0.0

    monkeypatch.setattr(search_module, "descended", descended)
    held = tuple(name for name in family.constants if name != "leak")
    config = SearchConfig(generations=3, inputs=("v_above",), method="gradient", held=held)
    found = search(pool, family, family.start, config, tmp_path)
    spread = family.spreads[leak]
    assert found.centres[:, leak] == pytest.approx([0.0, 0.0, spread], abs=1e-7)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("generations", 1),
        ("lanes", 2),
        ("spread", 0.0),
        ("operations", -1.0),
        ("method", "grad"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(field, value) -> None:
    # Where shapes are checked, types are too, before the rule is.
    with pytest.raises((ValueError, TypeError), match=field):
        replace(SearchConfig(), **{field: value})


def test_a_folder_has_one_search_at_a_time(pool, tmp_path) -> None:
    family = Family(psi.load("adam"), CONFIG.inputs)
    busy = pytest.raises(ValueError, match="is being written by another run")
    with alone_in(tmp_path), busy:
        search(pool, family, family.start, CONFIG, tmp_path)
    with alone_in(tmp_path):  # the lock is free again
        assert [each.name for each in tmp_path.iterdir()] == [".lock"]


def test_a_constant_that_is_held_must_be_one(pool, tmp_path) -> None:
    family = Family(psi.load("adam"))
    with pytest.raises(ValueError, match="unknown constant 'lvl'"):
        search(pool, family, family.start, SearchConfig(held=("lvl",)), tmp_path)
