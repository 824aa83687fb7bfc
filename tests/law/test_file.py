"""Saving: whole or not at all, and what is loaded is what was saved."""

import json
import os
import re
import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import psi
from psi.law.expression import MAX_DEPTH, MAX_NODES
from psi.law.features import FEATURES
from psi.law.file import parse, write_atomic
from psi.law.law import FittedConstant, Law, Range, Score
from psi.law.network import Layer, Network


def test_a_saved_law_is_loaded_as_it_was(law: Law, tmp_path: Path) -> None:
    for name in ("law", "law.json", "law.safetensors", "a.b c.txt"):
        law.save(tmp_path / name)
        loaded = psi.load(tmp_path / name)
        assert loaded == law
        assert loaded.document() == law.document()
        points = np.random.default_rng(0).uniform(0.1, 0.9, size=(len(law.features), 100))
        assert np.array_equal(loaded(points), law(points))


def test_no_digit_is_lost(formula_law: Law, tmp_path: Path) -> None:
    law = replace(
        formula_law,
        domain=(Range(5e-324, 0.1 + 0.2), Range(-1 / 3, 1e299)),
        rates=Range(1e-300, 2 / 3),
        constants=(FittedConstant("ε", 1 / 3, -1e-17, 1e22), FittedConstant("", 0.0, -0.0, 1.0)),
        scores=(Score('"quoted"\n', -1 / 7),),
        provenance=None,
    )
    law.save(tmp_path / "law.json")
    assert repr(psi.load(tmp_path / "law.json")) == repr(law)


def test_an_array_of_single_precision_keeps_its_values(network_law: Law, tmp_path: Path) -> None:
    model = network_law.model
    assert isinstance(model, Network)
    layers = tuple(Layer(w.astype(np.float32), b.astype(np.float32)) for w, b in model.layers)
    law = replace(network_law, model=replace(model, layers=layers))
    law.save(tmp_path / "law.safetensors")
    assert psi.load(tmp_path / "law.safetensors") == law


def test_an_array_that_is_a_view_keeps_its_values(network_law: Law, tmp_path: Path) -> None:
    model = network_law.model
    assert isinstance(model, Network)
    layers = tuple(Layer(np.asfortranarray(w), b[::-1][::-1]) for w, b in model.layers)
    law = replace(network_law, model=replace(model, layers=layers))
    law.save(tmp_path / "law.safetensors")
    assert psi.load(tmp_path / "law.safetensors") == network_law


def test_saving_twice_gives_the_same_bytes(law: Law, tmp_path: Path) -> None:
    law.save(tmp_path / "one")
    law.save(tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_saving_replaces_a_file_and_leaves_nothing_else(law: Law, tmp_path: Path) -> None:
    path = tmp_path / "law.any"
    path.write_bytes(b"x" * 100_000)
    law.save(path)
    assert psi.load(path) == law
    other = replace(law, optimizer="sgd")
    other.save(str(path))
    assert psi.load(path) == other
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_an_error(law: Law, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        law.save(tmp_path / "missing" / "law.json")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_file_name(law: Law, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(ValueError, match="it is a folder"):
        law.save(folder)
    assert list(tmp_path.rglob("*")) == [folder]


def _full_disk(*_: object) -> None:
    raise OSError("no space left on device")


@pytest.mark.parametrize(("owner", "name"), [(os, "fsync"), (Path, "replace"), (Path, "chmod")])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    law: Law, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: object, name: str
) -> None:
    path = tmp_path / "law"
    path.write_text("old")
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, _full_disk)
        with pytest.raises(OSError, match="no space left"):
            law.save(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_law_that_is_no_json_is_not_begun(law: Law, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        replace(law, scores=(Score("regret", float("nan")),)).save(tmp_path / "law")
    assert list(tmp_path.iterdir()) == []


def test_a_file_gets_the_rights_of_any_new_file(tmp_path: Path) -> None:
    usual = tmp_path / "usual"
    usual.touch()
    write_atomic(tmp_path / "atomic", b"")
    rights = [stat.S_IMODE(each.stat().st_mode) for each in (usual, tmp_path / "atomic")]
    assert rights[0] == rights[1]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": 1, "a": 1}', "a key stands twice"),
        ('{"a": {"b": 1, "c": 2, "b": 3}}', "a key stands twice"),
        ('{"a": NaN}', "finite, got NaN"),
        ('{"a": [-Infinity]}', "finite, got -Infinity"),
        ("[]", "expected a JSON object, got list"),
        ("3", "expected a JSON object, got int"),
        ('{"a": 1} {}', "Extra data"),
        ('{"a": 1,}', "line 1 column"),
        ("{'a': 1}", "line 1 column"),
        ("", "line 1 column"),
    ],
)
def test_other_json_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse(text)


def test_json_is_read() -> None:
    document = {"a": [1, 2.5, "x", None, True], "b": {"a": {}}}
    assert parse(json.dumps(document)) == document


# The documentation


def test_the_page_s_example_is_a_law_with_every_key_explained(tmp_path: Path) -> None:
    page = (Path(psi.__file__).parent / "law" / "law_file.md").read_text()
    example = re.findall(r"```json\n(.*?)```", page, re.S)[0]
    path = tmp_path / "law.json"
    path.write_text(example)
    law = psi.load(path)
    assert law.document() == json.loads(example)
    table = {name for row in re.findall(r"^\| (`.*?) \|", page, re.M) for name in row.split(", ")}
    assert table == {f"`{key}`" for key in law.document()}
    assert all(f"`{name}`" in page for name in FEATURES)
    assert f"at most {MAX_DEPTH} levels and {MAX_NODES} nodes" in page
