"""OpenML against recorded answers: scikit-learn's own reader, from a cache, without a network."""

import gzip
import hashlib
import json
import urllib.error
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import _openml

from psi.lab.cache import cache_folder
from psi.lab.hyper import Hyper
from psi.lab.tasks.data_config import DataConfig
from psi.lab.tasks.files import file_task
from psi.lab.tasks.openml import openml_task

pytestmark = pytest.mark.slow

HYPER = Hyper(epochs=2, batch=8)
NUMBER = 99
COLUMNS = (
    ("id", "numeric"),
    ("height", "numeric"),
    ("colour", "nominal"),
    ("sort", "nominal"),
)


def cells():
    """60 rows without their ids; some heights are missing."""
    random = np.random.default_rng(0)
    heights = [f"{value:.3f}" for value in random.normal(size=60)]
    heights[::7] = ["?"] * len(heights[::7])
    colours = random.choice(["red", "green", "blue"], 60)
    return list(zip(heights, colours, ["a", "b"] * 30, strict=True))


def arff():
    rows = "\n".join(f"{k},{','.join(row)}" for k, row in enumerate(cells()))
    return (
        "@relation tiny\n@attribute id numeric\n@attribute height numeric\n"
        "@attribute colour {red,green,blue}\n@attribute sort {a,b}\n@data\n" + rows + "\n"
    )


def feature(position, name, kind, targets):
    return {
        "index": str(position),
        "name": name,
        "data_type": kind,
        "is_target": "true" if name in targets else "false",
        "is_ignore": "false",
        "is_row_identifier": "true" if name == "id" else "false",
        "number_of_missing_values": "0",
    } | ({"nominal_value": ["a", "b"]} if kind == "nominal" else {})


def record(cache, targets=("sort",)):
    """Write what the server would answer where scikit-learn looks for it."""
    description = {
        "id": str(NUMBER), "name": "tiny", "version": "1", "format": "ARFF", "status": "active",
        "description": "Made by hand.", "file_id": "7", "md5_checksum":
        hashlib.md5(arff().encode()).hexdigest(), "url": "https://www.openml.org/data/v1/download/7",
    }  # fmt: skip
    listed = {"did": NUMBER, "name": "tiny", "version": 1, "status": "active"}
    features = [feature(k, *column, targets) for k, column in enumerate(COLUMNS)]
    api = "api/v1/json/data"
    answers = {
        f"{api}/list/data_name/tiny/limit/2/status/active/": {"data": {"dataset": [listed]}},
        f"{api}/{NUMBER}": {"data_set_description": description},
        f"{api}/features/{NUMBER}": {"data_features": {"feature": features}},
        f"{api}/qualities/{NUMBER}": {
            "data_qualities": {"quality": [{"name": "NumberOfInstances", "value": "60.0"}]}
        },
    }
    texts = {path: json.dumps(answer) for path, answer in answers.items()}
    for path, text in (texts | {"data/v1/download/7": arff()}).items():
        file = Path(f"{cache}/openml/openml.org/{path}.gz")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(gzip.compress(text.encode()))


def answer_with(monkeypatch, make_error):
    """No test reaches the network; `asked` is what would have been asked of it."""
    asked = []

    def urlopen(request, *_, **__):
        asked.append(request.full_url)
        raise make_error(request.full_url)

    monkeypatch.setattr(_openml, "urlopen", urlopen)
    monkeypatch.setattr(_openml.time, "sleep", lambda _: None)
    return asked


@pytest.fixture
def asked(monkeypatch):
    return answer_with(monkeypatch, lambda _: urllib.error.URLError("no route to host"))


def arrays(task):
    return [np.asarray(a) for part in task.splits for a in part[:2]]


@pytest.mark.parametrize("name", ["tiny", str(NUMBER)])
def test_recorded_answers_become_the_task_of_the_same_rows_in_a_file(tmp_path, asked, name):
    record(tmp_path)
    task = openml_task(name, DataConfig(), HYPER, cache=tmp_path)
    assert not asked
    assert task.name == task.facts.domain == f"openml-{name}"
    # height and its indicator, three colours; the id is left out
    assert (task.facts.inputs, task.facts.classes, task.facts.rows) == (5, 2, 36)
    lines = [",".join(row).replace("?", "") for row in cells()]
    (tmp_path / "tiny.csv").write_text("\n".join(["height,colour,sort", *lines]))
    for a, b in zip(
        arrays(task), arrays(file_task(tmp_path / "tiny.csv", DataConfig(), HYPER)), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_another_target_than_the_declared_one(tmp_path, asked):
    record(tmp_path)
    task = openml_task("tiny", DataConfig(target="colour"), HYPER, cache=tmp_path)
    assert (task.facts.classes, task.facts.inputs) == (3, 4)
    again = openml_task("tiny", DataConfig(target="1"), HYPER, cache=tmp_path)
    np.testing.assert_array_equal(task.splits.train.x, again.splits.train.x)
    with pytest.raises(ValueError, match="openml-tiny: no column is named 'id'; columns: height"):
        openml_task("tiny", DataConfig(target="id"), HYPER, cache=tmp_path)
    assert not asked


@pytest.mark.parametrize("targets", [(), ("colour", "sort")])
def test_a_target_must_be_named_where_not_one_is_declared(tmp_path, asked, targets):
    record(tmp_path, targets)
    words = f"declares {len(targets)} targets; name one of the columns height, colour, sort"
    with pytest.raises(ValueError, match=words):
        openml_task("tiny", DataConfig(), HYPER, cache=tmp_path)
    task = openml_task("tiny", DataConfig(target="sort"), HYPER, cache=tmp_path)
    assert task.facts.classes == 2
    assert not asked


def test_without_a_network_the_message_says_what_was_tried(tmp_path, asked):
    with (
        pytest.warns(UserWarning, match="network error"),
        pytest.raises(
            ValueError, match=r"openml-absent: cannot be fetched .*no route to"
        ) as caught,
    ):
        openml_task("absent", DataConfig(), HYPER, cache=tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert asked


def test_an_unknown_data_set(tmp_path, monkeypatch):
    refused = lambda url: urllib.error.HTTPError(url, 412, "Precondition Failed", {}, None)  # type: ignore[arg-type] # noqa: E731
    answer_with(monkeypatch, refused)
    with pytest.raises(ValueError, match=r"openml-absent: .*No active dataset absent found"):
        openml_task("absent", DataConfig(), HYPER, cache=tmp_path)


def test_damaged_answers_are_fetched_anew_and_else_refused(tmp_path, asked):
    record(tmp_path)
    file = tmp_path / "openml/openml.org/data/v1/download/7.gz"
    file.write_bytes(gzip.compress(arff().replace("red", "rad").encode()))
    with (
        pytest.warns(match="Invalid cache|network error"),
        pytest.raises(ValueError, match="openml-tiny: cannot be fetched"),
    ):
        openml_task("tiny", DataConfig(), HYPER, cache=tmp_path)
    assert asked


@pytest.mark.parametrize("name", ["", "../../x", "a b", "a/b", ".", "a\nb"])
def test_a_name_that_could_be_a_path_is_refused(tmp_path, asked, name):
    with pytest.raises(ValueError, match="a name must be letters"):
        openml_task(name, DataConfig(), HYPER, cache=tmp_path)
    assert not asked
    assert not any(tmp_path.iterdir())


def test_the_default_cache_honours_the_users_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "psi"
    for unset in ("", "relative/folder"):
        monkeypatch.setenv("XDG_CACHE_HOME", unset)
        assert cache_folder() == Path.home() / ".cache" / "psi"


def test_the_default_cache_is_used(tmp_path, monkeypatch, asked):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    record(tmp_path / "psi" / "openml")
    assert openml_task("tiny", DataConfig(), HYPER).facts.classes == 2
    assert not asked
