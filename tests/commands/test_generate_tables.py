"""`psi generate` on tables of one's own: what each column became, and every mistake in one line."""

import json

import numpy as np
import pandas as pd
import pytest

from psi.lab.data.estimate import Estimate

R = np.random.default_rng(0)
ROWS = 60
SIZES = R.normal(8, 3, ROWS).round(2)
COUNTS = R.integers(0, 5, ROWS)


@pytest.fixture
def dry(run, monkeypatch):
    """`psi generate --tasks NAME --out x --dry-run` with nothing trained."""
    monkeypatch.setattr("psi.lab.data.estimate.estimate", lambda *_: Estimate(1, 5, 1000, 0.1))
    small = ["--epochs=2", "--trajectories=0", "--cells=1", "--seeds=1", "--batch=8", "--out", "x"]
    return lambda name, *more: run("generate", "--tasks", name, *small, "--dry-run", *more)


def table(**columns):
    known = {"size": SIZES, "count": COUNTS, "y": ["yes", "no"] * 30}
    return pd.DataFrame(known | columns)


def csv(**columns):
    return table(**columns).to_csv(index=False)


def put(values, **at):
    values = [*values]
    for position, value in at.items():
        values[int(position[1:])] = value
    return values


def test_a_dry_run_says_what_each_column_became(dry, tmp_path):
    text = csv(
        id=np.arange(900, 900 + ROWS),
        size=put(SIZES, r5="?", r6=""),
        c=7,
        colour=["a", "b", "c"] * 20,
    )
    (tmp_path / "mine.csv").write_text(text)
    code, out, err = dry("mine.csv", "--target", "y", "--ignore", "count")
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0] == (
        "mine.csv: 60 rows; encoding utf-8; cells between commas; names in the first line"
    )
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if "│" in line]
    assert cells == [
        ["size", "numbers", "2 (?, blank)", ""],
        ["count", "left out", "", "--ignore"],
        ["y", "categories", "", "the target: classification, 2 classes"],
        ["id", "left out", "", "an identifier by its name, a number of its own in each row"],
        ["c", "left out", "", "constant: 7"],
        ["colour", "categories", "", "3 distinct values"],
    ]
    assert not (tmp_path / "x").exists()
    _, out, _ = dry("mine.csv", "--target", "y", "--numeric", "id", "--json")
    found = json.loads(out)["tables"]["mine.csv"]
    assert (found["rows"], found["columns"][3]["kind"]) == (60, "numbers")


def test_a_data_set_says_what_is_left_out_before_it_trains(run, tmp_path, monkeypatch, capsys):
    class Begun(Exception):
        pass

    def begin(*_):
        raise Begun

    monkeypatch.setattr("psi.lab.data.generate.generate", begin)
    (tmp_path / "mine.csv").write_text(csv(id=np.arange(900, 900 + ROWS), size=put(SIZES, r5="?")))
    with pytest.raises(Begun):
        run("generate", "--tasks", "mine.csv", "--target", "y", "--out", "x", "--batch=8")
    said = capsys.readouterr().err
    assert "psi: mine.csv: column 'id': left out; an identifier by its name" in said
    assert "psi: mine.csv: column 'size': numbers; gaps: 1 (?)" in said


def test_oddities_are_lines(capsys):
    from psi.commands.printing import print_oddities
    from psi.lab.tasks.columns import Rows
    from psi.lab.tasks.inventory import Column

    columns = (
        Column("id", "left out", "it counts the rows"),
        Column("a", "numbers", "", 2, ("?", "")),
        Column("b", "numbers"),
    )
    print_oddities("t.csv", Rows(pd.DataFrame(), pd.Series(), ("Parquet", "2 parts"), columns))
    assert capsys.readouterr().err == (
        "psi: t.csv: Parquet; 2 parts\n"
        "psi: t.csv: column 'id': left out; it counts the rows\n"
        "psi: t.csv: column 'a': numbers; gaps: 2 (?, blank)\n"
    )


REFUSED = {
    "a slip in the target": ("p", "n/k", "the target 'p' is numbers but for 'n/k' in row 8"),
    "a gap in the target": ("p", "?", "missing in row 8"),
    "a slip in classes": ("y", "yess", "the first of class yess is row 8"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_kind_refused_in_one_line(run, tmp_path, kind):
    target, slip, words = REFUSED[kind]
    columns = {"p": SIZES, "y": ["yes", "no"] * 30}
    (tmp_path / "mine.csv").write_text(csv(**columns | {target: put(columns[target], r7=slip)}))
    for flags in (["--dry-run"], []):
        options = ["--target", target, "--out", "x", "--batch=8", *flags]
        code, out, err = run("generate", "--tasks", "mine.csv", *options)
        assert (code, out, err.count("\n")) == (2, "", 1), err
        assert err.startswith("psi: ")
        assert words in err
        assert [path.name for path in tmp_path.iterdir()] == ["mine.csv"]


def test_kind_a_second_bad_file_stops_before_the_first_is_trained(run, tmp_path):
    (tmp_path / "good.csv").write_text(csv())
    (tmp_path / "bad.csv").write_text(csv(y="yes"))
    code, _, err = run("generate", "--tasks", "good.csv", "bad.csv", "--out", "x", "--batch=8")
    assert (code, "every row is of class yes" in err) == (2, True)
    assert not (tmp_path / "x").exists()


def test_kind_folder_in_this_folder(dry, tmp_path):
    (tmp_path / "parts").mkdir()
    for k in range(2):
        (tmp_path / "parts" / f"part-{k}.csv").write_text(csv())
    for name in ("parts", "parts/:size"):
        code, out, err = dry(name)
        assert code == 0, err
        assert "120 rows" in out
    code, _, err = dry("absent/")
    assert (code, "no such data file" in err) == (2, True)
