"""`psi compare` on a table of one's own: what it says, keeps, and refuses."""

import json

import pytest

from psi.commands.compare import FOOTER
from tests.bench.test_comparing import write

SMALL = ["--epochs=3", "--width=4"]


@pytest.fixture
def mine(tmp_path):
    """The table mine.csv, there before `refused` looks."""
    write(tmp_path / "mine.csv")


def test_a_dry_run_says_what_would_be_trained_and_writes_nothing(mine, run, tmp_path):
    asked = ["compare", "adam", "--tasks", "mine.csv", "wine", "--methods", "step", *SMALL]
    code, out, err = run(*asked, "--out", "x", "--dry-run")
    assert (code, err) == (0, "")
    assert "│ y      │ categories │      │ the target: classification, 2 classes" in out
    who = "constant; linear; cosine; step; constant, tuned; linear, tuned; cosine, tuned; Ψ adam"
    assert out.splitlines()[-3:] == [
        f"adam: {who}", "  on mine.csv, wine",
        f"jobs: 2, of which done: 0; networks to train: {2 * (80 + 3 * 17 * 20):,} or more; "
        "nothing was written",
    ]  # fmt: skip
    assert not (tmp_path / "x").exists()
    _, out, _ = run(*asked, "--dry-run", "--json")
    found = json.loads(out)
    assert found["runs"] == 2200
    assert found["tables"]["mine.csv"]["rows"] == 90


REFUSED = [
    (["nope"], ["nope: no such file, nor a shipped law"]),
    (["adam", "--optimizers", "sgd"], ["law adam is for adam", "asked for: sgd"]),
    (["CUT.json"], ["CUT.json"]),
    (["--methods", "liner"], ["unknown baseline 'liner'"]),
    (["--optimizers", "adma"], ["unknown optimizer 'adma'"]),
    (["--optimizer", "adam"], ["--optimizers"]),
    (["--target", "z"], ["mine.csv: no column is named 'z'; columns: a, b, c, y"]),
    (["--epochs", "0"], ["got 0"]),
    (["--figure", "x.pdf"], [".png", "x.pdf"]),
    (["--methods"], ["--methods needs a value"]),
    (["--tasks", "none.csv"], ["none.csv"]),
    (["--tasks", "FILE"], ["unknown data set 'FILE'"]),
    (["--tasks", "mine.csv", "EMPTY/../mine.csv"], ["several tasks would be called mine"]),
]


@pytest.mark.parametrize(("arguments", "words"), REFUSED, ids=lambda each: " ".join(each))
def test_a_mistake_is_one_line_and_exit_2(arguments, words, mine, refused):
    laws = [each for each in arguments[:1] if not each.startswith("--")]
    named = [] if "--tasks" in arguments else ["--tasks", "mine.csv"]
    refused(["compare", *laws, *named, *arguments[len(laws) :]], words)


def test_tasks_are_needed(refused):
    refused(["compare", "adam"], ["--tasks"])


@pytest.mark.slow
def test_a_law_is_compared_drawn_and_the_same_command_goes_on(mine, run, tmp_path):
    asked = ["compare", "adam", "--tasks", "mine.csv", *SMALL, "--methods", "prodigy"]
    code, out, err = run(*asked, "--figure", "x.png")
    assert code == 0, err
    assert "training networks 1100/1100, 0.0 min left" in err
    assert FOOTER in out
    assert out.splitlines()[-1].startswith("On mine with adam, ")
    assert (tmp_path / "x.png").stat().st_size > 10_000
    assert {path.name for path in tmp_path.iterdir()} >= {"mine.csv", "x.png"}
    code, out, _ = run(*asked, "--out", "kept", "--json")
    (found,) = json.loads(out)["comparisons"]
    assert {row["method"] for row in found["rows"]} >= {"tuned reference", "Ψ adam", "prodigy"}
    code, out, err = run(*asked, "--out", "kept", "--json")
    assert json.loads(out)["comparisons"] == [found]
    assert "1100/1100" in err
    write(tmp_path / "mine.csv", seed=2)
    code, out, err = run(*asked, "--out", "kept")
    assert (code, out) == (2, "")
    assert "psi: kept holds runs on other tasks or data" in err
