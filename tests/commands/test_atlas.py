"""psi atlas, and psi fit on what it made, from the command line."""

import json
import shlex

import pytest

from psi.cli import command_of, run
from psi.commands.atlas import AtlasCommand
from psi.commands.fit import FitCommand
from psi.commands.fit_atlas import FitAtlasCommand
from psi.law.load import load
from tests.atlas.test_tables import atlas
from tests.fit.scale.planted import planted


@pytest.fixture(scope="module")
def planted_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted")
    for name, table in planted(0, domains=6, each=6).atlas._asdict().items():
        table.to_parquet(folder / f"{name}.parquet")
    return folder


@pytest.mark.slow
def test_a_plan_is_printed_and_nothing_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["atlas", "--preset", "laptop", "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert sum(plan["tasks"].values()) == 3 * 1000 / 3 * 3
    assert plan["trainings"] == 459_000
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "needs a folder: --out"),
        (["show"], "show needs the folder"),
        (["show", "nowhere"], "nowhere"),
        (["join", "a", "--out", "b"], "two atlases or more, got 1"),
        (["join", "a", "b"], "need a folder: --out"),
        (["make", "a", "--out", "b"], "make takes 0 folders without a name, got 1"),
        (["show", "a", "b"], "show takes 1 folders without a name, got 2"),
        (["--out", "a", "--reach", "middle"], "reach"),
        (["--out", "a", "--tasks", "0"], "tasks must be >= 1, got 0"),
        (["--out", "a", "--optimizers", "lion"], "unknown optimizer 'lion'"),
        (["show", "a", "--figure", "a.txt"], ".png"),
        (["--out", "a", "--address", "b:1"], "address is for --engine ray alone, got 'b:1'"),
    ],
)
def test_mistakes_are_a_line(options, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(["atlas", *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_two_atlases_are_joined(tmp_path, capsys):
    folders = [str(atlas(tmp_path / name, [number])) for number, name in enumerate("ab")]
    out = tmp_path / "both"
    assert run(["atlas", "join", *folders, "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"tasks": 2, "runs": 2, "probes": 2}
    assert {path.stem for path in out.iterdir()} == {"tasks", "runs", "probes"}


def test_the_full_preset_reaches_far(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["atlas", "--preset", "full", "--tasks", "8", "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert sum(plan["tasks"].values()) == 8 * 3  # optimizers
    assert len(plan["tasks"]) == 22


@pytest.mark.slow
def test_the_smallest_atlas_is_made_shown_and_fitted(tmp_path, capsys):
    folder = tmp_path / "atlas"
    made = ["atlas", "--tasks", "6", "--optimizers", "sgd", "--out", str(folder)]
    assert run(made) == 0
    assert run(["atlas", "show", str(folder), "--figure", str(tmp_path / "a.png"), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {row["target"] for row in shown} == {"validation", "train"}
    assert (tmp_path / "a.png").stat().st_size > 5000


def test_presets_are_defaults_of_all_else():
    assert command_of("atlas") is AtlasCommand
    assert AtlasCommand.preset_of(["--preset", "laptop"]).config.tasks == 1000
    assert AtlasCommand.preset_of(["--out", "a"]).config.tasks == 16


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--resamples", "2"], "resamples must be >= 20, got 2"),
        (["--seed", "-1"], "seed must be >= 0"),
        (["--level", "0"], "level must be positive and finite, got 0.0"),
        (["--optimizer", "lion"], "lion"),
        (["--out", "a.txt"], ".json"),
    ],
)
def test_mistakes_of_a_fit_to_an_atlas_are_a_line(options, message, planted_folder, capsys):
    arguments = ["fit", str(planted_folder), "--kind", "scale", "--optimizer", "adam"]
    assert run([*arguments, "--out", "a.json", *options]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert message in error


def test_a_scale_is_fitted_to_an_atlas(planted_folder, tmp_path, capsys):
    out = tmp_path / "adam.json"
    arguments = ["fit", str(planted_folder), "--kind", "scale", "--optimizer", "adam"]
    assert run([*arguments, "--resamples", "20", "--out", str(out), "--json"]) == 0
    law = load(out)
    assert law.optimizer == "adam"
    assert law.target == "validation"
    assert law.provenance is not None
    assert shlex.split(law.provenance.command)[:2] == ["psi", "fit"]
    assert json.loads(capsys.readouterr().out)["exponents"]
    assert issubclass(FitCommand.variant(arguments[1:]), FitAtlasCommand)
