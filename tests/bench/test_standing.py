"""The table of a run of a suite, from records that are made by hand."""

import numpy as np
import pytest

from psi.bench.contestants import TUNED
from psi.bench.standing import cells, price, profiles_of, standings, standings_of
from psi.bench.suite_runs import REFERENCE, final_runs
from psi.lab.data import store
from tests.bench.suite_folder import DOMAINS, NOISE, by_hand, part


@pytest.fixture
def folder(tmp_path):
    return by_hand(tmp_path)


def test_regrets_and_shares_are_those_by_hand(folder):
    rows = {row.method: row for row in standings(folder)}

    def y(loss):
        return np.log(np.clip((loss + NOISE).mean(1), 0, 2) + 0.01)

    np.testing.assert_allclose(rows["Ψ half"].regret, (y(0.1) - y(0.3)).mean(), rtol=1e-9)
    assert rows["Ψ half"].low < rows["Ψ half"].regret < rows["Ψ half"].high < 0
    assert rows["Ψ half"].p < 0.05
    assert rows["Ψ half"].better == 1.0
    assert rows["dog"].regret > 0  # it brings its own optimizer, and stands here all the same
    assert rows["Ψ dead"][rows["Ψ dead"]._fields.index("accuracy") :][:3] == (0, 0, np.inf)
    np.testing.assert_allclose(rows["Ψ dead"].regret, np.log(2.01) - y(0.3).mean(), rtol=1e-9)
    assert rows[REFERENCE].regret == 0
    assert np.isnan(rows[REFERENCE].p)
    regrets = [row.regret for row in standings(folder)]
    assert regrets == sorted(regrets)


def test_few_domains_give_figures_without_intervals(folder):
    for path in [*folder.rglob("part-*-00[0-2]-*")]:
        path.unlink()
    rows = {row.method: row for row in standings(folder)}
    assert rows["Ψ half"].regret < 0
    assert np.isnan([rows["Ψ half"].low, rows["Ψ half"].high, rows["Ψ half"].p]).all()


def test_p_is_corrected_beside_the_reference_alone(folder):
    """Holm's smallest p-value of n comparisons is n times that of one."""
    ends = final_runs(folder)
    kept = ends[ends.method.isin([REFERENCE, "Ψ half", "dog"])]
    alone = ends[ends.method.isin([REFERENCE, "Ψ half"])]
    corrected, plain = (
        next(row.p for row in standings_of(part) if row.method == "Ψ half")
        for part in (kept, alone)
    )
    assert corrected == pytest.approx(2 * plain)
    beside = {row.method: row for row in standings_of(kept, "dog")}
    assert beside["dog"].regret == 0
    assert np.isnan(beside["dog"].p)
    other = standings_of(ends[ends.method.isin(["dog", "Ψ half"])], "dog")[0]
    assert beside["Ψ half"].p == other.p
    with pytest.raises(ValueError, match="unknown method that ran on every task 'cosine'"):
        standings_of(ends, "cosine")


def searched(folder):
    """Losses 0.3, 0.2, 0.15 after 3, 10 and 30 runs; the reference ends at 0.25."""
    with store.locked(folder):
        store.open_config(folder, {"suite": "by hand"})
        for task in range(DOMAINS):
            part(folder, task, "linear" + TUNED, 0.25, tuning_score=-1, runs=340)
            for runs, loss in ((3, 0.3), (10, 0.2), (30, 0.15)):
                part(folder, task, f"random search, {runs} runs", loss, runs=runs)
            for name, loss in (("Ψ a", 0.1), ("Ψ b", 0.18), ("Ψ c", 0.25), ("Ψ d", 0.35)):
                part(folder, task, name, loss)
    return standings(folder)


def test_the_price_is_the_smallest_search_that_is_as_good(tmp_path):
    rows = searched(tmp_path)
    prices = {row.method: row.price for row in rows}
    assert [prices[f"Ψ {name}"] for name in "abcd"] == [np.inf, 30, 10, 3]
    assert [prices[f"random search, {n} runs"] for n in (3, 10, 30)] == [3, 10, 30]
    shown = {cell[1]: cell[9] for cell in cells(rows)}
    assert [shown[f"Ψ {name}"] for name in "abcd"] == [">30", "30", "10", "≤3"]
    assert {row.method: row.kind for row in rows}["random search, 3 runs"] == "search"
    assert np.isnan(price(0.0, {}))


def test_profiles_count_tasks_of_laws_the_best_rule_and_tuned_schedules(folder):
    ends = final_runs(folder)
    found = profiles_of(ends, standings_of(ends)).set_index("method")
    tuned = {name + TUNED for name in ("constant", "linear", "cosine")}
    assert set(found.index) == {"Ψ half", "Ψ dead", "dog", *tuned}
    regret = np.log(0.41) - np.log(0.31)  # noise moves it by a few hundredths
    dog = found.loc["dog"]
    assert (dog.share[dog.tau < regret - 0.1] == 0).all()
    assert (dog.share[dog.tau > regret + 0.1] == 1).all()
    assert (dog.low <= dog.share).all()
