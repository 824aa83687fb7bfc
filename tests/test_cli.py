"""The parser of the command line: help, what it refuses, and that `python -m psi` is it."""

import re
import subprocess
import sys

import pytest

import psi as package
from psi import cli
from psi.cli import COMMANDS
from psi.lab.data.config import PRESETS


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_an_example(name, capsys):
    with pytest.raises(SystemExit) as end:
        cli.run([name, "--help"])
    out, err = capsys.readouterr()
    assert not end.value.code
    assert re.search(rf"^Example: psi {name}\b", out, re.M)
    assert "Raises" not in out
    assert err == ""


def psi(*arguments):
    command = [sys.executable, "-m", "psi", *arguments]
    process = subprocess.run(command, capture_output=True, text=True, timeout=300)
    return process.returncode, process.stdout, process.stderr


def test_help_lists_every_command_in_a_line_of_80_columns():
    code, out, _ = psi("--help")
    assert code == 0
    assert all(re.search(rf"^  {name} +\w", out, re.M) for name in COMMANDS)
    assert max(map(len, out.splitlines()[4:])) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_a_class_of_its_module(name):
    assert callable(cli.command_of(name).run)


def test_version(capsys):
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out == f"psi {package.__version__}\n"


def test_the_closest_names_of_many_are_said(capsys):
    assert cli.run(["generate", "--out", "x", "--tasks", "breast_cancr"]) == 2
    said = r"unknown data set 'breast_cancr'; closest of 14\d: breast_cancer,"  # plugins add some
    assert re.search(said, capsys.readouterr().err)
    assert cli.run(["generate", "--out", "x", "--epochz", "3"]) == 2
    assert "did you mean --epochs?" in capsys.readouterr().err


def test_a_mistake_of_a_process_is_one_line_and_exit_2():
    code, out, err = psi("demo", "--epochs", "0")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert all(word in err for word in ("epochs", ">= 1", "got 0"))


@pytest.mark.parametrize(
    ("arguments", "words"), [(["nope"], ["nope", "demo"]), ([], ["demo"])], ids=" ".join
)
def test_a_command_that_is_none_is_one_line_and_exit_2(arguments, words, capsys):
    assert cli.run(arguments) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("psi: ")
    assert all(word in err for word in words)


@pytest.mark.parametrize("preset", ["smoke", "laptop"])
def test_a_preset_sets_the_defaults_of_generate(preset, capsys):
    with pytest.raises(SystemExit):
        cli.run(["generate", "--preset", preset, "--help"])
    text = " ".join(capsys.readouterr().out.split())
    seeds = dict(PRESETS)[preset].seeds
    assert re.search(rf"--seeds INT [^-]*\(default: {seeds}\)", text)
