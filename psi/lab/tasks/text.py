"""Predict the next character of a text that is installed: reference, source code or licences.

The texts differ between versions of Python and of packages; the vocabulary does not.
"""

import hashlib
import re
import sys
import sysconfig
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, distribution
from itertools import pairwise
from pathlib import Path
from pydoc_data.topics import topics

import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from psi.lab.hyper import Hyper
from psi.lab.networks.table import network
from psi.lab.tasks.build import fixed_task
from psi.lab.tasks.task import Batch, Splits, Task

# The most frequent characters of the lower-cased reference; they make up 99 % of it.
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789 \n-\"_.*,=():|'>[]+;<"
OTHER = len(ALPHABET)
VOCABULARY = OTHER + 1
WINDOW = 32
ROWS = (1024, 128, 128)  # windows of train, validation, test
SHARES = (0.0, 0.8, 0.9, 1.0)  # of the text before the parts' beginnings and ends
# What the lab requires, in the order of pyproject.toml.
PACKAGES = (
    "numpy", "safetensors", "jax", "jaxtyping", "flax", "optax", "pandas", "pyarrow",
    "scikit-learn", "scipy", "pyoperon", "sympy", "evosax", "optuna", "optimistix", "tyro", "rich",
    "matplotlib", "plotly",
)  # fmt: skip
LICENCE = re.compile(r"[^/]+\.dist-info/.*(licen[cs]e|copying|notice).*", re.IGNORECASE)


def reference() -> str:
    """The language reference that `help()` shows, topic by topic."""
    return "\n".join(topics[name] for name in sorted(topics))


def source() -> str:
    """The standard library's modules that are one file, by name."""
    files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    return "\n".join(f.read_text("utf-8") for f in files if f.stem in sys.stdlib_module_names)


def licences() -> str:
    """Readme and licences of `PACKAGES`; a paragraph that many of them hold counts once."""
    texts = []
    for package in PACKAGES:
        found = distribution(package)
        files = sorted(f for f in found.files or () if LICENCE.fullmatch(f.as_posix()))
        texts.append(found.metadata["Description"] or "")
        texts += [f.locate().read_text("utf-8", "replace") for f in files]  # type: ignore[attr-defined]
    paragraphs = re.split(r"\n\s*\n", "\n\n".join(texts))
    # However they are indented or wrapped.
    return "\n\n".join({" ".join(text.lower().split()): text for text in paragraphs}.values())


TEXTS = {"licences": licences, "pydoc": reference, "stdlib": source}


def text_of(name: str) -> str:
    """The text of a name in `TEXTS`. Raises ValueError where it is not installed."""
    try:
        text = TEXTS[name]()
    except PackageNotFoundError as error:
        raise ValueError(f"{name}: {error}; pip install 'psi-lr[lab]'") from None
    if not text:
        raise ValueError(f"{name}: the files of this text are not installed with this Python")
    return text


def text_sha256(name: str) -> str:
    """The SHA-256 of a text, which tells one version from another."""
    return hashlib.sha256(text_of(name).encode()).hexdigest()


def encode(text: str) -> Int[np.ndarray, " characters"]:
    """The number of each character, lower-cased, in ALPHABET; OTHER for all that are not in it."""
    numbers = {character: number for number, character in enumerate(ALPHABET)}
    return np.array([numbers.get(character, OTHER) for character in text.lower()], np.int32)


def windows(tokens: Int[np.ndarray, " characters"], rows: int, length: int) -> Batch:
    """`rows` windows spread evenly over a text: their tokens, and after each the next token."""
    starts = np.linspace(0, len(tokens) - length - 1, rows).astype(int)
    spans = tokens[starts[:, None] + np.arange(length + 1)[None]]
    return Batch(jnp.asarray(spans[:, :-1]), jnp.asarray(spans[:, 1:]))


def text_task(name: str, hyper: Hyper) -> Task:
    """Next-character prediction on a text of `TEXTS`.

    The first 80 % of the text are for training, 10 % for validation and the last 10 % for the test.
    Raises ValueError for a network that does not read tokens, or a text that is not installed.
    """
    hyper = replace(hyper, network=hyper.network or "gru")
    model = network(hyper, VOCABULARY, VOCABULARY, window=WINDOW)
    tokens = encode(text_of(name))
    ends = [int(share * len(tokens)) for share in SHARES]
    parts = (tokens[a:b] for a, b in pairwise(ends))
    splits = Splits(*(windows(part, rows, WINDOW) for part, rows in zip(parts, ROWS, strict=True)))
    return fixed_task(name, model, splits, hyper, VOCABULARY, domain=name)
