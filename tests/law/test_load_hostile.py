"""Loading files that somebody made to do harm, or by mistake: a LawFileError with the reason."""

import json
import os
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

import psi
from psi.law.file import MAX_FORMULA_BYTES, MAX_NETWORK_BYTES
from psi.law.law import Law
from psi.law.network import Network

RAW: Mapping[str, bytes] = {
    "empty": b"",
    "one byte": b"{",
    "spaces": b" " * 100,
    "zeros": bytes(100),
    "no text": b"\xff\xfe{}",
    "UTF-16": '{"format": "psi-law"}'.encode("utf-16"),
    "a list": b"[]",
    "null": b"null",
    "a number": b"1",
    "an empty object": b"{}",
    "a pickle of protocol 0": pickle.dumps({"format": "psi-law"}, protocol=0),
    "a pickle of protocol 5": pickle.dumps({"format": "psi-law"}, protocol=5),
    "open brackets": b"[" * 100_000,
    "brackets": b"[" * 100_000 + b"]" * 100_000,
    "open objects": b'{"model":' * 100_000,
    "a number of many digits": b'{"version": ' + b"9" * 10_000 + b"}",
    "a header without end": b"\xff\xff\xff\xff\xff\xff\xff\x00{}",
    "a header of nothing": bytes(8) + b"{}",
}


@pytest.mark.parametrize("name", RAW)
def test_bytes_that_are_no_law_are_refused(name: str, refuse: Callable[[bytes], str]) -> None:
    refuse(RAW[name])


def test_a_formula_may_be_as_large_as_the_limit(
    formula_law: Law, tmp_path: Path, refuse: Callable[[bytes], str]
) -> None:
    content = _dump(formula_law.document()).ljust(MAX_FORMULA_BYTES)
    path = tmp_path / "law.json"
    path.write_bytes(content)
    assert psi.load(path) == formula_law
    assert "bytes at most" in refuse(content + b" ")


def test_a_file_too_large_for_any_law_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.safetensors"
    path.touch()
    os.truncate(path, MAX_NETWORK_BYTES + 1)
    with pytest.raises(psi.LawFileError, match="bytes at most"):
        psi.load(path)


class _Bomb:
    """Unpickling makes the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_not_run(protocol: int, tmp_path: Path, refuse: Callable[[bytes], str]) -> None:
    mark = tmp_path / "exploded"
    refuse(pickle.dumps(_Bomb(mark), protocol=protocol))
    assert not mark.exists()


def _dump(document: dict[str, Any]) -> bytes:
    """JSON with the literals NaN and Infinity where a number is not finite."""
    return json.dumps(document).encode()


def test_every_key_is_needed(formula_law: Law, refuse: Callable[[bytes], str]) -> None:
    for key in formula_law.document():
        document = formula_law.document()
        del document[key]
        reason = refuse(_dump(document))
        assert key in reason or "format" in reason


@pytest.mark.parametrize("bad", [None, True, "x", 0.1, [], ["x"], {}, [[]], {"x": 1}, 10**400])
def test_every_key_has_its_type(bad: Any, formula_law: Law, refuse: Callable[[bytes], str]) -> None:
    # What is good in its place: no provenance, no constants, no scores. True is 1 in Python, and
    # no version.
    good = [("provenance", None), ("constants", []), ("scores", [])]
    # A formula may be a number.
    good += [("model", 0.1), ("initial_loss", 0.1)]
    # Any name is that of an optimizer. A law may have a scale, or none.
    good += [("optimizer", "x")]
    good += [
        ("scale", None),
        ("scale", 0.1),
        ("target", None),
        ("feedback", None),
        ("extrapolates", []),
        ("typical", []),
    ]
    for key in formula_law.document():
        if not any(
            key == name and type(bad) is type(value) and bad == value for name, value in good
        ):
            refuse(_dump(formula_law.document() | {key: bad}))


CHANGES: Mapping[str, tuple[dict[str, Any], str]] = {
    "unknown key": ({"code": "import os"}, "unknown keys: ['code']"),
    "another format": ({"format": "psi-lore"}, "expected format 'psi-law' version 3"),
    "an older version": ({"version": 0}, "version 3, got 'psi-law' version 0"),
    "a newer version": ({"version": 4}, "version 3, got 'psi-law' version 4"),
    "a version in text": ({"version": "1"}, "version '1'"),
    "unknown kind": ({"kind": "pickle"}, "kind must be formula or network, got 'pickle'"),
    "a network without arrays": ({"kind": "network"}, "{transforms: […]}"),
    "a network of none": ({"kind": "network", "model": {"transforms": ["log"]}}, "arrays must be"),
    "unknown feature": ({"features": ["loss_ratio", "depth"]}, "unknown feature 'depth'"),
    "a feature twice": ({"features": ["progress", "progress"]}, "distinct"),
    "a feature too many": ({"features": ["loss_ratio", "progress", "loss"]}, "domain"),
    "a feature too few": ({"features": ["loss_ratio"]}, "'progress', not a feature"),
    "unknown operation": ({"model": ["exec", "loss_ratio"]}, "unknown operation 'exec'"),
    "wrong arity": ({"model": ["pow", "loss_ratio"]}, "pow takes 2"),
    "NaN in the formula": ({"model": ["neg", float("nan")]}, "finite, got NaN"),
    "infinity in the domain": ({"domain": [[0, float("inf")], [0, 1]]}, "finite, got Infinity"),
    "domain upside down": ({"domain": [[1, 0], [0, 1]]}, "low <= high"),
    "domain of three numbers": ({"domain": [[0, 1, 2], [0, 1]]}, "domain must be 2 numbers"),
    "domain in text": ({"domain": [["0", "1"], [0, 1]]}, "domain must be a finite number"),
    "rates of zero": ({"rates": [0, 1]}, "rates must be 0 < low"),
    "rates beyond floats": ({"rates": [1, 10**400]}, "below 1e300"),
    "a scale of zero": ({"scale": 0.0}, "scale must be positive"),
    "a scale in text": ({"scale": "1"}, "scale must be a finite number"),
    "a target that is none": ({"target": "test"}, "target must be train or validation"),
    "a target that is no text": ({"target": ["train"]}, "target must be text"),
    "a feature that is no fact": ({"extrapolates": ["progress"]}, "facts that the law sees, of ()"),
    "a fact that is not seen": ({"extrapolates": ["rows"]}, "facts that the law sees"),
    "typical of no fact": ({"typical": [1.0]}, "within the domain for each of (), or ()"),
    "a typical fact in text": ({"typical": ["1"]}, "typical must be a finite number"),
    "loss zero": ({"initial_loss": 0}, "initial_loss must be positive"),
    "an optimizer that is no name": ({"optimizer": "li on"}, "optimizer must be"),
    "a long optimizer": ({"optimizer": "a" * 65}, "optimizer must be"),
    "a constant without interval": ({"constants": [["a", 1.0]]}, "constants must be 3 numbers"),
    "a constant without name": ({"constants": [[1.0, 1.0, 1.0, 1.0]]}, "constants must be text"),
    "an empty constant": ({"constants": [[]]}, "constants must be text"),
    "a score of text": ({"scores": [["regret", "low"]]}, "scores must be a finite number"),
    "a strange provenance": (
        {"provenance": {"url": "https://example.org"}},
        "provenance must have",
    ),
    "versions in one text": (
        {"provenance": {"data_hash": "", "config_hash": "", "versions": "numpy", "command": ""}},
        "expected a list",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_document_is_refused(
    name: str, formula_law: Law, refuse: Callable[[bytes], str]
) -> None:
    change, reason = CHANGES[name]
    assert reason in refuse(_dump(formula_law.document() | change))


def _deep(levels: int) -> Any:
    tree: Any = "progress"
    for _ in range(levels):
        tree = ["neg", tree]
    return tree


@pytest.mark.parametrize("levels", [51, 200, 500])
def test_a_deep_formula_is_refused(
    levels: int, formula_law: Law, refuse: Callable[[bytes], str]
) -> None:
    assert "levels deep" in refuse(_dump(formula_law.document() | {"model": _deep(levels)}))


def test_a_large_formula_is_refused(formula_law: Law, refuse: Callable[[bytes], str]) -> None:
    tree: Any = "progress"
    for _ in range(10):
        tree = ["add", tree, tree]
    assert "500 nodes" in refuse(_dump(formula_law.document() | {"model": tree}))


SPLICES: Mapping[str, tuple[bytes, bytes, str]] = {
    "a key twice": (b'"version": 3,', b'"version": 3, "version": 3,', "a key stands twice"),
    "an inner key twice": (b'"data_hash"', b'"data_hash": "", "data_hash"', "stands twice"),
    "1e999 as a loss": (b'"initial_loss": 2.3', b'"initial_loss": 1e999', "initial_loss"),
    "1e999 as a constant": (b'["add",', b'["add", 1e999,', "add takes 2"),
    "1e999 in the formula": (b"0.001]", b"1e999]", "finite"),
    "-1e999 as a rate": (b'"rates": [0.001', b'"rates": [-1e999', "rates"),
}


@pytest.mark.parametrize("name", SPLICES)
def test_a_spliced_text_is_refused(
    name: str, formula_law: Law, refuse: Callable[[bytes], str]
) -> None:
    old, new, reason = SPLICES[name]
    content = _dump(formula_law.document())
    assert content.count(old) == 1
    assert reason in refuse(content.replace(old, new))


# Hostile networks


def _pack(law: Law, **arrays: np.ndarray | None) -> bytes:
    """The file of a network law with some arrays changed, or left out where None."""
    assert isinstance(law.model, Network)
    kept = {k: v for k, v in (dict(law.model.arrays()) | arrays).items() if v is not None}
    return save(kept, metadata={"psi-law": json.dumps(law.document())})


def test_the_packed_network_itself_is_a_law(network_law: Law, tmp_path: Path) -> None:
    path = tmp_path / "law"
    path.write_bytes(_pack(network_law))
    assert psi.load(path) == network_law


ARRAYS: Mapping[str, tuple[Mapping[str, np.ndarray | None], str]] = {
    "no shift": ({"shift": None}, "arrays must be shift, scale"),
    "no bias": ({"bias.1": None}, "arrays must be shift, scale"),
    "no last layer": ({"weights.2": None, "bias.2": None}, "weights of layer 1"),
    "no layer": (
        {f"{part}.{k}": None for part in ("weights", "bias") for k in range(3)},
        "1 to 16 layers",
    ),
    "one array": (
        {f"{part}.{k}": None for part in ("weights", "bias") for k in range(3)} | {"scale": None},
        "arrays must be",
    ),
    "one more": ({"code": np.zeros(1)}, "arrays must be shift, scale"),
    "wrong shape": ({"weights.0": np.zeros((2, 8))}, "weights of layer 0 must have shape"),
    "transposed": ({"weights.0": np.zeros((8, 3))}, "weights of layer 0 must have shape"),
    "an axis more": ({"bias.0": np.zeros((8, 1))}, "layer 0"),
    "a scalar": ({"shift": np.zeros(())}, "shift must have shape"),
    "empty": ({"shift": np.zeros(0)}, "shift must have shape"),
    "integers": ({"shift": np.zeros(3, dtype=np.int64)}, "shift must be finite floating-point"),
    "truths": ({"shift": np.zeros(3, dtype=bool)}, "shift must be finite floating-point"),
    "NaN": ({"bias.2": np.array([np.nan])}, "bias of layer 2 must be finite"),
    "infinity": ({"shift": np.array([0, np.inf, 0])}, "shift must be finite"),
    "scale of zero": ({"scale": np.zeros(3)}, "scale must be positive"),
    "too wide": ({"weights.0": np.zeros((3, 1025)), "bias.0": np.zeros(1025)}, "1025 wide"),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_changed_arrays_are_refused(
    name: str, network_law: Law, refuse: Callable[[bytes], str]
) -> None:
    arrays, reason = ARRAYS[name]
    assert reason in refuse(_pack(network_law, **arrays))


METADATA: Mapping[str, dict[str, str] | None] = {
    "none": None,
    "empty": {},
    "another key": {"format": "pt"},
    "no JSON": {"psi-law": "pickle"},
    "a list": {"psi-law": "[]"},
    "NaN": {"psi-law": '{"version": NaN}'},
    "a key twice": {"psi-law": '{"version": 1, "version": 1}'},
    "brackets": {"psi-law": "[" * 100_000},
    "an empty document": {"psi-law": "{}"},
}


@pytest.mark.parametrize("name", METADATA)
def test_arrays_without_a_document_are_refused(name: str, refuse: Callable[[bytes], str]) -> None:
    refuse(save({"shift": np.zeros(1)}, metadata=METADATA[name]))


def test_a_formula_with_arrays_is_refused(formula_law: Law, refuse: Callable[[bytes], str]) -> None:
    document = json.dumps(formula_law.document())
    reason = refuse(save({"shift": np.zeros(1)}, metadata={"psi-law": document}))
    assert "kind must be" in reason


def test_a_network_of_another_number_of_features_is_refused(
    network_law: Law, refuse: Callable[[bytes], str]
) -> None:
    assert isinstance(network_law.model, Network)
    document = network_law.document() | {
        "features": ["loss_ratio", "progress"],
        "domain": [[0, 1], [0, 1]],
    }
    content = save(dict(network_law.model.arrays()), metadata={"psi-law": json.dumps(document)})
    assert "takes 3 features, the law declares 2" in refuse(content)


HEADERS: Mapping[str, str] = {
    "no JSON": "pickle",
    "brackets": '{"a":' + "[" * 50_000,
    "a type that numpy has not": (
        '{"shift": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]},'
        ' "__metadata__": {"psi-law": "{}"}}'
    ),
    "an unknown type": '{"shift": {"dtype": "PICKLE", "shape": [1], "data_offsets": [0, 2]}}',
    "a hole": '{"shift": {"dtype": "F16", "shape": [1], "data_offsets": [2, 4]}}',
    "beyond the end": '{"shift": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}}',
    "a shape without end": (
        '{"shift": {"dtype": "F64", "shape": [4294967296, 4294967296, 2], "data_offsets": [0, 2]}}'
    ),
    "metadata that is no table": '{"__metadata__": 3}',
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_strange_header_is_refused(name: str, refuse: Callable[[bytes], str]) -> None:
    header = HEADERS[name].encode()
    refuse(len(header).to_bytes(8, "little") + header + bytes(2))
