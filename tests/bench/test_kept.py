"""What is kept is what was measured, and nothing of another list of tasks."""

import jax
import numpy as np
import pytest

from psi.bench.baselines import SCHEDULES
from psi.bench.kept import Key, keep, kept
from psi.bench.suites import suite
from psi.bench.suites.ledger import entries
from psi.bench.suites.suite import Suite
from psi.bench.tuning import Reference, measured, unknown_floor
from psi.ideal.oracle import Search, plans_at, trajectory_losses
from psi.ideal.returns import score
from psi.lab.engine.seeds import CHOOSING
from psi.lab.hyper import Hyper
from psi.lab.optimizers import OPTIMIZERS
from psi.lab.tasks.names import Spec
from psi.lab.tasks.table import spec_task

SPEC = Spec("wine", Hyper(epochs=3, width=4))
SMALL = Suite("small", (SPEC,), "0" * 64)
KEY = jax.random.key(3)
SEARCH = Search(knots=2, restarts=1, population=4, generations=2, seeds=2, choosing=4)


@pytest.fixture(scope="module")
def reference():
    return measured(spec_task(SPEC, "adam"), KEY, SEARCH)


def test_what_is_kept_is_read_back(tmp_path, reference):
    bare = reference._replace(oracle=np.zeros(0), oracle_runs=0, floor=0.25)
    written = {Key("adam", 0): reference, Key("sgd", 7): bare}
    keep(SMALL, written, tmp_path)
    read = kept(SMALL, tmp_path)
    assert set(read) == set(written)
    for key, each in written.items():
        for a, b in zip(each, read[key], strict=True):
            np.testing.assert_array_equal(a, b)
    assert kept(SMALL._replace(digest="1" * 64), tmp_path) == {}
    assert kept(SMALL._replace(name="another"), tmp_path) == {}


def test_the_oracle_is_no_worse_than_the_plain_schedules_where_it_was_chosen(reference):
    task = spec_task(SPEC, "adam")
    plans = np.concatenate([plans_at(reference.peaks, 3), reference.oracle[None]])
    losses = trajectory_losses(task, plans, CHOOSING.array(SEARCH.choosing), KEY).mean(0)
    assert losses[-1] <= losses[:-1].min() * (1 + 1e-5)


def test_a_choice_is_the_best_of_the_grid_and_says_what_it_took():
    losses = np.array([[3.0, 1.0, 2.0], [2.0, 3.0, 1.5], [1.0, 1.0, 1.0]])
    made = Reference(0.5, np.array([0.1, 0.2, 0.4]), losses, np.zeros(0), 0)
    found = made.choice("linear", 4.5)
    assert (found.rate, found.tuning_runs) == (0.4, 60)
    assert found.tuning_score == pytest.approx(np.log(1.0 + 0.04))
    assert score(np.array(1.5), 0.5, 4.5) == pytest.approx(found.tuning_score)
    np.testing.assert_array_equal(made.peaks, [0.2, 0.4, 0.1])
    assert made.runs == 180
    assert SCHEDULES[1] == "linear"


def test_the_lowest_loss_of_text_alone_is_unknown():
    """Of fixed data it is 0, of a generator's stream the Bayes loss."""
    of = {name: spec_task(Spec(name, Hyper(epochs=2)), "sgd") for name in ("wine", "moons-0")}
    assert not any(unknown_floor(task.facts) for task in of.values())
    text = next(spec for spec in suite("train").specs if spec.hyper.network == "gru")
    assert unknown_floor(spec_task(text, "sgd").facts)


@pytest.mark.parametrize("name", ["smoke", "sealed"])
def test_what_is_kept_with_a_suite_is_of_its_tasks_and_entered(name):
    tasks = suite(name)
    found = kept(tasks)
    for key, each in found.items():
        assert key.optimizer in OPTIMIZERS.names
        assert len(each.oracle) == tasks.specs[key.task].hyper.epochs
        assert (each.losses.argmin(1) > 0).all()  # inside the grid, or the grid was extended often
    if name == "smoke":
        assert len(found) == 3 * len(tasks.specs)
    elif found:
        assert any(e.suite == tasks.digest and "references" in e.what for e in entries())
