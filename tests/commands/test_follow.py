"""`psi show LAW --run TASK`: the run of the engine, with its rates explained."""

import json
from dataclasses import replace

import jax
import numpy as np
import pytest

import psi
from psi.cli import run
from psi.commands.follow import follow, hyper_of
from psi.lab.engine.policy import law_policy
from psi.lab.engine.population import population
from psi.lab.engine.work import Layout
from psi.lab.tasks.table import make_task
from psi.law.law import Law, Range
from tests.law.conftest import LAWS

WORDS = ("epochs=4", "width=8")


@pytest.mark.parametrize("law", [psi.load("adam"), LAWS["feedback"]()], ids=["facts", "feedback"])
def test_the_rates_are_those_of_the_engine(law: Law) -> None:
    made = follow(law, "wine", WORDS)
    task = make_task("wine", psi.Hyper(epochs=4, width=8, optimizer="adam"))
    policy = law_policy(law, 4)
    runs = population(
        task, lambda _: policy, np.zeros((1,)), np.array([0]), jax.random.key(0), Layout(1, 1)
    )
    np.testing.assert_allclose(made.course.rate, runs.lr[0, 0], rtol=2e-5)
    np.testing.assert_allclose(made.val_losses, runs.val_loss[0, 0], rtol=1e-6)
    np.testing.assert_allclose(made.course.parts.limits, 1.0, rtol=1e-5)


def test_a_law_of_the_first_gradient_is_followed() -> None:
    made = follow(psi.load("sgd"), "wine", WORDS)
    assert np.isfinite(made.course.rate).all()
    assert "initial_grad_norm" in made.last


def test_the_command_prints_draws_and_gives_numbers(tmp_path, capsys) -> None:
    path = tmp_path / "run.png"
    assert run(["show", "adam", "--run", "wine", "--hyper", *WORDS, "--png", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "adam on wine" in printed
    assert "(scale: of parameters" in printed
    assert path.stat().st_size > 10_000
    assert run(["show", "adam", "--run", "wine", "--hyper", *WORDS, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["rate"]) == len(found["val_loss"]) == len(found["parts"]["shape"]) == 4


def test_a_run_that_diverges_is_shown(tmp_path, capsys) -> None:
    law = replace(psi.load("momentum"), rates=Range(1e9, 1e9))
    law.save(tmp_path / "wild.json")
    words = [
        "show",
        str(tmp_path / "wild.json"),
        "--run",
        "diabetes",
        "--hyper",
        "epochs=4",
        "--json",
    ]
    assert run(words) == 0
    assert json.loads(capsys.readouterr().out)["val_loss"][-1] is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--run", "wine", "--latex"], "--latex and --python are not of a run"),
        (["--hyper", "width=3"], "hyperparameters are of --run TASK"),
        (["--run", "wine", "--hyper", "size=3"], "unknown hyperparameter 'size'"),
        (["--run", "wine", "--hyper", "width"], "NAME=VALUE"),
        (["--run", "wine", "--epochs", "3", "--hyper", "epochs=4"], "each once"),
        (["--run", "wine", "--hyper", "width=x"], "width cannot be 'x'"),
        (["--run", "nowhere"], "nowhere"),
    ],
)
def test_mistakes_are_one_line(words, said, capsys) -> None:
    assert run(["show", "adam", *words]) == 2
    assert said in capsys.readouterr().err


def test_words_are_read_by_the_kind_of_their_field() -> None:
    made = hyper_of(["epochs=5", "weight_decay=0.1", "normalised=yes", "network=cnn"], "sgd")
    assert made == psi.Hyper(5, "sgd", weight_decay=0.1, normalised=True, network="cnn")
