"""Facts of tasks, and the sets of them that a scale may depend on."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import psi.fit.scale
from psi.fit.scale.facts import (
    FACTS,
    MOST,
    OF_DATA,
    OF_TRAINING,
    SETS,
    FactSet,
    design,
    facts_of,
    sets_for,
)
from tests.fit.scale.planted import planted


def test_sets_go_from_few_constants_to_as_many_as_a_law_may_have():
    counts = [each.constants for each in SETS]
    assert counts[0] == 1
    assert counts == sorted(counts)
    assert counts[-1] == MOST
    assert len({each.name for each in SETS}) == len(SETS)
    assert {name for each in SETS for name in each.facts} == {*FACTS} == {*OF_DATA, *OF_TRAINING}


def test_the_design_is_logs_and_products_with_stream():
    facts = facts_of(planted().atlas.tasks)
    chosen = FactSet("", ("stream", "batch", "steps"), ("steps",))
    x = design(facts, chosen)
    stream = facts.stream.to_numpy()
    np.testing.assert_allclose(x[:, 0], stream)
    np.testing.assert_allclose(x[:, 1], np.log(facts.batch))
    np.testing.assert_allclose(x[:, 3], np.log(facts.steps) * stream)
    assert design(facts, SETS[0]).shape == (len(facts), 0)
    assert (facts["rows"][stream == 1] == 1).all()


def test_laws_of_adam_see_no_gradient():
    assert sets_for("sgd") == sets_for("momentum") == SETS
    seen = {name for each in sets_for("adam") for name in each.facts}
    assert {*FACTS} - seen == {"initial_grad_norm"}


def test_a_part_of_a_set_keeps_the_products_that_it_can():
    whole = SETS[-1]
    assert whole.without(["batch"]).by_stream == ("parameters", "steps", "budget")
    assert whole.without(["stream"]).by_stream == ()
    assert whole.of(["batch"]).columns == ("batch",)
    assert whole.of(["batch", "stream"]).columns == ("stream", "batch", "batch*stream")


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_a_fact_that_is_no_positive_number_is_named_with_its_task(value):
    tasks = planted(domains=2, each=2).atlas.tasks.astype({"steps": float})
    tasks.loc[2, "steps"] = value
    with pytest.raises(ValueError, match=r"steps must be positive and finite, got .* of task 102"):
        facts_of(tasks)


@pytest.mark.parametrize("name", [m.name for m in pkgutil.iter_modules(psi.fit.scale.__path__)])
def test_examples_run(name):
    module = importlib.import_module(f"psi.fit.scale.{name}")
    assert doctest.testmod(module, optionflags=doctest.ELLIPSIS).failed == 0
