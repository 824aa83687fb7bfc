"""Predict the next character of a text that comes with Python: its language reference.

The text differs a little between versions of Python; the vocabulary does not.
"""

from dataclasses import replace
from itertools import pairwise
from pydoc_data.topics import topics

import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from psi.lab.hyper import Hyper
from psi.lab.networks.table import network
from psi.lab.tasks.build import fixed_task
from psi.lab.tasks.task import Batch, Splits, Task

# The most frequent characters of the lower-cased text; they make up 99 % of it.
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789 \n-\"_.*,=():|'>[]+;<"
OTHER = len(ALPHABET)
VOCABULARY = OTHER + 1
WINDOW = 32
ROWS = (1024, 128, 128)  # windows of train, validation, test
SHARES = (0.0, 0.8, 0.9, 1.0)  # of the text before the parts' beginnings and ends


def encode(text: str) -> Int[np.ndarray, " characters"]:
    """The number of each character, lower-cased, in ALPHABET; OTHER for all that are not in it."""
    numbers = {character: number for number, character in enumerate(ALPHABET)}
    return np.array([numbers.get(character, OTHER) for character in text.lower()], np.int32)


def windows(tokens: Int[np.ndarray, " characters"], rows: int, length: int) -> Batch:
    """`rows` windows spread evenly over a text: their tokens, and after each the next token."""
    starts = np.linspace(0, len(tokens) - length - 1, rows).astype(int)
    spans = tokens[starts[:, None] + np.arange(length + 1)[None]]
    return Batch(jnp.asarray(spans[:, :-1]), jnp.asarray(spans[:, 1:]))


def pydoc_task(hyper: Hyper) -> Task:
    """Next-character prediction on the language reference that `help()` shows, topic by topic.

    The first 80 % of the text are for training, 10 % for validation and the last 10 % for the test.
    Raises ValueError for a network that does not read tokens.
    """
    hyper = replace(hyper, network=hyper.network or "gru")
    model = network(hyper, VOCABULARY, VOCABULARY, window=WINDOW)
    tokens = encode("\n".join(topics[name] for name in sorted(topics)))
    ends = [int(share * len(tokens)) for share in SHARES]
    parts = (tokens[a:b] for a, b in pairwise(ends))
    splits = Splits(*(windows(part, rows, WINDOW) for part, rows in zip(parts, ROWS, strict=True)))
    return fixed_task("pydoc", model, splits, hyper, VOCABULARY, domain="pydoc")
