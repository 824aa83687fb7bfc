"""`psi fit`: what it refuses, the law it writes, and the command that makes it again."""

import json
import shlex
from pathlib import Path

import pandas as pd
import pytest

import psi
from psi.commands.fit import FitCommand
from psi.fit.config import FitConfig
from psi.lab.data import kept
from tests.commands.conftest import SAMPLE


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["EMPTY", "--out", "x.json"], ["EMPTY", "no records"]),
        (["EMPTY", "--out", "x.json", "--kind", "oracle"], ["oracle", "curve"]),
        (
            [SAMPLE, "--out", "x.json", "--family", "parabola"],
            ["unknown family of loss_ratio and progress 'parabola'; closest of 108: "],
        ),
        (
            [SAMPLE, "--out", "x.json", "--features", "raw", "--family", "linear"],
            ["unknown family of loss and epoch 'linear'"],
        ),
        (
            [SAMPLE, "--out", "x.safetensors", "--kind", "network", "--family", "linear"],
            ["a network has no family"],
        ),
        ([SAMPLE, "--out", "x.json", "--features", "scaled"], ["scaled", "raw", "relative"]),
        ([SAMPLE, "--out", "x.json", "--optimizer", "lion"], ["lion", "momentum"]),
        (
            [SAMPLE, "--out", "x.json", "--optimizer", "adam"],
            ["was trained with sgd, got optimizer adam"],
        ),
        (
            [SAMPLE, "--out", "x.json", "--kind", "symbolic"],
            ["needs >= 20 usable cells", "got 8 of 12", "--cells"],
        ),
        ([SAMPLE, "--out", "x.json", "--hold-out", "cifar"], ["cifar", "teacher, wine"]),
        ([SAMPLE, "--out", "nowhere/x.json"], ["cannot write nowhere/x.json"]),
        ([SAMPLE, "--out", "x.safetensors"], ["out must end in .json, got x.safetensors"]),
        ([SAMPLE, "--out", "x.json", "--kind", "network"], ["must end in .safetensors"]),
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_line_and_exit_2(arguments, words, refused):
    refused(["fit", *arguments], words)


def test_the_command_that_would_make_a_law_again_holds_what_is_not_default():
    config = FitConfig("symbolic", features="raw", scaled=True, seed=3)
    command = FitCommand(Path("a b"), Path("law.json"), config, hold_out=("wine",), schedule=False)
    assert command.command() == (
        "psi fit 'a b' --kind symbolic --features raw --scaled --seed 3 --hold-out wine"
        " --no-schedule --out law.json"
    )


@pytest.mark.slow
def test_fit_notes_the_command_that_makes_the_same_law_again(run, tmp_path):
    asked = ["fit", SAMPLE, "--features", "raw", "--family", "loss_power*exponential",
             "--resamples", 20, "--no-schedule"]  # fmt: skip
    code, out, err = run(*asked, "--out", "law.json")
    assert code == 0, err
    assert "intervals" in err
    law = psi.load(tmp_path / "law.json")
    assert law.features == ("loss", "epoch")
    assert [constant.name for constant in law.constants] == ["a", "p", "d"]
    assert law.provenance is not None
    assert f"made by    {law.provenance.command}" in out
    for text in ("Ψ = ", "95 % over tasks", "domain     epoch in [0, 5]", "error of the scale"):
        assert text in out
    before = (tmp_path / "law.json").read_bytes()
    code, out, _ = run(*shlex.split(law.provenance.command)[1:], "--json")
    assert code == 0
    assert (tmp_path / "law.json").read_bytes() == before
    assert json.loads(out) == law.document()
    code, _, err = run("show", "law.json", "--png", "raw.png")
    assert (code, err) == (0, "")
    assert (tmp_path / "raw.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asked", "steps"),
    [
        (["--family", "constant", "--resamples=5"], ["curve", "regrets"]),
        (
            ["--family", "constant", "--scaled", "--polish"],
            ["scale", "scale", "curve", *["regrets"] * 15],
        ),
    ],
    ids=["curve", "scaled"],
)
def test_an_interrupted_fit_goes_on_and_ends_at_the_same_law(
    run, tmp_path, asked, steps, monkeypatch
):
    """Stopped when all but its last step are kept; that one alone is made after that."""
    law = "law.json"
    write, written = kept.write_atomic, []

    def stopped(path, content):
        if len(written) == len(steps) - 1:
            raise KeyboardInterrupt
        noted(path, content)

    def noted(path, content):
        written.append(path.suffixes[-2][1:])
        write(path, content)

    monkeypatch.setattr(kept, "write_atomic", stopped)
    with pytest.raises(KeyboardInterrupt):
        run("fit", SAMPLE, *asked, "--out", law)
    assert not (tmp_path / law).exists()
    monkeypatch.setattr(kept, "write_atomic", noted)
    code, _, err = run("fit", SAMPLE, *asked, "--out", law)
    assert code == 0, err
    assert written == steps
    again = (tmp_path / law).read_bytes()
    written.clear()
    assert run("fit", SAMPLE, *asked, "--out", law)[0] == 0
    assert written == steps
    assert (tmp_path / law).read_bytes() == again
    assert not list(tmp_path.glob(".law*"))


@pytest.mark.slow
@pytest.mark.parametrize("features", ["raw", "relative"])
def test_a_symbolic_fit_keeps_its_whole_front(run, tmp_path, features):
    code, _, err = run(
        "generate", "--out", "data", "--tasks", "wine", "teacher-0", "--epochs=4", "--seeds=3",
        "--trajectories=0", "--cells=20", "--candidates=6",
    )  # fmt: skip
    assert code == 0, err
    code, out, err = run(
        "fit", "data", "--kind", "symbolic", "--features", features, "--optimizer", "sgd",
        "--family", "loss_power*exponential", "--runs=1", "--generations=10", "--resamples=10",
        "--out", "law.json",
    )  # fmt: skip
    assert code == 0, err
    for stage in ("fitting curves", "searching formulas", "training under the formulas"):
        assert stage in err
    law = psi.load(tmp_path / "law.json")
    front = pd.read_csv(tmp_path / "law.front.csv")
    assert {"complexity", "held_out", "formula", "constants", "regret"} <= set(front.columns)
    assert front.regret.notna().all()
    assert front.chosen.sum() == 1
    assert (tmp_path / "law.front.png").read_bytes().startswith(b"\x89PNG")
    assert "law.front.csv" in out
    assert any(score.name == "regret as a scheduler on training tasks" for score in law.scores)


@pytest.mark.slow
def test_a_scaled_fit(run, tmp_path):
    """The law is scale × shape; its picture is of rates, one colour where these are one."""
    law_file = tmp_path / "law.json"
    code, out, err = run(
        "fit", SAMPLE, "--scaled", "--family", "constant", "--no-schedule", "--out", law_file
    )
    assert code == 0, err
    law = psi.load(law_file)
    assert law.scale is not None
    assert f"typical α_0 {law.scale:.3g}" in out
    assert "α = α_0 · ψ, ψ = " in out
    code, _, err = run("show", law_file, "--png", tmp_path / "law.png")
    assert (code, err) == (0, "")
