"""What paper/feedback says is in its tables."""

import re
from pathlib import Path

import pandas as pd
import pytest

import psi
from psi.fit.feedback.domains import VALIDATION
from psi.fit.feedback.fit import FACTS
from psi.fit.feedback.judging import summary

FOLDER = Path(__file__).parents[1] / "paper" / "feedback"
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8").replace("−", "-")
_, *PARTS = re.split(r"^## (.*)$", PAGE, flags=re.M)
SECTIONS = {title.strip("`"): text for title, text in zip(PARTS[::2], PARTS[1::2], strict=True)}
OPTIMIZERS = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())
LAWS = [name for name in OPTIMIZERS if (FOLDER / name / "law.json").exists()]
SEARCHES = ["search 1", "search 2"]


def table(optimizer: str, name: str) -> pd.DataFrame:
    return pd.read_csv(FOLDER / optimizer / f"{name}.csv")


def chosen(optimizer: str) -> pd.Series:
    return table(optimizer, "summary").sort_values("regret").iloc[0]


def labels(optimizer: str) -> list[str]:
    return re.findall(r"^\| ([\w ]+) \| -?\d", SECTIONS[optimizer], re.M)


@pytest.mark.parametrize(
    ("optimizer", "label"), [(o, row) for o in OPTIMIZERS for row in labels(o)]
)
def test_a_row_of_the_table_is_that_of_the_file(optimizer, label):
    row = table(optimizer, "summary").set_index("candidate").loc[label]
    (line,) = re.findall(rf"^\| {label} \|(.*)\|$", SECTIONS[optimizer], re.M)
    shown = [float(each) for each in re.findall(r"-?\d+\.\d\d", line)]
    more = [] if label == FACTS else ["more", "more_low", "more_high"]
    names = ["regret", "low", "high", *more, "fixed", "streams", "worst"]
    assert shown == pytest.approx([row[name] for name in names], abs=0.00501)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_candidate_is_shown_and_the_summary_is_that_of_the_tasks(optimizer):
    kept, tasks = table(optimizer, "summary"), table(optimizer, "regrets")
    assert kept.candidate.tolist() == labels(optimizer)
    again = summary(tasks, FACTS)
    for name in ("regret", "low", "high", "fixed", "streams", "won", "worst", "more"):
        assert again[name].tolist() == pytest.approx(kept[name].tolist(), abs=2e-3)
    assert f"{len(tasks)} tasks of {tasks.domain.nunique()} domains" in SECTIONS[optimizer]
    assert {*tasks.domain} == VALIDATION


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_domains_that_are_named_have_these_regrets(optimizer):
    best = str(chosen(optimizer).candidate)
    means = table(optimizer, "regrets").groupby("domain")[[FACTS, best]].mean()
    said = re.findall(r"`([\w/-]+)` (-?\d\.\d\d) → (-?\d\.\d\d)", SECTIONS[optimizer])
    for domain, before, after in said:
        assert [float(before), float(after)] == pytest.approx(means.loc[domain], abs=0.00501)
    change = means[best] - means[FACTS]
    worse = {domain for domain, before, after in said if float(after) > float(before)}
    assert {*change[change > 0.01].index} == worse


def test_what_the_searches_agree_on_under_adam():
    found = table("adam", "constants").set_index("candidate").loc[SEARCHES]
    assert found.v_above.round(1).tolist() == [-0.6, -0.6]
    assert found.v_step.round(1).tolist() == [0.5, 0.5]
    assert found.v_stalled.between(-0.31, -0.15).all()
    assert found.leak.round(1).tolist() == [0.2, 0.2]


@pytest.mark.parametrize("optimizer", LAWS)
def test_the_law_that_was_chosen_has_the_constants_of_its_row(optimizer):
    law, best = psi.load(FOLDER / optimizer / "law.json"), chosen(optimizer)
    assert law.optimizer == optimizer
    row = table(optimizer, "constants").set_index("candidate").loc[best.candidate]
    assert law.feedback is not None
    assert law.feedback.keep == pytest.approx(1 - row.leak, rel=1e-3)
    for name, value in row.items():
        if str(name).startswith("v_"):
            assert f"{abs(value):.4g}" in str(law), name
    means = [score.value for score in law.scores if "chosen on" in score.name]
    assert means == pytest.approx([best.regret, best.low, best.high], abs=1e-4)
