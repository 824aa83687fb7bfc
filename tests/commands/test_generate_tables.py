"""`psi generate` on tables of one's own: what each column became, and every mistake in one line."""

import gzip
import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from psi.lab.data.estimate import Estimate

CASES = Path(__file__).parents[1] / "cases"
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


def last(**columns):
    """As csv, these columns last: targets."""
    frame = table(**columns).drop(columns="y")
    return frame[[c for c in frame if c not in columns] + list(columns)].to_csv(index=False)


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
    print_oddities("t.csv", Rows(pd.DataFrame(), pd.Series(), (), columns))
    assert capsys.readouterr().err == (
        "psi: t.csv: column 'id': left out; it counts the rows\n"
        "psi: t.csv: column 'a': numbers; gaps: 2 (?, blank)\n"
    )


READ = {
    "semicolons": ("mine.csv", csv().replace(",", ";"), []),
    "decimal commas": ("mine.csv", csv().replace(",", ";").replace(".", ","), []),
    "tabs, UTF-16": ("mine.txt", csv().replace(",", "\t").encode("utf-16"), []),
    "tsv": ("mine.tsv", csv().replace(",", "\t"), []),
    "gz": ("mine.csv.gz", gzip.compress(csv().encode()), []),
    "target in the name": ("mine.csv:size", csv(), []),
    "target in the name of a gz": ("mine.csv.gz:size", gzip.compress(csv().encode()), []),
    "first column": ("mine.csv", csv(), ["--target", "0"]),
    "target in the middle": ("mine.csv", csv(), ["--target", "-2"]),
    "no names": ("mine.data", table().to_csv(index=False, header=False), ["--no-header"]),
    "no names, target": ("mine.csv", table().to_csv(index=False, header=False),
                         ["--no-header", "--target", "0"]),
    "slip as a class": ("mine.csv", last(p=["a", "1", "2"] * 20), []),
    "index": ("mine.csv", table().to_csv(), []),
    "overruled": ("mine.csv", csv(), ["--categorical", "count", "--numeric", "size"]),
    "overruled by index": ("mine.csv", csv(), ["--categorical", "1", "--ignore", "0"]),
}  # fmt: skip


@pytest.mark.parametrize("kind", READ)
def test_kind_read(dry, tmp_path, kind):
    name, content, more = READ[kind]
    content = content.encode() if isinstance(content, str) else content
    (tmp_path / name.split(":")[0]).write_bytes(content)
    code, out, err = dry(name, *more)
    assert code == 0, err
    assert "the target" in out


def parquet(**columns):
    return lambda path: table(**columns).to_parquet(path, index=False)


BAD = {
    "a slip in the target": ("mine.csv", last(p=put(SIZES, r7="n/k")), [],
                             "the target 'p' is numbers but for 'n/k' in row 8"),
    "a gap in the target": ("mine.csv", last(p=put(SIZES, r7="?")), [], "missing in row 8"),
    "a slip in classes": ("mine.csv", last(p=put(["a", "b"] * 30, r7="c")), [], "class c has 1"),
    "few whole numbers": ("mine.csv", last(p=R.permutation(60) % 19), [], "--kind regression"),
    "decimals, a slip": ("mine.csv", last(p=put(SIZES, r7="7,5x")), [], "'7,5x' in row 8"),
    "two decimal marks": ("mine.csv", last(p=[f"{s}".replace(".", "," if k % 2 else ".")
                                              for k, s in enumerate(SIZES)]), [],
                          "the target 'p' is numbers but for"),
    "no names": ("mine.csv", table().to_csv(index=False, header=False), [], "--no-header"),
    "names as data": ("mine.csv", csv(), ["--no-header"], "looks like names"),
    "two of one name": ("mine.csv", csv().replace("count", "size", 1), [], "two columns are named"),
    "names twice": ("mine.csv", csv() + "size,count,y\n", [], "row 61 repeats the names"),
    "constant inputs": ("mine.csv", csv(size=1, count=2), [], "'size' (constant: 1)"),
    "missing inputs": ("mine.csv", csv(size="", count="?"), [], "'size' (no cell has a value)"),
    "identifiers alone": ("mine.csv", csv(size=range(ROWS), count=[f"n{k}" for k in range(ROWS)]),
                          [], "0 columns of inputs"),
    "all ignored": ("mine.csv", csv(), ["--ignore", "size", "count"], "'size' (--ignore)"),
    "an unknown column ignored": ("mine.csv", csv(), ["--ignore", "sise"], "no column is named"),
    "the target ignored": ("mine.csv", csv(), ["--ignore", "y"], "ignore names the target"),
    "words as numbers": ("mine.csv", csv(c=["a", "b", "c"] * 20),
                         ["--target", "y", "--numeric", "c"], "holds no number"),
    "a long row": ("mine.csv", csv() + "1,2,yes,4\n", [], "Expected 3 fields in line 62"),
    "an open quote": ("mine.csv", csv() + '"1,2,yes\n', [], "cannot be read as CSV"),
    "an Excel file": ("mine.csv", b"PK\x03\x04" + bytes(99), [], "save the table as CSV"),
    "a broken gz": ("mine.csv.gz", gzip.compress(csv().encode())[:-20], [], "damaged archive"),
    "zero bytes": ("mine.csv", csv() + "1,\0,yes\n", [], "zero bytes"),
    "one class": ("mine.csv", csv(y="yes"), [], "every row is of class yes"),
    "names alone": ("mine.csv", "size,count,y\n", [], "got 0 rows"),
    "nothing": ("mine.csv", b"", [], "the file is empty"),
    "blank lines": ("mine.csv", "\n\n\n", [], "cannot be read as CSV"),
    "one column": ("mine.csv", "y\n" + "yes\nno\n" * 30, [], "0 columns of inputs"),
    "infinite": ("mine.csv", csv(size=put(SIZES, r3="inf")), [], "holds inf in row 4"),
    "no such column": ("mine.csv", csv(), ["--target", "prize"], "no column is named 'prize'"),
    "a far index": ("mine.csv", csv(), ["--target", "7"], "index must be in [-3, 2]"),
    "no such column, in the name": ("mine.csv:prize", csv(), [], "no column is named 'prize'"),
    "not the encoding": ("mine.csv", csv(y=["ä", "b"] * 30).encode("cp1252"),
                         ["--encoding", "utf-8"], "cannot be read as CSV"),
    "an unknown encoding": ("mine.csv", csv(), ["--encoding", "x"], "unknown encoding 'x'"),
    "a long delimiter": ("mine.csv", csv(), ["--delimiter", "::"], "one character"),
    "the wrong delimiter": ("mine.csv", csv(), ["--delimiter", ";"], "0 columns of inputs"),
    "no Parquet": ("mine.parquet", csv(), [], "cannot be read as Parquet"),
    "lists as target": ("mine.parquet", parquet(y=[[1.0, 2.0]] * ROWS), [], "lists"),
    "records as target": ("mine.parquet", parquet(y=[{"a": 1}, {"a": 2}] * 30), [], "nested"),
    "decimals, a gap in the target": ("mine.parquet",
                                      parquet(y=[None] + [Decimal("1.5")] * (ROWS - 1)), [],
                                      "missing in row 1"),
    "a constant array": ("mine.npz", lambda path: np.savez(path, x=np.ones((60, 2)), y=COUNTS), [],
                         "every input is constant"),
    "a column of an array": ("mine.npz", lambda path: np.savez(path, x=SIZES, y=COUNTS),
                             ["--ignore", "a"], "name columns of a table"),
    "constant Parquet": ("mine.parquet", parquet(size=1.0, count=2), [], "constant"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_kind_refused(dry, refused, run, tmp_path, kind):
    name, content, more, words = BAD[kind]
    path = tmp_path / name.split(":")[0]
    if callable(content):
        content(path)
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    before = sorted(tmp_path.rglob("*"))
    for flags in (["--dry-run"], []):
        code, out, err = run("generate", "--tasks", name, "--out", "x", "--batch=8", *flags, *more)
        assert (code, out, err.count("\n")) == (2, "", 1), err
        assert err.startswith("psi: ")
        assert words in err
        assert sorted(tmp_path.rglob("*")) == before


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
    for name in ("parts", "parts/", "parts:y", "parts/:size"):
        code, out, err = dry(name)
        assert code == 0, err
        assert "120 rows" in out
    code, _, err = dry("absent/")
    assert (code, "no such data file" in err) == (2, True)
