"""What a user adds from outside: rows in the house's tables, and files that hold them."""

import numpy as np
import optax
import pytest

import psi
from psi import cli
from psi.lab.data.families import FAMILIES, HOUSE
from psi.lab.optimizers import OPTIMIZERS
from psi.lab.tasks.names import TASKS
from psi.plugins import use_file

FILE = """
import optax
import psi

def make(hyper):
    return psi.make_task("wine", hyper)

PLUGIN = psi.Plugin(
    tasks=(psi.TaskSource("filed-wine", make),),
    optimizers=(psi.own_optimizer("filed-lion", optax.scale_by_lion, 1e-4, 0.1),),
)
"""


def test_a_task_of_one_s_own_is_made_under_its_name():
    psi.use(psi.Plugin(tasks=(psi.TaskSource("own-wine", lambda h: psi.make_task("wine", h)),)))
    task = psi.make_task("own-wine", psi.Hyper(4))
    assert (task.name, task.facts.domain, task.facts.epochs) == ("own-wine", "wine", 4)
    assert psi.GenerateConfig(("own-wine",)).tasks == ("own-wine",)


def test_a_task_that_is_not_what_was_asked_for_is_refused():
    psi.use(psi.Plugin(tasks=(psi.TaskSource("stubborn", lambda _: psi.make_task("wine")),)))
    with pytest.raises(ValueError, match=r"'stubborn' must have the budget .* 4 and sgd, got 20"):
        psi.make_task("stubborn", psi.Hyper(4))
    psi.use(psi.Plugin(tasks=(psi.TaskSource("no-task", lambda _: None),)))  # pyright: ignore
    with pytest.raises(ValueError, match="'no-task' must be made as a psi Task, got NoneType"):
        psi.make_task("no-task")


def test_names_of_the_house_are_taken():
    for plugin, kind in (
        (psi.Plugin(tasks=(psi.TaskSource("wine", lambda h: psi.make_task("iris", h)),)), "task"),
        (psi.Plugin(optimizers=(psi.own_optimizer("sgd", optax.identity, 0.1, 1.0),)), "optimizer"),
        (psi.Plugin(trajectories=(psi.TrajectoryFamily("walk", lambda d: d.noise),)), "trajectory"),
    ):
        with pytest.raises(ValueError, match=f"there is another {kind}"):
            psi.use(plugin)
    with pytest.raises(ValueError, match=r"a plugin must be a psi\.Plugin, got int"):
        psi.use(7)  # pyright: ignore


def test_a_family_of_one_s_own_changes_no_trajectory_of_the_house():
    import jax

    from psi.lab.data.trajectories import free

    before = free(jax.random.key(0), 30, 6, 0.01, 1.0)
    saw = psi.TrajectoryFamily("test-saw", lambda d: -0.7 * (np.arange(d.epochs) % 3)[None])
    psi.use(psi.Plugin(trajectories=(saw,)))
    after = free(jax.random.key(0), 30, 6, 0.01, 1.0)
    np.testing.assert_array_equal(before.rates, after.rates)
    assert "test-saw" in FAMILIES
    assert saw not in HOUSE
    own = free(jax.random.key(0), 4, 6, 1e-3, 1e3, [saw])
    np.testing.assert_allclose(own.rates / own.rates[:, :1], np.exp([[0, -0.7, -1.4] * 2] * 4))


def test_a_factor_of_one_s_own_joins_every_product_and_is_fitted():
    """Planted α = 0.3 / (1 + (2 i/T)²), found by a table that has the factor since just now."""
    from psi.fit.formula.curves import fit_curve
    from psi.fit.formula.families import RELATIVE, families, family
    from psi.fit.formula.points import Points

    before = len(families(RELATIVE))
    bell = psi.Factor("test-bell", "1/(1 + (t/w)^2)", (psi.Parameter("w", True, "time"),), "here")
    psi.use(psi.Plugin(epoch_factors=(bell,)))
    assert len(families(RELATIVE)) == before + before // 9
    rng = np.random.default_rng(0)
    ratio, t = rng.uniform(0.1, 1, 200), rng.uniform(0, 0.95, 200)
    log_rate = np.log(0.3 / (1 + (2 * t) ** 2))
    task = np.array([f"t{k % 4}" for k in range(200)])
    data = Points(RELATIVE, np.stack([ratio, t]), log_rate, np.ones(200), task)
    curve = fit_curve(family("test-bell", RELATIVE), data)
    np.testing.assert_allclose(curve.constants, [0.3, 0.5], rtol=1e-4)
    assert psi.FitConfig(family="loss_power*test-bell").family == "loss_power*test-bell"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("linear", "1 - t", "needs a name of its own"),
        ("a*b", "1 - t", "needs a name of its own"),
        ("own", "1 - e", "must hold t and its constants"),
        ("own", "w*t", "must hold t and its constants"),
    ],
)
def test_a_factor_that_is_none_is_refused(name, text, message):
    with pytest.raises(ValueError, match=message):
        psi.use(psi.Plugin(epoch_factors=(psi.Factor(name, text, (), ""),)))


def test_a_baseline_of_one_s_own_is_a_row():
    from psi.bench.baselines import BASELINES

    row = psi.Baseline(
        "test-flat", lambda peak, _: psi.Policy(lambda _: (), lambda s, _: (s, peak))
    )
    psi.use(psi.Plugin(baselines=(row,)))
    assert BASELINES["test-flat"] is row


def test_a_file_is_run_once(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    use_file(path)
    rows = TASKS["filed-wine"], OPTIMIZERS["filed-lion"]
    use_file(path)
    assert rows == (TASKS["filed-wine"], OPTIMIZERS["filed-lion"])


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no such plugin file"), ("x = 1", "holds no PLUGIN"), ("PLUGIN = 3", "no PLUGIN")],
)
def test_a_file_that_is_no_plugin_is_one_line_and_exit_2(content, message, tmp_path, capsys):
    path = tmp_path / "mine.py"
    if content is not None:
        path.write_text(content)
    arguments = ["generate", "--plugin", str(path), "--tasks", "wine", "--out", str(tmp_path / "o")]
    assert cli.run(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_data_set_of_a_plugin_says_that_it_is_needed(tmp_path):
    from psi.lab.data import store
    from psi.lab.data.config import flat
    from psi.lab.data.generate import read_config

    fields = flat(psi.GenerateConfig(("wine",))) | {"tasks": ["gone"], "plugin": ["mine.py"]}
    with store.locked(tmp_path):
        store.open_config(tmp_path, fields)
    with pytest.raises(ValueError, match=r"was made with --plugin mine.py: give it again \(unkn"):
        read_config(tmp_path)


@pytest.mark.slow
def test_a_plugin_by_commands(tmp_path, capsys):
    path, out = tmp_path / "mine.py", tmp_path / "out"
    path.write_text(FILE.replace("filed", "commanded"))
    sizes = ["--trajectories=0", "--cells=4", "--candidates=3", "--seeds=2", "--epochs=4"]
    plugin = ["--plugin", str(path)]
    asked = ["--tasks", "commanded-wine", "iris", "--optimizers", "commanded-lion", "sgd"]
    assert cli.run(["generate", *plugin, *asked, *sizes, "--out", str(out)]) == 0
    law = ["fit", str(out), *plugin, "--out", str(tmp_path / "law.json"), "--resamples", "2"]
    law += ["--optimizer", "commanded-lion", "--family", "constant", "--no-schedule"]
    code = cli.run(law)
    error = capsys.readouterr().err
    assert code == 0 or "usable cells" in error
