"""From a pool to a law: what is searched, what is compared, and what becomes the law."""

import numpy as np
import pandas as pd
import pytest

import psi
from psi.fit.feedback import fit as fit_module
from psi.fit.feedback.fit import FACTS, HAND, MEAN, constants_of, fit_feedback
from psi.fit.feedback.search import SearchConfig, Searched

CONFIG = SearchConfig(generations=2, lanes=8, inputs=("v_above",), seed=3)


def test_the_best_on_validation_domains_becomes_the_law(pool, tmp_path, monkeypatch) -> None:
    searched, compared = [], []

    def search(own, family, start, config, folder, report):
        searched.append((config.seed, folder.name, {each.domain for each in own.entries}))
        found = start + 0.1 * config.seed
        return Searched(found, found[None], np.zeros(1))

    def judge(own, family, candidates, lanes, seeds, report):
        compared.append({each.domain for each in own.entries})
        table = pd.DataFrame({"task": [0, 1], "domain": ["x", "y"], "stream": [False, True]})
        return table.assign(
            **{name: [0.1 * k, 0.3 * k] for k, name in enumerate([*candidates][::-1])}
        )

    monkeypatch.setattr(fit_module, "search", search)
    monkeypatch.setattr(fit_module, "judge", judge)
    made = fit_feedback(pool, psi.load("adam"), CONFIG, 2, tmp_path)
    assert [each[:2] for each in searched] == [(3, "seed-3"), (4, "seed-4")]
    assert not compared[0] & searched[0][2]
    assert made.constants.candidate.tolist() == [FACTS, HAND, "search 1", "search 2", MEAN]
    assert made.chosen == MEAN
    rows = made.constants.set_index("candidate")
    assert rows.loc[MEAN].tolist() == pytest.approx(
        ((rows.loc["search 1"] + rows.loc["search 2"]) / 2).tolist()
    )
    scores = {score.name: score.value for score in made.law.scores}
    assert scores["regret on validation domains, mean"] == 0.0
    assert made.law.feedback is not None


def test_given_constants_are_put_by_name() -> None:
    family = fit_module.Family(psi.load("adam"), ("v_above",))
    made = dict(
        zip(family.constants, constants_of(family, {"v_above": -1.0, "no": 3.0}), strict=True)
    )
    assert (made["v_above"], made["power"], made["leak"]) == (-1.0, 1.0, 0.02)


def test_domains_of_both_kinds_are_needed(pool, tmp_path) -> None:
    for some in (pool.take(pool.validation), pool.take(~pool.validation)):
        with pytest.raises(ValueError, match="validation domains and of others"):
            fit_feedback(some, psi.load("adam"), CONFIG, 1, tmp_path)
