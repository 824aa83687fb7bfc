"""Loading: whatever the bytes are, a law or a LawFileError that names the file."""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

import psi
import psi.pretrained
from psi.law.clock import Clock, rates_over
from psi.law.expression import from_json
from psi.law.file import MAX_FORMULA_BYTES, MAX_NETWORK_BYTES
from psi.law.law import Constant, Law, Provenance, Range, Score
from psi.law.network import Layer, Network

GOLDEN = Path(__file__).parent / "golden"
GOLDEN_FILES = ("formula-v1.json", "network-v1.safetensors")

PROVENANCE = Provenance("0123456789abcdef", "fedcba9876543210", ("numpy==2.4.6",))


@pytest.fixture
def refuse(tmp_path: Path) -> Callable[[bytes], str]:
    """Load a file of these bytes, which must fail as documented; the reason given."""

    def load(content: bytes) -> str:
        path = tmp_path / "hostile.law"
        path.write_bytes(content)
        with pytest.raises(psi.LawFileError) as caught:
            psi.load(path)
        assert type(caught.value) is psi.LawFileError
        assert str(caught.value).startswith(f"{path}: ")
        return str(caught.value)

    return load


# Golden files: written once, kept for ever. A new format version adds files and leaves these.


def test_the_golden_formula_means_what_it_meant() -> None:
    # 0.5 · loss_ratio^0.5 · (1 − progress)
    law = psi.load(GOLDEN / "formula-v1.json")
    points = np.array([[1.0, 0.0], [0.25, 0.5], [0.0625, 0.75]]).T
    assert list(law(points)) == [0.5, 0.125, 0.03125]
    tree = ["mul", ["mul", 0.5, ["pow", "loss_ratio", 0.5]], ["sub", 1.0, "progress"]]
    assert law == Law(
        model=from_json(tree),
        features=("loss_ratio", "progress"),
        domain=(Range(0.01, 1.25), Range(0.0, 0.95)),
        rates=Range(0.001, 0.5),
        optimizer="momentum",
        initial_loss=2.5,
        constants=(Constant("a", 0.5, 0.4, 0.6),),
        scores=(Score("regret", -0.125),),
        provenance=PROVENANCE,
    )


def test_the_golden_network_means_what_it_meant() -> None:
    law = psi.load(GOLDEN / "network-v1.safetensors")
    points = np.array([[1.0, 0.0], [0.25, 0.5], [0.0625, 0.75]]).T
    # Worked out with Python's math alone from the numbers below.
    wanted = [0.09672133908712179, 0.042355829740164254, 0.018614532628029378]
    assert law(points) == pytest.approx(wanted, rel=1e-14)
    hidden = Layer(
        np.array([[0.5, -0.25, 1.0], [0.75, 0.5, -1.0]]), np.array([0.125, -0.5, 0.25])
    )
    last = Layer(np.array([[1.5], [-0.5], [0.25]]), np.array([-2.0]))
    assert law == Law(
        model=Network(
            ("log", "identity"), np.array([-0.5, 0.5]), np.array([0.5, 0.25]), (hidden, last)
        ),
        features=("loss_ratio", "progress"),
        domain=(Range(0.01, 1.25), Range(0.0, 0.95)),
        rates=Range(0.001, 1.0),
        optimizer="adam",
        initial_loss=2.5,
        scores=(Score("regret", -0.125),),
        provenance=PROVENANCE,
    )


# Damage


@pytest.mark.parametrize("name", GOLDEN_FILES)
def test_a_file_cut_at_any_byte_is_refused(name: str, refuse: Callable[[bytes], str]) -> None:
    content = (GOLDEN / name).read_bytes()
    for length in range(len(content)):
        refuse(content[:length])


@pytest.mark.parametrize("name", GOLDEN_FILES)
def test_a_file_with_more_behind_it_is_refused(name: str, refuse: Callable[[bytes], str]) -> None:
    refuse((GOLDEN / name).read_bytes() + b"x")


def _flips(content: bytes, count: int) -> Iterator[bytes]:
    rng = np.random.default_rng(0)
    for place in rng.integers(len(content), size=count):
        damaged = bytearray(content)
        damaged[place] ^= int(rng.integers(1, 256))
        yield bytes(damaged)


@pytest.mark.parametrize("name", GOLDEN_FILES)
def test_a_flipped_byte_is_refused_or_gives_rates_within_limits(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    loss, epoch = np.meshgrid([1e-300, 1e-3, 0.5, 2.5, 40.0, 1e300], [0.0, 1.0, 9.0, 10.0, 99.0])
    outcomes = {"refused": 0, "loaded": 0}
    for damaged in _flips((GOLDEN / name).read_bytes(), 800):
        path.write_bytes(damaged)
        try:
            law = psi.load(path)
        except psi.LawFileError as error:
            assert str(path) in str(error)
            outcomes["refused"] += 1
            continue
        rates = rates_over(Clock(law, 10, min_lr=1e-5, max_lr=0.7), loss, epoch)
        assert np.isfinite(rates).all()
        assert (rates >= 1e-5).all()
        assert (rates <= 0.7).all()
        outcomes["loaded"] += 1
    assert min(outcomes.values()) > 50, outcomes


# Hostile files

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
    "too large for a formula": b" " * (MAX_FORMULA_BYTES + 1),
    "a header without end": b"\xff\xff\xff\xff\xff\xff\xff\x00{}",
    "a header of nothing": bytes(8) + b"{}",
}


@pytest.mark.parametrize("name", RAW)
def test_bytes_that_are_no_law_are_refused(name: str, refuse: Callable[[bytes], str]) -> None:
    refuse(RAW[name])


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
def test_a_pickle_is_not_run(
    protocol: int, tmp_path: Path, refuse: Callable[[bytes], str]
) -> None:
    mark = tmp_path / "exploded"
    refuse(pickle.dumps(_Bomb(mark), protocol=protocol))
    assert not mark.exists()


def _dump(document: dict[str, Any]) -> bytes:
    """JSON with the literals NaN and Infinity where a number is not finite."""
    return json.dumps(document).encode()


def test_the_document_itself_is_a_law(formula_law: Law, tmp_path: Path) -> None:
    # What the cases below change is otherwise good.
    path = tmp_path / "law.json"
    path.write_bytes(_dump(formula_law.document()))
    assert psi.load(path) == formula_law


def test_every_key_is_needed(formula_law: Law, refuse: Callable[[bytes], str]) -> None:
    for key in formula_law.document():
        document = formula_law.document()
        del document[key]
        reason = refuse(_dump(document))
        assert key in reason or "format" in reason


@pytest.mark.parametrize("bad", [None, True, "x", 0.1, [], ["x"], {}, [[]], {"x": 1}, 10**400])
def test_every_key_has_its_type(bad: Any, formula_law: Law, refuse: Callable[[bytes], str]) -> None:
    # What is good in its place: no provenance, no constants, no scores; and True is 1 in Python.
    good = [("provenance", None), ("constants", []), ("scores", []), ("version", True)]
    # A formula may be a number.
    good += [("model", 0.1), ("initial_loss", 0.1)]
    for key in formula_law.document():
        if not any(key == name and type(bad) is type(value) and bad == value for name, value in good):
            refuse(_dump(formula_law.document() | {key: bad}))


CHANGES: Mapping[str, tuple[dict[str, Any], str]] = {
    "unknown key": ({"code": "import os"}, "unknown keys: ['code']"),
    "another format": ({"format": "psi-lore"}, "expected format 'psi-law' version 1"),
    "an older version": ({"version": 0}, "version 1, got 'psi-law' version 0"),
    "a newer version": ({"version": 2}, "version 1, got 'psi-law' version 2"),
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
    "loss zero": ({"initial_loss": 0}, "initial_loss must be positive"),
    "unknown optimizer": ({"optimizer": "lion"}, "optimizer must be"),
    "a constant without interval": ({"constants": [["a", 1.0]]}, "constants must be 3 numbers"),
    "a constant without name": ({"constants": [[1.0, 1.0, 1.0, 1.0]]}, "constants must be text"),
    "an empty constant": ({"constants": [[]]}, "constants must be text"),
    "a score of text": ({"scores": [["regret", "low"]]}, "scores must be a finite number"),
    "a strange provenance": ({"provenance": {"url": "https://example.org"}}, "provenance must be"),
    "versions in one text": (
        {"provenance": {"data_hash": "", "config_hash": "", "versions": "numpy"}},
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


@pytest.mark.parametrize("levels", [51, 200, 900])
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
    "a key twice": (b'"version": 1,', b'"version": 1, "version": 1,', "a key stands twice"),
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


ARRAYS: Mapping[str, tuple[dict[str, np.ndarray | None], str]] = {
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


# Names and paths


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "missing.json"
    with pytest.raises(psi.LawFileError) as caught:
        psi.load(path)
    assert str(path) in str(caught.value)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(psi.LawFileError) as caught:
        psi.load(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_an_unknown_name_is_refused_and_the_known_ones_told(
    formula_law: Law, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    formula_law.save(tmp_path / "small.json")
    monkeypatch.setattr(psi.pretrained, "laws", lambda: {"small": tmp_path / "small.json"})
    with pytest.raises(psi.LawFileError, match=r"no-such-law: no such file.*shipped: small"):
        psi.load("no-such-law")
    assert psi.load("small") == formula_law


def test_a_file_goes_before_a_shipped_law_of_its_name(
    formula_law: Law, network_law: Law, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    formula_law.save(tmp_path / "small.json")
    network_law.save(tmp_path / "small")
    monkeypatch.setattr(psi.pretrained, "laws", lambda: {"small": tmp_path / "small.json"})
    monkeypatch.chdir(tmp_path)
    assert psi.load("small") == network_law
    assert psi.load("small.json") == formula_law


@pytest.mark.parametrize("name", ["", ".", "x" * 5000, "x" * 5000 + ".json", "a\0b", "a\0b.json"])
def test_a_name_that_no_file_can_have_is_refused(name: str) -> None:
    with pytest.raises(psi.LawFileError):
        psi.load(name)


# What loading costs

HEAVY = ("jax", "flax", "pandas", "scipy", "sklearn", "sympy", "torch", "keras", "optax")


@pytest.mark.parametrize("name", GOLDEN_FILES)
def test_loading_imports_numpy_and_no_framework(name: str) -> None:
    program = "import sys, psi; psi.load(sys.argv[1]); print(*sys.modules)"
    root = Path(psi.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", program, str(GOLDEN / name)],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = set(done.stdout.split())
    assert {"psi", "numpy"} <= imported
    assert imported.isdisjoint(HEAVY)
    assert ("safetensors" in imported) == name.endswith(".safetensors")
