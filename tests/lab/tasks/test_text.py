"""Text tasks: they hold the installed texts, cut as they say."""

import platform
import re
from functools import partial
from importlib.metadata import version
from pathlib import Path
from pydoc_data.topics import topics

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from psi.lab.engine.training import Progress, train_epoch
from psi.lab.hyper import Hyper
from psi.lab.tasks.text import (
    ALPHABET,
    OTHER,
    PACKAGES,
    TEXTS,
    VOCABULARY,
    WINDOW,
    encode,
    text_of,
    text_sha256,
    text_task,
    windows,
)

pytestmark = pytest.mark.slow  # many programs are compiled


@pytest.fixture(scope="module")
def task():
    return text_task("pydoc", Hyper(epochs=3))


@pytest.fixture(scope="module")
def text():
    return "\n".join(topics[name] for name in sorted(topics)).lower()


def decoded(tokens):
    return "".join((ALPHABET + "§")[token] for token in np.asarray(tokens))


def test_characters_have_their_place_whatever_their_case():
    assert len(set(ALPHABET)) == OTHER == VOCABULARY - 1
    assert encode("Ab z\n§é@").tolist() == [0, 1, 36, 25, 37, OTHER, OTHER, OTHER]
    assert decoded(encode(ALPHABET)) == ALPHABET


def test_pydoc_is_the_reference(text):
    assert text_of("pydoc").lower() == text


@pytest.mark.parametrize("name", TEXTS)
def test_little_of_a_text_is_outside_the_alphabet(name):
    tokens = encode(text_of(name))
    assert len(tokens) > 200_000
    assert (tokens == OTHER).mean() < 0.03


def test_a_paragraph_of_the_licences_counts_once():
    paragraphs = re.split(r"\n\s*\n", text_of("licences"))
    assert len({" ".join(text.lower().split()) for text in paragraphs}) == len(paragraphs)
    assert sum("1. definitions." in text.lower() for text in paragraphs) == 1  # of Apache's licence


def test_the_hashes_on_the_page_are_those_of_the_versions_that_it_names():
    """Other versions have other texts, and nothing to compare."""
    root = Path(__file__).parents[3]
    page = (root / "data" / "sets.md").read_text()
    said = dict(re.findall(r"^\| `(\w+)` \| `([0-9a-f]{64})` \|$", page, re.MULTILINE))
    assert set(said) == set(TEXTS)
    pins = (root / "scripts" / "constraints.txt").read_text().split()
    if any(f"{package}=={version(package)}" not in pins for package in PACKAGES):
        said.pop("licences")
    if f"with Python {platform.python_version()}" not in " ".join(page.split()):
        said = {name: said[name] for name in said if name == "licences"}
    assert {name: text_sha256(name) for name in said} == said


def test_a_text_that_is_not_installed_is_one_line(monkeypatch):
    monkeypatch.setattr("psi.lab.tasks.text.PACKAGES", ("no-such-package",))
    with pytest.raises(
        ValueError, match=r"^licences: .*no-such-package.*pip install 'psi-lr\[lab\]'$"
    ):
        text_of("licences")
    monkeypatch.setattr("sysconfig.get_path", lambda _: "no-such-folder")
    with pytest.raises(ValueError, match=r"^stdlib: .*not installed"):
        text_of("stdlib")


def test_windows_are_spread_from_end_to_end_and_targets_are_the_next_tokens():
    batch = windows(np.arange(100, dtype=np.int32), rows=4, length=9)
    x, y = np.asarray(batch.x), np.asarray(batch.y)
    assert x[:, 0].tolist() == [0, 30, 60, 90]
    np.testing.assert_array_equal(x, x[:, :1] + np.arange(9))
    np.testing.assert_array_equal(y, x + 1)
    assert y.max() == 99


def test_splits_lie_in_disjoint_parts_of_the_text(task, text):
    known = "".join(c if c in ALPHABET else "§" for c in text)
    cuts = [int(share * len(known)) for share in (0, 0.8, 0.9, 1)]
    for k, (part, rows) in enumerate(zip(task.splits, (1024, 128, 128), strict=True)):
        inside = known[cuts[k] : cuts[k + 1]]
        assert part.x.shape == part.y.shape == (rows, WINDOW)
        np.testing.assert_array_equal(part.x[:, 1:], part.y[:, :-1])
        at = 0
        for x, y in zip(np.asarray(part.x), np.asarray(part.y), strict=True):
            at = inside.find(decoded([*x, y[-1]]), at)
            assert at >= 0
        assert at <= len(inside) - WINDOW - 1


def test_facts_are_true(task):
    facts = task.facts
    assert (task.name, facts.domain, facts.network) == ("pydoc", "pydoc", "gru")
    assert (facts.classes, facts.inputs, facts.floor) == (VOCABULARY, WINDOW, 0)
    assert (facts.rows, facts.batch, facts.steps, facts.epochs) == (1024, 32, 32, 3)
    params = jax.eval_shape(task.init, jax.random.key(0))
    assert facts.parameters == sum(leaf.size for leaf in jax.tree.leaves(params))
    train, other = (np.asarray(part.y).ravel() for part in task.splits[:2])
    share = [((train == c).sum() + 1) / (train.size + VOCABULARY) for c in range(VOCABULARY)]
    np.testing.assert_allclose(facts.chance_loss, -np.log(np.take(share, other)).mean(), rtol=1e-6)
    assert text_task("pydoc", Hyper(epochs=5)).functions == task.functions


def test_two_epochs_learn_more_than_the_frequencies_of_characters():
    task = text_task("pydoc", Hyper(network="gru", width=8, batch=64, optimizer="adam"))
    functions = task.functions
    epochs = [functions.epoch(task.arrays, jax.random.key(1), jnp.asarray(i)) for i in range(2)]
    assert epochs[0].x.shape == epochs[0].y.shape == (16, 64, WINDOW)
    rows = jax.tree.map(lambda *a: jnp.concatenate(a), *epochs)

    def update(grads, state, params, *_):
        updates, state = functions.optimizer.update(grads, state, params)
        return optax.tree_utils.tree_scale(-0.03, updates), state

    @partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})  # it runs once
    def train(key, batches):
        params = task.init(key)
        progress = Progress(params, functions.optimizer.init(params))
        progress, _ = train_epoch(functions, task.arrays, update, progress, batches)
        loss = functions.loss(task.arrays, progress.params, task.splits.validation)
        return loss, functions.accuracy(task.arrays, progress.params, task.splits.validation)

    loss, accuracy = train(jax.random.key(0, impl="unsafe_rbg"), rows)
    spaces = (np.asarray(task.splits.validation.y) == ALPHABET.index(" ")).mean()
    assert loss < task.facts.chance_loss - 0.1
    assert accuracy > spaces


@pytest.mark.parametrize("name", ["linear", "mlp", "residual", "cnn"])
def test_a_network_that_reads_no_text_is_refused(name):
    with pytest.raises(ValueError, match=rf"{name} cannot take windows.*allowed: gru, transformer"):
        text_task("pydoc", Hyper(network=name))
