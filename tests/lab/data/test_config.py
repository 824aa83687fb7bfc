"""What a data set may be asked for: several files, optimizers and hyperparameters at once."""

import subprocess
import sys

import pytest

from psi.lab.data.config import GenerateConfig, flat, from_flat, parse_values
from psi.lab.data.sweep import task_of, trajectories
from psi.lab.hyper import Hyper
from psi.lab.optimizers import bounds
from psi.lab.tasks.data_config import DataConfig

TABLE = "x1,x2,price,bought\n" + "\n".join(
    f"{k % 7},{k % 5},{k * 1.5 + k % 3},{k % 2}" for k in range(80)
)


def test_every_task_under_every_combination():
    config = GenerateConfig(
        ("wine", "iris"), optimizers=("sgd", "adam"), vary=("width=8,16", "normalised=true,false")
    )
    specs = config.specs()
    assert len(specs) == len(set(specs)) == 2 * 2 * 2 * 2
    assert config.runs() == 16 * (225 + config.lanes() * config.seeds)
    for number, (name, hyper) in enumerate(specs):
        low, high = bounds(hyper.optimizer)
        assert config.rates(number) == (low, high)
        assert config.label(number).startswith(name)
    assert config.label(0) == "wine, width=8, normalised=True"
    assert config.label(7) == "wine, optimizer=adam, width=16"


def test_a_task_is_called_by_what_differs():
    config = GenerateConfig(("wine",), optimizers=("sgd", "adam"))
    tasks = [task_of(config, number) for number in range(2)]
    assert [task.name for task in tasks] == ["wine", "wine, optimizer=adam"]
    assert [task.facts.optimizer for task in tasks] == ["sgd", "adam"]
    assert task_of(GenerateConfig(("wine",)), 0).name == "wine"


def test_files_with_targets_of_their_own(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text(TABLE)
    config = GenerateConfig((f"{file}:price", f"{file}:bought"))
    price, bought = (task_of(config, number) for number in range(2))
    assert (price.name, price.facts.classes) == ("a:price", 0)
    assert (bought.name, bought.facts.classes) == ("a:bought", 2)
    assert price.facts.domain == bought.facts.domain == "a"
    assert config.data_files() == (file,)


def test_files_that_would_be_called_the_same_are_refused(tmp_path):
    names = []
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.csv").write_text(TABLE)
        names.append(str(tmp_path / folder / "a.csv"))
    with pytest.raises(ValueError, match="several tasks would be called a: rename files"):
        GenerateConfig(tuple(names))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("width=8,16", ("width", [8, 16])),
        ("weight_decay=0,1e-3", ("weight_decay", [0.0, 1e-3])),
        ("network=mlp,residual", ("network", ["mlp", "residual"])),
        ("normalised=true", ("normalised", [True])),
    ],
)
def test_values_of_a_hyperparameter(text, values):
    assert parse_values(text) == values


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs=5,10", "vary must be NAME=VALUE,VALUE with NAME one of optimizer, batch"),
        ("colour=red", "got 'colour=red'"),
        ("width", "got 'width'"),
        ("width=wide", "width must be int, got 'wide'"),
        ("normalised=yes", "normalised must be true or false, got 'yes'"),
        ("activation=sine", "unknown activation 'sine'"),
    ],
)
def test_values_that_make_no_sense_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        GenerateConfig(("wine",), vary=(text,))


def test_what_came_later_is_no_part_of_an_older_data_set_s_identity():
    config = GenerateConfig(("wine",), Hyper(5), seeds=2)
    assert not {"optimizers", "vary", "families", "plugin"} & flat(config).keys()
    assert from_flat(flat(config)) == config
    swept = GenerateConfig(("wine",), optimizers=("sgd", "adam"), families=("walk",))
    assert from_flat(flat(swept)) == swept


def test_it_is_read_without_jax():
    code = "import sys, psi.lab.data.config; print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_data_set_goes_round_the_families_that_it_names():
    config = GenerateConfig(("wine",), trajectories=5, cells=2, families=("walk", "cosine"))
    plan = trajectories(config, 0)
    assert plan.family[:5] == ["walk", "cosine", "walk", "cosine", "walk"]
    assert set(plan.family) == {"walk", "cosine"}


def test_how_columns_are_read_is_part_of_the_identity_only_where_it_is_asked():
    assert not {"data.ignore", "data.delimiter", "data.force_header"} & set(flat(GenerateConfig()))
    asked = GenerateConfig(data=DataConfig(ignore=("id", "x"), delimiter=";"))
    assert flat(asked)["data.ignore"] == ["id", "x"]
    assert from_flat(flat(asked)) == asked
