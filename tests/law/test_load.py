"""Loading: whatever the bytes are, a law or a LawFileError that names the file."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import psi
import psi.pretrained
from psi.law.clock import Clock, rates_over
from psi.law.expression import from_json
from psi.law.law import FittedConstant, Law, Provenance, Range, Score
from psi.law.load import shipped
from psi.law.network import Layer, Network

GOLDEN = Path(__file__).parent / "golden"
GOLDEN_FILES = ("formula-v1.json", "network-v1.safetensors", "formula-v2.json", "formula-v3.json")

PROVENANCE = Provenance("0123456789abcdef", "fedcba9876543210", ("numpy==2.4.6",))


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
        constants=(FittedConstant("a", 0.5, 0.4, 0.6),),
        scores=(Score("regret", -0.125),),
        provenance=PROVENANCE,
    )


def test_the_golden_formula_with_a_scale_means_what_it_meant() -> None:
    law = psi.load(GOLDEN / "formula-v2.json")
    assert list(law(np.array([[1.0, 0.0], [0.25, 0.5]]).T)) == [2.0, 0.5]
    assert law == Law(
        model=from_json(["mul", ["mul", 2.0, ["sqrt", "loss_ratio"]], ["sub", 1.0, "progress"]]),
        features=("loss_ratio", "progress"),
        domain=(Range(0.01, 1.25), Range(0.0, 0.95)),
        rates=Range(0.001, 2.0),
        optimizer="sgd",
        initial_loss=2.5,
        provenance=Provenance("01", "fe", ("numpy==2.4.6",), "psi fit data --out law.json"),
        scale=0.125,
    )


def test_the_golden_formula_of_facts_means_what_it_meant() -> None:
    law = psi.load(GOLDEN / "formula-v3.json")
    assert list(law(np.array([[0.0, 400.0, 0.0], [0.5, 400.0, 1.0]]).T)) == [0.05, 0.05]
    tree = ["mul", ["pow", "parameters", -0.5], ["add", 1.0, "stream"]]
    assert law == Law(
        model=from_json(["mul", tree, ["sub", 1.0, "progress"]]),
        features=("progress", "parameters", "stream"),
        domain=(Range(0.0, 0.95), Range(100.0, 10_000.0), Range(0.0, 1.0)),
        rates=Range(0.001, 2.0),
        optimizer="adam",
        initial_loss=2.5,
        constants=(FittedConstant("a", 0.5, 0.4, 0.6),),
        scores=(Score("regret", -0.125),),
        provenance=replace(PROVENANCE, command="psi fit atlas --kind scale --out law.json"),
        target="validation",
        extrapolates=("parameters",),
        typical=(1200.0, 0.0),
    )


@pytest.mark.parametrize("name", GOLDEN_FILES[:3])
def test_a_law_of_an_older_format_holds_what_it_sees_in_its_domain(name: str) -> None:
    law = psi.load(GOLDEN / name)
    assert (law.target, law.extrapolates, law.typical) == (None, (), ())


def test_the_golden_network_means_what_it_meant() -> None:
    law = psi.load(GOLDEN / "network-v1.safetensors")
    points = np.array([[1.0, 0.0], [0.25, 0.5], [0.0625, 0.75]]).T
    # Worked out with Python's math alone from the numbers below.
    wanted = [0.09672133908712179, 0.042355829740164254, 0.018614532628029378]
    assert law(points) == pytest.approx(wanted, rel=1e-14)
    hidden = Layer(np.array([[0.5, -0.25, 1.0], [0.75, 0.5, -1.0]]), np.array([0.125, -0.5, 0.25]))
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
        except psi.LawFileError:
            outcomes["refused"] += 1
            continue
        rates = rates_over(Clock(law, 10, min_lr=1e-5, max_lr=0.7), loss, epoch)
        assert np.isfinite(rates).all()
        assert (rates >= 1e-5).all()
        assert (rates <= 0.7).all()
        outcomes["loaded"] += 1
    assert min(outcomes.values()) > 10, outcomes  # else this test says nothing


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


def test_a_law_of_a_former_version_is_loaded_by_name_and_version() -> None:
    old, new = psi.load("adam@0.1.0"), psi.load("adam")
    assert (old.optimizer, new.optimizer) == ("adam", "adam")
    assert old.features == ("loss_ratio", "progress", "parameters") != new.features
    assert {"adam@0.1.0", "adam"} <= psi.pretrained.laws().keys()
    assert "adam@0.1.0" not in dict(shipped())
    with pytest.raises(psi.LawFileError, match=r"adam@9.1.0: no such file.*adam@0.1.0"):
        psi.load("adam@9.1.0")


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
