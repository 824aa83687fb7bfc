"""What paper/feedback says is in its tables."""

import re
from pathlib import Path

import pandas as pd
import pytest

from psi.fit.feedback.domains import VALIDATION
from psi.fit.feedback.judging import summary

FOLDER = Path(__file__).parents[1] / "paper" / "feedback"
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8").replace("−", "-")
LABELS = re.findall(r"^\| ([\w ]+) \| \d", PAGE, re.M)


def table(name: str) -> pd.DataFrame:
    return pd.read_csv(FOLDER / "adam" / f"{name}.csv")


@pytest.mark.parametrize("label", LABELS)
def test_a_row_of_the_table_is_that_of_the_file(label):
    row = table("summary").set_index("candidate").loc[label]
    (line,) = re.findall(rf"^\| {label} \|(.*)\|$", PAGE, re.M)
    shown = [float(each) for each in re.findall(r"-?\d+\.\d\d", line)]
    more = [] if label == "facts alone" else ["more", "more_low", "more_high"]
    names = ["regret", "low", "high", *more, "fixed", "streams", "worst"]
    assert shown == pytest.approx([row[name] for name in names], abs=0.00501)


def test_every_candidate_is_shown_and_the_summary_is_that_of_the_tasks():
    kept, tasks = table("summary"), table("regrets")
    assert kept.candidate.tolist() == LABELS
    again = summary(tasks, "facts alone")
    for name in ("regret", "low", "high", "fixed", "streams", "won", "worst", "more"):
        assert again[name].tolist() == pytest.approx(kept[name].tolist(), abs=2e-3)
    assert f"{len(tasks)} tasks of {tasks.domain.nunique()} domains" in PAGE
    assert {*tasks.domain} == VALIDATION


def test_the_domains_that_are_named_have_these_regrets():
    means = table("regrets").groupby("domain")[["facts alone", "search 2"]].mean()
    said = re.findall(r"`([\w/-]+)` (-?\d\.\d\d) → (-?\d\.\d\d)", PAGE)
    assert len(said) == 5
    for domain, before, after in said:
        assert [float(before), float(after)] == pytest.approx(means.loc[domain], abs=0.00501)
    change = means["search 2"] - means["facts alone"]
    assert {*change[change > 0.01].index} == {domain for domain, *_ in said[:2]}


def test_what_the_searches_agree_on():
    found = table("constants").set_index("candidate").loc[["search 1", "search 2"]]
    assert found.v_above.round(1).tolist() == [-0.6, -0.6]
    assert found.v_step.round(1).tolist() == [0.5, 0.5]
    assert found.v_stalled.between(-0.31, -0.15).all()
    assert found.leak.round(1).tolist() == [0.2, 0.2]
