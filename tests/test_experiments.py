"""The studies at tiny size: the same code that made what is shipped."""

import json
import re
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest

import psi
import psi.pretrained
from experiments import (
    depends,
    feedback,
    larger,
    policies,
    scale,
    scale_pages,
    searches,
    shape,
    ship,
    transfer,
    your_own,
)
from experiments.closed_forms import names, plot, scores
from experiments.closed_forms.compute import StudyConfig
from experiments.closed_forms.laws import of_family, tidied
from experiments.closed_forms.main import Main
from psi.atlas.distribution import describe
from psi.bench.suites import suite
from psi.fit.formula.families import SIZED, family
from psi.fit.scale.choice import candidates, choose
from psi.fit.scale.facts import FactSet, facts_of
from psi.fit.scale.fit import fit_scale
from psi.fit.scale.left_out import linear
from psi.fit.scale.linear import Candidate, fit_linear
from psi.fit.scale.table import provenance, read_atlas
from psi.fit.scale.tuned import tuned_tasks
from psi.fit.search.evolution import PolishConfig
from psi.fit.search.finalists import Rounds
from psi.fit.symbolic.config import SymbolicConfig
from psi.ideal.labelling import Labelling
from psi.ideal.returns import score
from psi.lab.data import store
from psi.lab.hyper import Hyper
from psi.lab.tasks.names import Spec
from psi.law.expression import evaluate
from psi.law.law import Law, Range, Score
from psi.law.parsing import parse
from tests.fit.scale import test_forms as shapes
from tests.fit.scale.planted import planted
from tests.ideal.test_dependence import labels

ATLAS = Path(__file__).parents[1] / "data" / "atlas"

TINY = StudyConfig(
    tasks=(
        Spec("noisy_quadratic", Hyper(epochs=24)),
        Spec("least_squares", Hyper(epochs=24)),
    ),
    labelling=Labelling(cells=12, states=8, orders=2),
    symbolic=SymbolicConfig(runs=1, population=50, generations=3, resamples=4),
    families=("polynomial", "loss_power*polynomial*size_power"),
    rounds=Rounds(PolishConfig(4, 2, 8), PolishConfig(4, 1, 8)),
)


@pytest.mark.slow
def test_the_closed_forms_study_makes_laws(tmp_path):
    main = Main(tmp_path, ("sgd",), config=TINY)
    main.run()
    for name in ("sgd", "sgd-scaled"):
        law = psi.load(tmp_path / "laws" / f"{name}.json")
        assert law.optimizer == "sgd"
        assert (law.scale is not None) == name.endswith("scaled")
        assert len(law.constants) <= 6
        assert law.provenance is not None
        assert "experiments.closed_forms.main" in law.provenance.command
        assert len(law.scores) == 2
        assert np.isfinite([score.value for score in law.scores]).all()
    candidates = pd.read_csv(tmp_path / "sgd-candidates.csv")
    assert set(candidates.law) == {"sgd", "sgd-scaled"}
    rates = json.loads((tmp_path / "single_rates.json").read_text())
    assert set(rates["sgd"]) == {"constant", "linear", "cosine"}
    before = (tmp_path / "laws" / "sgd.json").stat().st_mtime_ns
    main.run()  # nothing is made twice
    assert (tmp_path / "laws" / "sgd.json").stat().st_mtime_ns == before
    with pytest.raises(ValueError, match="another config"):
        replace(main, config=replace(TINY, seed=1)).run()


def test_figures_are_drawn_from_a_table(tmp_path):
    columns = ["linear_tuned", *(f"{s}_single" for s in ("constant", "linear", "cosine"))]
    rows = [
        {"law": law, "task": task, **{f"regret_{name}": 0.1 * k for k, name in enumerate(columns)}}
        for law in ("sgd@0.1.0", "sgd-scaled")
        for task in ("digits, network=cnn", "moons-0")
    ]
    plot.tasks_figure(pd.DataFrame(rows), tmp_path / "tasks.png")
    assert (tmp_path / "tasks.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("end", "name"),
    [
        (0.3, "loss_power*polynomial*size_power*warmup"),
        (4.0, "loss_power*polynomial*size_power*rise"),
        (1e9, "loss_power*polynomial*size_power"),
    ],
)
def test_a_tidied_law_has_the_same_rates(end, name):
    """A warm-up that ends within the domain stays; a longer one rises on; a flat one goes."""
    found = np.array([np.log(2.0), -0.2, 1.1, -0.25, np.log(end)])
    warmed = of_family(family("loss_power*polynomial*size_power*warmup", SIZED), found)
    domain = (Range(0.01, 2.0), Range(0.0, 0.975), Range(10.0, 9000.0))
    candidate = tidied(warmed, domain)
    assert candidate.name == name
    grid = [axis.reshape(-1) for axis in np.meshgrid(*(np.linspace(*each, 9) for each in domain))]
    one, other = (
        evaluate(formula, SIZED, grid, np)
        for formula in (
            warmed.formula.bound(warmed.start),
            candidate.formula.bound(candidate.start),
        )
    )
    np.testing.assert_allclose(one, other, rtol=1e-6)


def test_scores_on_held_out_tasks_are_written_into_laws(tmp_path):
    table = tmp_path / "held_out.csv"
    columns = "law,task,measure,regret_linear_tuned,regret_linear_single\n"
    rows = ["x,stream,0.1,-0.3", "y,stream,0.3,-0.1", "z,validation,0.5,0"]
    table.write_text(columns + "".join(f"a@0.1.0,{row}\n" for row in rows) + "a,x,stream,9,9\n")
    law = Law(parse("0.1"), ("loss",), (Range(0.1, 1.0),), Range(0.1, 0.1), "sgd", 1.0)
    own = Score("its own", 1.0)
    replace(law, scores=(own,)).save(tmp_path / "a@0.1.0.json")
    for _ in range(2):  # those of an earlier table are replaced
        scores.Main(table, tmp_path).run()
    assert psi.load(tmp_path / "a@0.1.0.json").scores == (
        own,
        Score("regret to tuned linear on 2 held-out tasks, stream loss", 0.2),
        Score("regret to linear at one rate on 2 held-out tasks, stream loss", -0.2),
        Score("regret to tuned linear on 1 held-out tasks, validation loss", 0.5),
        Score("regret to linear at one rate on 1 held-out tasks, validation loss", 0.0),
    )


@pytest.mark.parametrize("name", psi.pretrained.laws())
def test_shipped_laws_are_the_ones_the_studies_made(name):
    """Their provenance names the command, their constants carry intervals."""
    law, former = psi.load(name), "@" in name or name.endswith("-scaled")
    assert re.split("[-@]", name)[0] == law.optimizer
    assert law.provenance is not None
    made_by = "experiments.closed_forms" if former else "psi fit data/atlas --kind scale"
    assert made_by in law.provenance.command
    assert 1 <= len(law.constants) <= (6 if former else 14)
    assert all(each.low <= each.value <= each.high for each in law.constants)
    assert len(law.scores) >= 2
    assert law.target == (None if former else "train" if name.endswith("-train") else "validation")
    assert len(law.typical) == (0 if former else len(law.facts))


def test_an_optimizer_has_a_law_for_each_loss_the_former_one_and_a_scaled_one():
    ends = ("", "-train", "-scaled", "@0.1.0")
    assert {*psi.pretrained.laws()} == {o + s for o in ("sgd", "momentum", "adam") for s in ends}


def test_shipped_laws_come_from_an_atlas(tmp_path, monkeypatch, capsys):
    """At tiny size: both targets, nothing made twice, a suite's figures into the files."""
    few = candidates((FactSet("one rate", ()), FactSet("P", ("parameters",))), (1e-2,), ("linear",))
    monkeypatch.setattr("psi.fit.scale.fit.candidates", lambda _: few)
    for name, table in planted(0, domains=6, each=8).atlas._asdict().items():
        table.to_parquet(tmp_path / f"{name}.parquet")
    main = ship.Main(tmp_path, tmp_path, tmp_path / "levels.csv", resamples=20)
    main.run()
    assert {path.stem for path in tmp_path.glob("*.json")} == {"adam", "adam-train"}
    laws = {name: psi.load(tmp_path / f"{name}.json") for name in ("adam", "adam-train")}
    assert [law.target for law in laws.values()] == ["validation", "train"]
    capsys.readouterr()
    table = {
        "method": ["Ψ adam", "Ψ adam-train", "linear"], "optimizer": "adam", "suite": "smoke",
        "tasks": 3, "regret": [0.1, 0.2, 0.3], "low": 0.0, "high": 0.5,
        "regret_train": [0.6, 0.7, 0.8], "regret_train_low": 0.4, "regret_train_high": 0.9,
    }  # fmt: skip
    pd.DataFrame(table).to_csv(tmp_path / "table.csv")
    for _ in range(2):  # what stands there is replaced
        replace(main, judged=tmp_path / "table.csv").run()
    assert not capsys.readouterr().out
    for name, values in (("adam", [0.1, 0.0, 0.5]), ("adam-train", [0.7, 0.4, 0.9])):
        law = psi.load(tmp_path / f"{name}.json")
        assert replace(law, scores=laws[name].scores) == laws[name]
        assert [score.value for score in law.scores[3:]] == values
        assert law.scores[3].name == "regret to tuned schedules on 3 smoke tasks, mean"
    found = replace(laws["adam-train"], target="validation")
    for name in ("adam", "adam-free"):
        (tmp_path / "searches" / name).mkdir(parents=True)
        found.save(tmp_path / "searches" / name / "law.json")
    replace(main, searches=tmp_path / "searches").run()
    names = {path.stem: psi.load(path) for path in tmp_path.glob("*.json")}
    assert names["adam"] == names["adam-free"] == found
    assert names["adam-train"].target == "train"
    (tmp_path / "adam-free.json").unlink()
    replace(main, searches=tmp_path / "searches", judged=tmp_path / "table.csv").run()
    assert not (tmp_path / "adam-free.json").exists()  # a judged law is never one taken anew
    assert psi.load(tmp_path / "adam.json").scores != found.scores
    with pytest.raises(ValueError, match="one row of Ψ other, got 0"):
        ship.judged("other", laws["adam"], pd.DataFrame(table))


@pytest.mark.slow
def test_rows_and_network_of_one_s_own_go_all_the_way(tmp_path, capsys):
    """The script of README at small size, and again: it goes on, and makes nothing twice."""
    assert len(Path(your_own.__file__).read_text().splitlines()) <= 60
    your_own.main(tmp_path, epochs=4, seeds=2)
    first = capsys.readouterr().out
    law = psi.load(tmp_path / "law.json")
    assert law.optimizer == "lion"
    records = store.read_records(tmp_path / "data")
    assert {"saw", "cosine", "walk"} <= set(records.family)
    assert {"rings", "teacher-0"} == set(records.task)
    made = (tmp_path / "ideal" / "summary.json").stat().st_mtime_ns
    your_own.main(tmp_path, epochs=4, seeds=2)
    assert capsys.readouterr().out == first
    assert (tmp_path / "ideal" / "summary.json").stat().st_mtime_ns == made


@pytest.mark.slow
def test_every_table_about_the_scale_and_its_laws_come_from_an_atlas(tmp_path, capsys, monkeypatch):
    few = candidates((FactSet("one rate", ()), FactSet("P", ("parameters",))), (1e-2,), ("linear",))
    monkeypatch.setattr(
        scale,
        "fit_scale",
        lambda atlas, optimizer, target, _, resamples, report: fit_scale(
            atlas, optimizer, target, few, resamples, report=report
        ),
    )
    # Tested where it stands; here it would take longer than all else.
    quick = lambda facts, schedule: linear(Candidate(facts, 0.1, schedule))  # noqa: E731
    monkeypatch.setattr(scale, "network", quick)
    monkeypatch.setattr(scale, "LARGE", 20_000.0)
    monkeypatch.setattr(scale, "choose", lambda tasks, _: choose(tasks, few))
    for name, table in planted(0, domains=6, each=8).atlas._asdict().items():
        table.to_parquet(tmp_path / f"{name}.parquet")
    main = scale.Main(tmp_path, tmp_path / "out", resamples=20, draws=2)
    main.run()
    for target in ("validation", "train"):
        folder = tmp_path / "out" / f"adam-{target}"
        law = psi.load(folder / "law.json")
        assert (law.optimizer, law.target) == ("adam", target)
        found = {path.stem: pd.read_csv(path) for path in folder.glob("*.csv")}
        assert len(found) == 13
        assert set(found["contenders"].fit) == {"power law", "network"}
        assert found["choice"].chosen.sum() == 1
        assert len(found["exponents"]) == len(law.constants)
    scale_pages.Main(tmp_path / "out", tmp_path / "pages").run()
    pages = tmp_path / "pages"
    for name in scale_pages.TABLES:
        assert set(pd.read_csv(pages / f"{name}.csv").target) == {"validation", "train"}
    assert {path.stem for path in pages.glob("*.png")} == {"variance", "learning_curve"}
    told = len(capsys.readouterr().out.splitlines())
    main.run()  # all is there
    assert not capsys.readouterr().out
    assert told == 2
    contenders, runs = (folder / f"{name}.csv" for name in ("contenders", "runs"))
    kept = runs.stat().st_mtime_ns
    monkeypatch.setattr(scale, "symbolic", quick)
    replace(main, symbolic=True, only=("contenders",)).run()
    assert [*pd.read_csv(contenders).fit] == ["power law", "network", "symbolic"]
    assert runs.stat().st_mtime_ns == kept
    with pytest.raises(ValueError, match="unknown table 'run'"):
        replace(main, only=("run",))
    with pytest.raises(ValueError, match="no law of this atlas and command"):
        replace(main, only=("runs",), out=tmp_path / "none").run()


def test_a_law_is_held_against_the_tuned_schedule_of_a_network(tmp_path, monkeypatch):
    out = tmp_path / "networks.csv"
    main = larger.Main(
        out, networks=(Spec("wine", Hyper(epochs=3, width=4)),), optimizers=("adam",)
    )
    main.run()
    found = pd.read_csv(out)
    row, chance = found.iloc[0], larger.spec_task(main.networks[0], "adam").facts.chance_loss
    law, tuned = score(found[["law", "tuned"]].to_numpy(), 0.0, chance)[0]
    assert row.regret == pytest.approx(law - tuned, abs=1e-3)
    assert 1e-4 < row.peak < 10
    assert row.parameters == 71
    monkeypatch.setattr(larger, "measured", lambda *_: pytest.fail("it was kept"))
    main.run()
    assert pd.read_csv(out).equals(found)


@pytest.mark.slow
def test_a_text_s_floor_is_taken_from_longer_runs(monkeypatch):
    def floor(task, peaks, reached, key, seeds):
        assert (peaks.shape, len(seeds)) == ((1,), 1)
        assert reached < task.facts.chance_loss
        return 0.5

    monkeypatch.setattr(larger, "longer_floor", floor)
    task = larger.spec_task(Spec("licences", Hyper(epochs=1, width=4, network="gru")), "adam")
    row = larger.measured(task, jax.random.key(0))
    law, tuned = score(np.array([row["law"], row["tuned"]]), 0.5, task.facts.chance_loss)
    assert row["regret"] == pytest.approx(law - tuned, abs=1e-6)


def test_a_law_is_made_again_for_another_atlas_or_command(tmp_path):
    for name, table in planted(0, domains=3, each=4).atlas._asdict().items():
        table.to_parquet(tmp_path / f"{name}.parquet")
    made_from = provenance(tmp_path, "psi fit")
    assert not scale._is_made(tmp_path / "law.json", made_from)
    replace(psi.load("adam"), provenance=made_from).save(tmp_path / "law.json")
    assert scale._is_made(tmp_path / "law.json", provenance(tmp_path, "psi fit"))
    assert not scale._is_made(tmp_path / "law.json", provenance(tmp_path, "psi fit --seed 1"))
    planted(1, domains=3, each=4).atlas.runs.to_parquet(tmp_path / "runs.parquet")
    assert not scale._is_made(tmp_path / "law.json", provenance(tmp_path, "psi fit"))


def test_no_fit_to_both_sees_a_domain_that_is_left_out(monkeypatch):
    tasks, seen = tuned_tasks(planted(0, domains=6, each=8).atlas, "adam", "validation"), []

    def fit(own, *more):
        seen.append(own.domain)
        return fit_linear(own, *more)

    monkeypatch.setattr(transfer, "fit_linear", fit)
    for share, copies in (((1, 1), 2), ((0, 1), 1)):
        seen.clear()
        transfer.left_out_of(tasks, tasks, transfer.widest("adam"), share)
        left = [set(tasks.domain) - set(domains) for domains in seen]
        assert sorted(map(tuple, left)) == sorted((name,) for name in set(tasks.domain))
        assert all(len(domains) == copies * 8 * 5 for domains in seen)


def test_laws_of_the_study_are_found_in_the_package():
    plain = [o + end for o in ("sgd", "momentum", "adam") for end in ("", "-scaled")]
    shipped = {name for name in psi.pretrained.laws() if names.of_study(name)}
    assert {names.shipped_as(name) for name in plain} == shipped


def compared_shapes(tmp_path, monkeypatch, runs):
    """What experiments.shape says of these runs of shapes."""
    tasks = shapes.MADE.atlas.tasks
    drawn = [describe(int(number)).to_json() for number in tasks.task]
    tasks = tasks.assign(reach="near", description=drawn)
    for name, table in shapes.MADE.atlas._replace(tasks=tasks)._asdict().items():
        table.to_parquet(tmp_path / f"{name}.parquet")
    (tmp_path / "out").mkdir()
    monkeypatch.setattr(shape, "collect_forms", lambda *_: runs)
    linear_alone = Candidate(shapes.FACTS)
    monkeypatch.setattr(shape, "candidates", lambda _: [linear_alone])
    shape.Main(tmp_path, tmp_path / "out").run()
    return pd.read_csv(tmp_path / "out/forms.csv")


def test_shapes_are_compared_for_every_optimizer_and_target(tmp_path, monkeypatch, capsys):
    stranger = shapes.on_a_lattice().head(9).assign(task=10**6)  # of no task that can be scored
    runs = pd.concat([shapes.on_a_lattice(), stranger])
    found = compared_shapes(tmp_path, monkeypatch, runs)
    assert len(found) == len(shapes.SHAPES) * 2
    assert set(found.target) == {"validation", "train"}
    assert found.power[0] == 2.0
    assert "adam" in capsys.readouterr().out


def test_shapes_are_trained_on_the_very_tasks_of_the_atlas(tmp_path):
    """Those of another distribution would be others of the same number."""
    tasks = pd.DataFrame({
        "task": [1001, 1000, 1002], "reach": "far",
        "description": [describe(k, reach="far").to_json() for k in (1001, 1000, 1002)],
    })  # fmt: skip
    atlas = shapes.MADE.atlas._replace(tasks=tasks)
    config = shape.Main(tmp_path, tmp_path, tasks=2)._config(atlas, ("adam",))
    assert (config.first, config.tasks, config.reach) == (1000, 2, "far")
    other = atlas._replace(tasks=tasks.assign(description="{}"))
    with pytest.raises(ValueError, match=r"task 1000 of .+ is not drawn"):
        shape.Main(tmp_path, tmp_path, tasks=2)._config(other, ("adam",))


def test_a_shape_under_which_a_seed_diverges_is_not_the_best(tmp_path, monkeypatch):
    runs = shapes.on_a_lattice()
    failed = (runs.power == 2) & (runs.seed == 1)
    runs.loc[failed, ["train_loss", "val_loss"]] = np.nan
    found = compared_shapes(tmp_path, monkeypatch, runs)
    assert found.power[0] == 1.0
    assert (found[found.power == 2].more > 1).all()


def test_labels_become_slopes_and_shares(tmp_path, monkeypatch, capsys):
    """Of all tasks but those of which every state diverged; what is labelled is not again."""
    main = depends.Main(tmp_path, ("adam",), every=30)
    pairs = [*main._pairs()]
    assert len(pairs) >= 4
    made, asked = labels(5, tasks=len(pairs)), []

    def label(task, labelling, key):
        asked.append(task)
        return made[made.task == len(asked) - 1] if len(asked) > 1 else pd.DataFrame()

    quick = depends.spec_task(Spec("wine", Hyper()), "adam")
    monkeypatch.setattr(depends, "spec_task", lambda *_: quick)
    monkeypatch.setattr(depends, "label_task", label)
    monkeypatch.setattr(depends, "beside", map)
    main.run()
    shares = pd.read_csv(tmp_path / "shares.csv")
    assert shares.share.sum() == pytest.approx(1)
    assert set(pd.read_csv(tmp_path / "slopes.csv").task) == {number for _, number in pairs[1:]}
    assert "by loss" in capsys.readouterr().out
    main.run()
    assert len(asked) == len(pairs)
    with pytest.raises(ValueError, match="another config"):
        replace(main, labelling=Labelling(cells=9)).run()


@pytest.mark.slow
def test_a_task_is_labelled(tmp_path):
    main = depends.Main(tmp_path, ("sgd",), labelling=Labelling(cells=8, states=2, orders=2))
    _, made = main._labels(("sgd", 0))
    assert set(made.task) == {0}
    assert made.sure.any()


@pytest.mark.slow
def test_each_part_of_a_law_is_searched_alone(tmp_path, capsys, monkeypatch):
    # Fits of the scale have tests of their own, and take a minute each on the whole atlas.
    monkeypatch.setattr(searches, "facts_law", lambda _, name: psi.load(name))
    few = {name: feedback.PARTS[name] for name in ("shape", "validation memory")}
    monkeypatch.setattr(feedback, "PARTS", few)
    main = feedback.Main(ATLAS, "adam", tmp_path, 2, 1, 8, operations=1.1e7)
    main.run()
    found = pd.read_csv(tmp_path / "ablation.csv")
    rows = [f"{base} + {part}" for base in ("facts", "one rate") for part in few]
    assert {*found.candidate} == {"facts", "one rate", *rows}
    assert found.set_index("candidate").more["facts"] == 0
    assert np.isfinite(found.regret).all()
    assert "validation memory" in capsys.readouterr().out


@pytest.mark.slow
def test_forms_and_methods_are_compared_at_equal_cost(tmp_path, monkeypatch):
    monkeypatch.setattr(searches, "facts_law", lambda _, name: psi.load(name))
    form, row = "gru, statistics", "gru, statistics, openes"
    monkeypatch.setattr(policies, "METHODS", {form: ("openes",)})
    main = policies.Main(ATLAS, "adam", tmp_path, 2, 1, 8, 1.1e7, forms=(form,))
    with pytest.raises(ValueError, match="seeds must be"):
        replace(main, seeds=0).run()
    main.run()
    found = pd.read_csv(tmp_path / "policies.csv").set_index("candidate")
    assert [*found.index] == ["facts alone", row]
    assert found.constants["facts alone"] == 0
    assert found.constants[row] > 300
    assert np.isfinite(found.regret).all()
    assert found.more[row] != 0
    kept = (tmp_path / "policies.csv").read_bytes()
    main.run()  # a search that is there is read back
    assert (tmp_path / "policies.csv").read_bytes() == kept


def test_a_law_without_facts_has_one_rate():
    law = feedback.without_facts(read_atlas(ATLAS), psi.load("adam"))
    rates = law(np.array([[0.0, 1.0], [10.0, 50.0], [0.0, 0.0]]))
    assert rates[0] == rates[1]
    tuned = tuned_tasks(read_atlas(ATLAS), "adam", "validation")
    assert rates[0] == pytest.approx(
        np.exp(fit_linear(tuned, Candidate(FactSet("one rate", ()))).intercept)
    )


def test_fits_to_an_atlas_and_to_the_suite_are_compared_on_the_suite(tmp_path, monkeypatch):
    made, train = planted(0, domains=6, each=8), suite("train")
    for name, table in made.atlas._asdict().items():
        table.to_parquet(tmp_path / f"{name}.parquet")
    rng, count = np.random.default_rng(0), len(train.specs)
    drawn = made.atlas.tasks.sample(count, replace=True, random_state=0)
    facts = facts_of(drawn).assign(
        domain=[f"d{k % 7}" for k in range(count)], network=rng.choice(["mlp", "gru"], count)
    )
    monkeypatch.setattr(transfer, "facts_of_suite", lambda: facts)
    transfer.Main(tmp_path, tmp_path / "transfer.csv").run()
    table = pd.read_csv(tmp_path / "transfer.csv")
    assert len(table) == 6 * 3  # what was fitted, over all and by two networks
    whole, parts = table[table.network == "all"], table[table.network != "all"]
    assert (whole.low < whole.regret).all()
    assert (whole.regret < whole.high).all()
    assert (parts.groupby("fitted_to").tasks.sum() == count).all()
    # These facts were drawn at random: the less a law has of the atlas's exponents, the better.
    regret = whole.set_index("fitted_to").regret
    names = ["atlas", *(f"atlas + {times} × suite" for times in transfer.WEIGHTS)]
    assert regret[names].is_monotonic_decreasing


def test_the_level_is_that_of_the_suite(monkeypatch):
    """Tasks whose best rates are 1.5 times as high ask for the factor 1.5."""
    made = planted(0, domains=6, each=8, weights={"parameters": -0.5}, noise=0.0)
    tasks = tuned_tasks(made.atlas, "adam", "validation")
    higher = made.atlas.runs.assign(rate=1.5 * made.atlas.runs.rate)
    own = tuned_tasks(made.atlas._replace(runs=higher), "adam", "validation")
    monkeypatch.setattr(transfer, "tuned_suite", lambda *_: own)
    monkeypatch.setattr(transfer, "tuned_tasks", lambda *_: tasks)
    found = transfer.level_of(made.atlas, pd.DataFrame(), "adam")
    assert found.factor == pytest.approx(1.5, abs=0.11)
    assert found.regret < found.at_one


def test_laws_are_shipped_at_their_level(tmp_path):
    assert ship.Main(tmp_path, levels=tmp_path / "none.csv")._level("adam") == 1.0
    (tmp_path / "levels.csv").write_text("optimizer,factor\nsgd,1.25\nadam,1.5\n")
    assert ship.Main(tmp_path, levels=tmp_path / "levels.csv")._level("adam") == 1.5
    for name in ("sgd", "momentum", "adam"):
        law = psi.load(name)
        level = ship.Main(Path("data/atlas"))._level(name)
        assert law.provenance is not None
        assert f"--level {level}" in law.provenance.command
