"""Prediction of the next character of a text that every Python carries: its own documentation.

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

# The commonest characters of the text once it is lower-cased; they are 99 % of it.
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789 \n-\"_.*,=():|'>[]+;<"
OTHER = len(ALPHABET)
VOCABULARY = OTHER + 1
WINDOW = 32
ROWS = (1024, 128, 128)  # windows of train, validation, test
SHARES = (0.0, 0.8, 0.9, 1.0)  # where in the text each part begins and ends


def encode(text: str) -> Int[np.ndarray, " characters"]:
    """A character's place in ALPHABET, lower-cased; OTHER where it has none."""
    places = {character: place for place, character in enumerate(ALPHABET)}
    return np.array([places.get(character, OTHER) for character in text.lower()], np.int32)


def windows(tokens: Int[np.ndarray, " characters"], rows: int, length: int) -> Batch:
    """`rows` windows spread evenly over a text: tokens, and at each the one that follows."""
    starts = np.linspace(0, len(tokens) - length - 1, rows).astype(int)
    seen = tokens[starts[:, None] + np.arange(length + 1)[None]]
    return Batch(jnp.asarray(seen[:, :-1]), jnp.asarray(seen[:, 1:]))


def pydoc_task(hyper: Hyper) -> Task:
    """Next characters of the language reference that `help()` shows, topic after topic.

    The first 80 % of the text train, the next 10 % validate, the last 10 % test.
    Raises ValueError for a network that does not read text.
    """
    hyper = replace(hyper, network=hyper.network or "gru")
    model = network(hyper, VOCABULARY, VOCABULARY, window=WINDOW)
    tokens = encode("\n".join(topics[name] for name in sorted(topics)))
    ends = [int(share * len(tokens)) for share in SHARES]
    parts = (tokens[a:b] for a, b in pairwise(ends))
    splits = Splits(*(windows(part, rows, WINDOW) for part, rows in zip(parts, ROWS, strict=True)))
    task = fixed_task("pydoc", model, splits, hyper, VOCABULARY)
    return task._replace(facts=replace(task.facts, domain="pydoc"))
