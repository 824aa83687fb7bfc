"""A law beside the tuned schedules on a user's own table: figures, intervals, what is said."""

from dataclasses import replace

import numpy as np
import pytest

import psi
from psi.bench.comparing import (
    Row,
    comparisons,
    contestants_of,
    paired_regret,
    suite_of,
    verdict_of,
)
from psi.bench.contestants import TUNED
from psi.bench.running import run_suite
from psi.bench.standing import REFERENCE
from psi.ideal.returns import score
from psi.lab.data import store
from psi.lab.data.config import GenerateConfig
from psi.lab.hyper import Hyper
from psi.lab.tasks.data_config import DataConfig

SMALL = Hyper(epochs=3, width=4)


def write(path, seed=0):
    """90 rows of three numbers and two classes that depend on them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(90, 3)).round(3)
    classes = np.where(x[:, 0] + x[:, 1] * x[:, 2] > 0, "yes", "no")
    lines = [",".join(map(str, [*row, own])) for row, own in zip(x, classes, strict=True)]
    path.write_text("\n".join(["a,b,c,y", *lines]))
    return str(path)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """(comparisons, records) of two tables of one shape, which share their programs."""
    folder = tmp_path_factory.mktemp("compare")
    tables = write(folder / "first.csv"), write(folder / "second.csv", 1)
    suite = suite_of(GenerateConfig(tables, SMALL, DataConfig(target="y")))
    who = contestants_of(("adam",), (), ())
    run_suite(suite, who, folder / "run")
    return comparisons(folder / "run", suite, who), store.read_records(folder / "run")


def test_every_method_is_a_row_and_the_lowest_regret_is_first(ran):
    found, _ = ran
    assert [(each.task, each.optimizer) for each in found] == [
        ("first", "adam"), ("second", "adam"),
    ]  # fmt: skip
    plain = {"constant", "linear", "cosine"}
    for each in found:
        regrets = [row.regret for row in each.rows]
        assert regrets == sorted(regrets)
        names = {row.method for row in each.rows}
        assert names == {*plain, *(n + TUNED for n in plain), REFERENCE, "Ψ adam"}


def test_figures_are_those_of_the_records(ran):
    found, records = ran
    for task, each in enumerate(found):
        own = records[(records.task == task) & (records.method == "Ψ adam")]
        last = own[own.epoch == 2]
        (row,) = (row for row in each.rows if row.method == "Ψ adam")
        losses = np.minimum(last.val_loss, 2 * last.chance_loss)
        assert row.loss == pytest.approx(losses.mean())
        width = 2.262 * losses.std(ddof=1) / 10**0.5  # Student's t of 9 degrees
        assert row.loss_high - row.loss == pytest.approx(width, rel=1e-3)
        assert row.accuracy == pytest.approx(last.accuracy.mean())
        assert row.below_chance == (last.val_loss < last.chance_loss).mean()
        assert row.rates == pytest.approx(own.groupby("epoch").lr.mean().tolist())
        assert len(row.val_losses) == 3
        assert row.val_losses[-1] == pytest.approx(row.loss)


def test_the_reference_is_the_schedule_that_was_best_on_the_tuning_seeds(ran):
    found, records = ran
    for task, each in enumerate(found):
        tuned = records[(records.task == task) & records.method.str.endswith(TUNED)]
        assert each.schedule + TUNED == tuned.method.loc[tuned.tuning_score.idxmin()]
        rows = {row.method: row for row in each.rows}
        reference, own = rows[REFERENCE], rows[each.schedule + TUNED]
        assert (reference.regret, reference.regret_low, reference.regret_high) == (0, 0, 0)
        assert (own.regret, own.loss, own.val_losses) == (0, reference.loss, reference.val_losses)
        assert reference.tuning_runs == sum(
            rows[name + TUNED].tuning_runs for name in ("constant", "linear", "cosine")
        )


def test_a_paired_regret_is_the_difference_of_scores():
    one, other = np.array([0.2, 0.3, 0.4]), np.array([0.1, 0.2, 0.3])
    found = paired_regret(one, other, 0.0, 1.0)
    assert found.mean == pytest.approx(np.log(0.31 / 0.21))
    assert found.low < found.mean < found.high
    same = paired_regret(one, one, 0.0, 1.0)
    assert same == (0, 0, 0)
    shared = paired_regret(other + 0.1, other, 0.0, 1.0)  # what the seeds share is not noise
    alone = paired_regret(one[::-1], other, 0.0, 1.0)
    assert shared.high - shared.low < alone.high - alone.low


@pytest.mark.slow
def test_intervals_hold_the_true_regret_in_95_of_100_draws():
    """Of 2,000 draws of 10 log-normal losses 93 to 97 %; by chance outside once in 10,000."""
    rng, sigma = np.random.default_rng(0), 0.3
    mean = 0.3 * np.exp(sigma**2)
    truth = float(score(np.array(mean * np.exp(0.2)), 0.0, 2.0) - score(np.array(mean), 0.0, 2.0))
    hits = 0
    for _ in range(2000):
        shared, own, others = sigma * rng.normal(size=(3, 10))
        found = paired_regret(
            0.3 * np.exp(shared + own + 0.2), 0.3 * np.exp(shared + others), 0.0, 2.0
        )
        hits += found.low <= truth <= found.high
    assert 0.93 <= hits / 2000 <= 0.97


ROW = Row("Ψ adam", 0.4, 0.3, 0.5, 0.0, 0.0, 0.0, 0.9, 1.0, 0, [0.4], [0.1])


@pytest.mark.parametrize(
    ("interval", "better", "words"),
    [
        ((0.2, 0.1, 0.3), "schedule", "the tuned schedule (linear) is better than law adam by 0.2"),
        ((-0.2, -0.3, -0.1), "law", "law adam is better than the tuned schedule (linear) by 0.2"),
        ((0.1, -0.1, 0.3), "neither", "neither law adam nor the tuned schedule (linear) is surely"),
    ],
)
def test_a_verdict_says_which_is_better_and_how_sure(interval, better, words):
    regret, low, high = interval
    row = ROW._replace(regret=regret, regret_low=low, regret_high=high)
    found = verdict_of("On mine with adam", row, ROW._replace(loss=0.35), "linear")
    assert (found.law, found.better) == ("Ψ adam", better)
    assert found.sentence.startswith(f"On mine with adam, {words}")
    assert "0.1 to 0.3" in found.sentence.replace("+", "")
    assert "law adam has final validation loss 0.4 against 0.35." in found.sentence
    failing = verdict_of("On mine", row._replace(below_chance=0.9), ROW, "linear").sentence
    assert failing.endswith(", 10 % of its runs end above the chance loss.")


def test_a_suite_is_known_by_what_its_tasks_are_made_from(tmp_path):
    path = tmp_path / "mine.csv"
    config = GenerateConfig((write(path),), SMALL)
    first = suite_of(config).digest
    assert suite_of(config).digest == first
    others = [replace(config, hyper=Hyper(epochs=4)), replace(config, data=DataConfig("a"))]
    assert len({first, *(suite_of(other).digest for other in others)}) == 3
    write(path, seed=2)
    assert suite_of(config).digest != first


def test_laws_bring_their_optimizers(tmp_path):
    assert contestants_of(("adam", "sgd"), (), ()).optimizers == ("adam", "sgd")
    assert set(contestants_of((), (), ()).optimizers) == {"adam", "momentum", "sgd"}
    law = replace(psi.load("adam"), optimizer="rmsprop")
    law.save(tmp_path / "mine.json")
    who = contestants_of((str(tmp_path / "mine.json"),), (), ())
    plain = ("constant", "linear", "cosine")
    assert who.methods == tuple(name + TUNED for name in plain)  # of it no default rate is known


@pytest.mark.parametrize(
    ("laws", "methods", "optimizers", "words"),
    [
        (("adma",), (), (), "adma: no such file"),
        (("adam",), (), ("sgd",), "law adam is for adam; optimizers asked for: sgd"),
        ((), (), ("rmsprop",), "no shipped law is for rmsprop"),
        ((), ("liner",), (), "unknown baseline 'liner'"),
        ((), (), ("adma",), "unknown optimizer 'adma'"),
    ],
)
def test_a_mistake_is_told_before_anything_runs(laws, methods, optimizers, words):
    with pytest.raises(ValueError, match=words):
        contestants_of(laws, methods, optimizers)
