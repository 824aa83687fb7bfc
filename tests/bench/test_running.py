"""A suite is run: everyone on the same seeds, resumable, and as alone."""

import shutil
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import psi
from psi.bench.baselines import BASELINES, Baseline
from psi.bench.choosing import SCORING
from psi.bench.contestants import OWN, TUNED, Contestant, Contestants, Job
from psi.bench.running import SECONDS, Scored, _frame, key_of, ran, run_suite, together
from psi.bench.running import Lane as Number
from psi.bench.suites.ledger import Entry
from psi.bench.suites.suite import Suite, suite
from psi.bench.tuning import TUNING, Choice
from psi.ideal.returns import score
from psi.lab.data import store
from psi.lab.engine.policy import law_policy
from psi.lab.engine.population import Epochs, population
from psi.lab.engine.probe import GRADIENTS, initial_grad_norms, probed_scale
from psi.lab.engine.work import Layout
from psi.lab.hyper import Hyper
from psi.lab.tasks.names import Spec
from psi.lab.tasks.table import spec_task
from psi.law.features import Observation
from psi.law.law import Range, Score
from psi.law.load import shipped
from psi.law.parsing import parse

SPEC = Spec("wine", Hyper(epochs=3, width=4))
SMALL = Suite("small", (SPEC,), "0" * 64)
LAW = psi.load("adam")
BRINGING = next(row.name for row in BASELINES if row.optimizer is not None)
WHO = Contestants(("adam",), ("constant", "linear", "linear" + TUNED, BRINGING), (("law", LAW),))


def linear(peak):
    return BASELINES["linear"].make(peak, 3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("suite") / "run"
    run_suite(SMALL, WHO, out)
    return out


def test_everyone_runs_from_the_same_seeds(folder):
    runs = store.read_records(folder)
    assert set(runs.method) == {"constant", "linear", "linear" + TUNED, BRINGING, "law"}
    for _, own in runs.groupby("method"):
        assert own.seed.tolist() == [seed for seed in SCORING for _ in range(3)]
        assert own.epoch.tolist() == [0, 1, 2] * len(SCORING)
    assert set(runs[runs.method == BRINGING].optimizer) == {OWN}
    assert runs.domain.unique().tolist() == ["wine"]


def test_a_contestant_beside_others_ends_as_alone(folder):
    """Within rounding: a program of several policies is another program."""
    runs, task = store.read_records(folder), spec_task(SPEC, "adam")
    rate = BASELINES["linear"].default_rate("adam")
    alone = population(task, linear, np.array([rate], np.float32), SCORING, key_of(0))
    own = runs[runs.method == "linear"]
    np.testing.assert_allclose(own.val_loss, alone.val_loss[0].reshape(-1), rtol=1e-4)
    np.testing.assert_allclose(own.lr[:3], [rate, rate * 2 / 3, rate / 3], rtol=1e-6)
    ruled = population(
        task, lambda _: law_policy(LAW, 3), np.zeros((1, 1), np.float32), SCORING, key_of(0)
    )
    own = runs[runs.method == "law"]
    np.testing.assert_allclose(own.lr, ruled.lr[0].reshape(-1), rtol=1e-4)


def test_a_law_of_scale_and_shape_has_the_scale_of_each_run_s_probe(tmp_path):
    law = next(law for _, law in shipped() if law.scale and law.optimizer == "adam")
    run_suite(SMALL, Contestants(("adam",), (), (("scaled", law),)), tmp_path / "run")
    runs, task = store.read_records(tmp_path / "run"), spec_task(SPEC, "adam")
    first = runs[runs.epoch == 0]
    scales = probed_scale(task, SCORING, key_of(0))
    np.testing.assert_allclose(first.rate, scales, rtol=1e-5)
    np.testing.assert_allclose(first.lr / first.rate, (first.lr / first.rate).iloc[0], rtol=1e-3)
    assert first.rate.nunique() == len(SCORING)
    assert (runs.gradients == GRADIENTS).all()


def test_a_law_of_the_first_gradient_has_that_of_each_run(tmp_path):
    law = replace(
        psi.load("sgd@0.1.0"), model=parse("0.1*initial_grad_norm^(-0.5)"),
        features=("initial_grad_norm",), domain=(Range(1e-3, 1e3),), constants=(), typical=(1.0,),
        rates=Range(1e-6, 10.0), target="validation",
    )  # fmt: skip
    run_suite(SMALL, Contestants(("sgd",), (), (("seen", law),)), tmp_path / "run")
    runs = store.read_records(tmp_path / "run")
    norms = initial_grad_norms(spec_task(SPEC, "sgd"), SCORING, key_of(0))
    first = runs[runs.epoch == 0]
    np.testing.assert_allclose(first.lr, 0.1 * norms**-0.5, rtol=1e-4)
    assert first.lr.nunique() == len(SCORING)
    assert (runs.gradients == 0).all()


def test_tuning_finds_the_best_of_its_grid(folder):
    runs = store.read_records(folder).set_index("method")
    tuned, plain = runs.loc["linear" + TUNED], runs.loc["linear"]
    last = tuned.epoch == 2
    assert tuned[last].val_loss.mean() <= plain[plain.epoch == 2].val_loss.mean()
    assert (tuned.tuning_runs >= 17 * 20).all()
    task, rate = spec_task(SPEC, "adam"), np.array(tuned.rate[:1], np.float32)
    again = population(task, linear, rate, TUNING, key_of(0), Layout(1, 4))
    facts = task.facts
    last = np.asarray(again.val_loss[0, :, -1:]).mean(0)
    best = score(last, facts.floor, facts.chance_loss)
    np.testing.assert_allclose(tuned.tuning_score, best.item(), rtol=1e-4)
    assert not set(TUNING) & set(SCORING)
    assert plain.tuning_runs.sum() == 0


def test_it_goes_on_and_others_may_join(folder):
    before = store.committed(folder)
    said = []
    run_suite(SMALL, WHO, folder, report=lambda *each: said.append(each))
    assert store.committed(folder) == before
    assert [each[:2] for each in said] == [(390, 390)]  # five contestants, one of them tuned
    more = Contestants(("adam",), ("cosine",))
    run_suite(SMALL, more, folder)
    assert set(store.committed(folder)) - set(before) == {"part-adam-000-cosine"}
    with pytest.raises(ValueError, match="made by another config"):
        run_suite(SMALL._replace(digest="1" * 64), WHO, folder)


def test_what_is_left_of_a_run_has_the_bits_of_a_run_at_once(folder, tmp_path):
    """One that was stopped within a job: its program is that of all of the job's contestants."""
    half = tmp_path / "run"
    shutil.copytree(folder, half)
    lost = list(half.rglob("part-adam-000-linear*"))
    assert len(lost) == 4  # records and manifest entries of linear and linear, tuned
    for path in lost:
        path.unlink()
    run_suite(SMALL, WHO, half)
    for part in folder.glob("records/*.parquet"):
        assert (half / "records" / part.name).read_bytes() == part.read_bytes()


def test_what_a_training_takes_is_kept_beside_the_records(folder):
    seconds = pd.read_csv(folder / SECONDS)
    assert set(seconds.method) >= {"constant", "linear", "linear" + TUNED, BRINGING, "law"}
    assert (seconds.seconds > 0).all()


def test_the_sealed_suite_wants_an_entry(tmp_path):
    sealed = Suite("mine", suite("sealed").specs[:1], "0" * 64)  # by whatever list they come
    with pytest.raises(ValueError, match="needs an entry in the ledger"):
        run_suite(sealed, WHO, tmp_path / "run")
    with pytest.raises(ValueError, match="needs a reason"):
        ran(sealed, WHO, tmp_path / "run", "")
    assert not (tmp_path / "run").exists()


def test_who_joins_a_sealed_run_is_another_look(tmp_path, monkeypatch):
    sealed = Suite("mine", suite("sealed").specs[:1], "0" * 64)
    entry = Entry(1, "2026-11-25", "", sealed.digest, str(WHO), "a first look")
    monkeypatch.setattr("psi.bench.running.check_entry", lambda *_: entry)
    with store.locked(tmp_path):
        store.open_config(tmp_path, {"entry": 1})
    assert ran(sealed, WHO, tmp_path, "") == 1
    (name, law), *_ = WHO.laws
    judged = replace(law, scores=(Score("regret", 0.1),))  # of the same rates
    assert ran(sealed, replace(WHO, laws=((name, judged),)), tmp_path, "") == 1
    changed = replace(WHO, laws=((name, replace(law, initial_loss=3.0)),))
    for more in (Contestants(("adam",), ("linear",), WHO.laws), changed):
        with pytest.raises(ValueError, match="is the run of entry 1, of others"):
            ran(sealed, more, tmp_path, "a reason")


def test_a_full_batch_is_one_step_an_epoch_of_all_rows():
    task = spec_task(SPEC, "adam")
    zeros: Any = np.zeros((len(SCORING), 3))
    runs = Epochs(*[zeros] * len(Epochs._fields))
    for name, whole in (("lbfgs", True), ("linear", False)):
        of = Contestant(name, BASELINES[name])
        frame = _frame(Job("adam", 0, (of,)), Scored(task, of, Choice(0.1), runs, 0.0))
        steps, rows = task.facts.steps, task.facts.steps * task.facts.batch
        assert set(frame.steps) == {1 if whole else steps}
        assert set(frame.steps * frame.batch) == {rows}


def test_one_program_serves_all_policies():
    rows: tuple[Baseline, ...] = (BASELINES["constant"], BASELINES["linear"])
    policy = together(rows, 3)
    assert policy is together(rows, 3)
    plan = np.array([[0, 0, 0], [0, 0, 0], [0.3, 0.1, 0.2]], np.float32)
    lanes = Number(np.array([0, 1, 2]), np.array([0.1, 0.2, np.nan], np.float32), plan)
    start = Observation(*[jnp.asarray(1.0)] * len(Observation._fields))
    seen = [start._replace(epoch=jnp.asarray(i)) for i in range(3)]

    def rates(lane):
        rule = policy(lane)
        return jnp.stack([rule.step(rule.init(each), each)[1] for each in seen])

    expected = [[0.1] * 3, [0.2, 0.4 / 3, 0.2 / 3], plan[2]]
    np.testing.assert_allclose(jax.vmap(rates)(lanes), expected, rtol=1e-6)
