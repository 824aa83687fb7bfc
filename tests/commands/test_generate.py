"""What `psi generate` refuses; what it makes is in tests/lab/data/test_generate.py."""

from pathlib import Path

import pytest

from psi.commands.generate import GenerateCommand
from psi.lab.data.estimate import Estimate


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "x", "--tasks", "cifar"], ["cifar", "closest of 145: ", "openml:NAME"]),
        (["--out", "x", "--min-lr", "-1"], ["min_lr", "got -1"]),
        (["--out", "x", "--epochs", "0"], ["got 0"]),
        (["--out", "x", "--optimizer", "lion"], ["lion", "allowed"]),
        (["--out", "x", "--lanes", "0"], ["lanes must be >= 1, got 0"]),
        (["--out", "x", "--preset", "huge"], ["huge"]),
        (["--out", "x", "--tasks", "nowhere.csv"], ["nowhere.csv"]),
        (["--out", "x", "--address", "a:1"], ["--engine ray"]),
        ([], ["--out"]),
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_line_and_exit_2(arguments, words, refused):
    refused(["generate", *arguments], words)


def test_a_dry_run_says_how_much_it_would_be_and_writes_nothing(run, tmp_path, monkeypatch):
    def estimate(config, shape, report, startup):
        return Estimate(config.runs(), config.runs() * config.hyper.epochs, 1_500_000, 2.25)

    monkeypatch.setattr("psi.lab.data.estimate.estimate", estimate)
    small = ["--tasks", "wine", "--epochs=2", "--trajectories=0", "--cells=2", "--candidates=2"]
    code, out, _ = run("generate", "--out", "x", *small, "--seeds=1", "--dry-run")
    assert code == 0
    runs = 225 + 2 * 2  # the pilot, and two cells of two candidates
    assert out == f"{runs} runs, {2 * runs} rows, 1.5 MB, 2.2 minutes here; nothing was written\n"
    assert not (tmp_path / "x").exists()


def test_an_address_is_for_ray_alone():
    with pytest.raises(ValueError, match="address is for --engine ray alone, got 'a:1'"):
        GenerateCommand(Path("x"), address="a:1")
