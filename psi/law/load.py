"""Loading a law from its file, every value checked. psi/law/law_file.md describes the format."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import psi.pretrained
from psi.law.expression import from_json
from psi.law.feedback import Feedback
from psi.law.file import FORMAT, READABLE, Document, LawFileError, read
from psi.law.law import FittedConstant, Law, Provenance, Range, Score
from psi.law.network import Layer, Network

KEYS = frozenset((
    "format", "version", "kind", "features", "domain", "rates", "optimizer", "initial_loss",
    "constants", "scores", "provenance", "scale", "target", "extrapolates", "typical",
    "feedback", "model",
))  # fmt: skip
ADDED: Document = {"target": None, "extrapolates": [], "typical": [], "feedback": None}
"""By version 3: a law of an older one holds what it sees in its domain."""
VERSIONED = "@"  # sgd@0.1.0: the law sgd as that version shipped it


def load(name_or_path: str | Path) -> Law:
    """Load a law Ψ from a file, or one that comes with the package by its name.

    Args:
        name_or_path: "sgd", "momentum", "adam" or another name that `psi laws` lists ("sgd-train"
            for the training loss, "sgd@0.1.0" as that version shipped it); or the path of a law
            file, JSON for a formula and safetensors for a network.

    Returns:
        The law, a pure function of its features.

    Raises:
        psi.LawFileError: there is no such file or it holds no law; the message says why.

    Example:
        >>> import psi
        >>> law = psi.load("momentum")
        >>> law.facts[:4]
        ('parameters', 'stream', 'rows', 'batch')
        >>> law = psi.load("momentum@0.1.0")
        >>> law.features
        ('loss_ratio', 'progress', 'parameters')
        >>> rate = law([0.5, 0.25, 10_000])  # ε/ε_0 = 0.5, i/T = 0.25, P = 10,000
        >>> law.rates.low <= float(rate) <= law.rates.high
        True
    """
    path = located(name_or_path)
    document, arrays = read(path)
    try:
        return _law(document, arrays)
    except (ValueError, RecursionError) as error:
        raise LawFileError(f"{path}: not a law file: {error}") from None


def shipped(former: bool = False) -> tuple[tuple[str, Law], ...]:
    """(name, law) of every law that comes with the package, with those of `former` versions or not.

    They are in the order of their names.
    """
    laws = psi.pretrained.laws().items()
    return tuple((name, load(path)) for name, path in laws if former or VERSIONED not in name)


def located(name_or_path: str | Path) -> Path:
    """The path of a law file: the one given, or that of the shipped law of this name.

    Raises LawFileError for a bare name that is neither.
    """
    path = Path(name_or_path)
    # Path.exists would raise for a name that is too long or in a folder that may not be read.
    if os.path.exists(path) or len(path.parts) != 1:
        return path
    shipped = psi.pretrained.laws()
    if path.name in shipped:
        return shipped[path.name]
    if path.suffix and VERSIONED not in path.name:
        return path
    listed = ", ".join(shipped) or "none yet"
    raise LawFileError(f"{path}: no such file, nor a shipped law (shipped: {listed})")


def _law(document: Document, arrays: dict[str, np.ndarray]) -> Law:
    version = document.get("version")
    # True and 1.0 equal 1.
    if document.get("format") != FORMAT or type(version) is not int or version not in READABLE:
        got = f"{document.get('format')!r:.40} version {document.get('version')!r:.40}"
        raise ValueError(f"expected format {FORMAT!r} version {READABLE[-1]}, got {got}")
    document = _upgraded(document)
    if document.keys() != KEYS:
        raise ValueError(f"missing or unknown keys: {sorted(document.keys() ^ KEYS)}")
    if document["kind"] == "formula" and not arrays:
        model = from_json(document["model"])
    elif document["kind"] == "network":
        model = _network(document["model"], arrays)
    else:
        raise ValueError(f"kind must be formula or network, got {document['kind']!r:.40}")
    return Law(
        model=model,
        features=_texts(document["features"], "features"),
        domain=tuple(Range(*_numbers(each, 2, "domain")) for each in _list(document["domain"])),
        rates=Range(*_numbers(document["rates"], 2, "rates")),
        optimizer=_text(document["optimizer"], "optimizer"),
        initial_loss=_number(document["initial_loss"], "initial_loss"),
        constants=tuple(FittedConstant(*each) for each in _named(document, "constants", 3)),
        scores=tuple(Score(*each) for each in _named(document, "scores", 1)),
        provenance=_provenance(document["provenance"]),
        scale=None if (scale := document["scale"]) is None else _number(scale, "scale"),
        target=None if (target := document["target"]) is None else _text(target, "target"),
        extrapolates=_texts(document["extrapolates"], "extrapolates"),
        typical=_numbers(document["typical"], None, "typical"),
        feedback=None if (rule := document["feedback"]) is None else _feedback(rule),
    )


def _upgraded(document: Document) -> Document:
    """A document as one of version 3.

    Version 2 adds `scale` and `command` to version 1, version 3 what `ADDED` has.
    """
    if document["version"] == 1 and "scale" not in document:
        document = document | {"scale": None}
        if isinstance(old := document.get("provenance"), dict) and "command" not in old:
            document["provenance"] = old | {"command": ""}
    if document["version"] < 3 and not ADDED.keys() & document.keys():
        document = document | ADDED
    return document


def _network(model: Any, arrays: dict[str, np.ndarray]) -> Network:
    if not isinstance(model, dict) or model.keys() != {"transforms"}:
        raise ValueError("the model of a network must be {transforms: […]}")
    layers = (len(arrays) - 2) // 2
    names = [f"{part}.{number}" for number in range(layers) for part in ("weights", "bias")]
    if arrays.keys() != {"shift", "scale", *names}:
        raise ValueError(f"arrays must be shift, scale, weights.k, bias.k; got {sorted(arrays)}")
    return Network(
        transforms=_texts(model["transforms"], "transforms"),
        shift=arrays["shift"],
        scale=arrays["scale"],
        layers=tuple(Layer(arrays[f"weights.{k}"], arrays[f"bias.{k}"]) for k in range(layers)),
    )


def _feedback(rule: Any) -> Feedback:
    if not isinstance(rule, dict) or rule.keys() != {"keep", "change"}:
        raise ValueError("feedback must be null or {keep: …, change: …}")
    return Feedback(_number(rule["keep"], "keep"), from_json(rule["change"]))


def _named(document: Document, key: str, count: int) -> Iterator[Any]:
    """(name, number, …) of each row, a name and `count` numbers."""
    for each in _list(document[key]):
        name, *rest = _list(each) or [None]
        yield _text(name, key), *_numbers(rest, count, key)


def _provenance(data: Any) -> Provenance | None:
    if data is None:
        return None
    keys = {"data_hash", "config_hash", "versions", "command"}
    if not isinstance(data, dict) or data.keys() != keys:
        raise ValueError(f"provenance must have the keys {sorted(keys)}")
    return Provenance(
        data_hash=_text(data["data_hash"], "data_hash"),
        config_hash=_text(data["config_hash"], "config_hash"),
        versions=_texts(data["versions"], "versions"),
        command=_text(data["command"], "command"),
    )


def _list(data: Any) -> Sequence[Any]:
    if not isinstance(data, list):
        raise ValueError(f"expected a list, got {data!r:.60}")
    return data


def _text(data: Any, what: str) -> str:
    if not isinstance(data, str):
        raise ValueError(f"{what} must be text, got {data!r:.60}")
    return data


def _texts(data: Any, what: str) -> tuple[str, ...]:
    return tuple(_text(each, what) for each in _list(data))


def _number(data: Any, what: str) -> float:
    if isinstance(data, bool) or not isinstance(data, int | float) or not abs(data) < 1e300:
        raise ValueError(f"{what} must be a finite number below 1e300, got {data!r:.60}")
    return float(data)


def _numbers(data: Any, count: int | None, what: str) -> tuple[float, ...]:
    numbers = tuple(_number(each, what) for each in _list(data))
    if count is not None and len(numbers) != count:
        raise ValueError(f"{what} must be {count} numbers, got {data!r:.60}")
    return numbers
