"""From an atlas to a law: what is searched, what is compared, and what becomes the law."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import psi
from psi.fit.feedback import fit as fit_module
from psi.fit.feedback.domains import VALIDATION
from psi.fit.feedback.fit import (
    FACTS,
    HAND,
    MEAN,
    SHAPE,
    apart,
    check,
    constants_of,
    facts_law,
    fit_feedback,
    without_budget,
)
from psi.fit.feedback.search import SearchConfig, Searched
from psi.fit.scale.choice import candidates
from psi.fit.scale.facts import FactSet
from psi.fit.scale.table import read_atlas
from psi.schedulers.optax import scale_by_psi
from tests.fit.feedback.conftest import ATLAS, free_of

CONFIG = SearchConfig(generations=2, lanes=8, inputs=("v_above",), seed=3, operations=1.1e7)


def test_the_best_on_validation_domains_becomes_the_law(pool, tmp_path, monkeypatch) -> None:
    searched, compared, fitted = [], [], []

    def fit_scale(atlas, optimizer, tried=None, level=1.0):
        fitted.append(({*atlas.tasks.domain}, level))
        law = psi.load(optimizer)
        return type("Fit", (), {"law": law})

    def search(own, family, start, config, folder, report):
        searched.append((config.seed, folder.name, {each.domain for each in own.entries}))
        moved = np.array([name not in config.held for name in family.constants])
        found = start + 0.1 * config.seed * moved
        return Searched(found, found[None], np.zeros(1))

    def judge(own, judged, lanes, seeds, report):
        ((_, candidates),) = judged
        compared.append({each.domain for each in own.entries})
        table = pd.DataFrame({"task": [0, 1], "domain": ["x", "y"], "stream": [False, True]})
        made = {name: [0.1 * k, 0.3 * k] for k, name in enumerate([*candidates][::-1])}
        return table.assign(**made)

    for name, function in (("fit_scale", fit_scale), ("search", search), ("judge", judge)):
        monkeypatch.setattr(fit_module, name, function)
    made = fit_feedback(read_atlas(ATLAS), pool, CONFIG, 2, tmp_path, level=1.8)
    assert [each[:2] for each in searched] == [
        (3, "level-and-shape"), (3, "search-1"), (4, "search-2"),
    ]  # fmt: skip
    for domains in (searched[0][2], searched[1][2], fitted[0][0]):
        assert not VALIDATION & domains
    assert compared[0] <= VALIDATION <= fitted[1][0]
    assert [level for _, level in fitted] == [1.0, 1.8]
    names = [FACTS, HAND, SHAPE, "search 1", "search 2", MEAN]
    assert made.constants.candidate.tolist() == names
    assert made.chosen == MEAN
    rows = made.constants.set_index("candidate")
    middle = rows.loc[["search 1", "search 2"]].mean()
    assert rows.T[MEAN].tolist() == pytest.approx(middle.tolist())
    assert rows.loc[SHAPE, "power"] == pytest.approx(1.3)
    assert rows.loc[SHAPE, "v_above"] == 0
    scores = {score.name: score.value for score in made.law.scores}
    assert scores["regret on the domains that it was chosen on, mean"] == 0.0
    assert made.law.feedback is not None


def test_without_a_budget_the_scale_knows_none_and_level_and_decay_are_searched(
    pool, tmp_path, monkeypatch
) -> None:
    few, held = candidates((FactSet("some", ("parameters", "stream")),), (0.1,), ("constant",)), []
    monkeypatch.setattr(fit_module, "without_budget", lambda _: few)

    def search(own, family, start, config, folder, report):
        held.append((folder.name, config.held))
        return Searched(start - 0.1 * ("search" in folder.name), start[None], np.zeros(1))

    def judge(own, judged, lanes, seeds, report):
        (known, facts), (free, found) = judged
        assert known.knows_budget
        assert not free.knows_budget
        table = pd.DataFrame({"task": [0, 1], "domain": ["x", "y"], "stream": [False, True]})
        made = {name: [0.1 * k, 0.3 * k] for k, name in enumerate([*facts, *[*found][::-1]])}
        return table.assign(**made)

    whole = fit_module.fit_scale

    def fit_scale(atlas, optimizer, tried=None, level=1.0):
        law = psi.load(optimizer)
        if tried is None:
            return type("Fit", (), {"law": law})
        return whole(atlas, optimizer, tried=tried, level=level, resamples=2)

    for name, function in (("fit_scale", fit_scale), ("search", search), ("judge", judge)):
        monkeypatch.setattr(fit_module, name, function)
    made = fit_feedback(read_atlas(ATLAS), pool, CONFIG, 1, tmp_path, budget=False)
    assert [name for name, _ in held] == ["level-and-shape", "search-1"]
    assert not {"level", "decay"} & {*held[0][1]}
    assert held[1][1] == ()
    assert made.constants.candidate.tolist()[0] == "facts without T"
    # The best is not sought among laws that know T, which are beside it in the table.
    assert (made.summary.regret.idxmin(), made.chosen) == (0, MEAN)
    assert not {"budget", "progress"} & {*made.law.features}
    assert "(1 + epoch/20)^0.1" in str(made.law)
    state: Any = scale_by_psi(made.law, steps_per_epoch=4).init(jnp.zeros(9))  # without epochs
    assert state.learning_rate > 0


@pytest.mark.parametrize("budget", [True, False])
def test_facts_that_lack_t_or_have_it_where_they_should_not_are_refused(
    budget, monkeypatch
) -> None:
    other = psi.load("adam") if not budget else free_of(psi.load("adam"))
    given = type("Fit", (), {"law": other})
    monkeypatch.setattr(fit_module, "fit_scale", lambda *_, **__: given)
    with pytest.raises(ValueError, match=f"facts {'but' if budget else 'and'} T were chosen"):
        facts_law(read_atlas(ATLAS), "adam", budget=budget)


def test_facts_without_a_budget_are_of_constant_rates() -> None:
    found = without_budget("adam")
    assert {each.schedule for each in found} == {"constant"}
    assert all("stream" in each.facts.facts and "budget" not in each.facts.facts for each in found)
    assert not any("budget" in each.facts.name for each in found if "P, stream" in each.facts.name)


def test_tasks_apart_are_of_no_validation_domain() -> None:
    whole = read_atlas(ATLAS)
    some = apart(whole)
    assert {*some.tasks.domain} == {*whole.tasks.domain} - VALIDATION
    assert {*some.runs.task} <= {*some.tasks.task}


def test_given_constants_are_put_by_name() -> None:
    family = fit_module.Family(psi.load("adam"), ("v_above",))
    given = constants_of(family, {"v_above": -1.0, "no": 3.0})
    made = dict(zip(family.constants, given, strict=True))
    assert (made["v_above"], made["power"], made["leak"]) == (-1.0, 1.0, 0.02)


def test_what_could_not_be_finished_is_not_begun(pool) -> None:
    check(pool, CONFIG, 2)
    for some in (pool.take(pool.validation), pool.take(~pool.validation)):
        with pytest.raises(ValueError, match="two validation domains and two others"):
            check(some, CONFIG, 1)
    for seeds in (0, 4):
        with pytest.raises(ValueError, match="seeds must be 1"):
            check(pool, CONFIG, seeds)
    with pytest.raises(ValueError, match="seeds × generations must be <= 10000"):
        check(pool, SearchConfig(generations=6000), 2)
