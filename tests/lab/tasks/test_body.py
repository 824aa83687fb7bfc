"""Tables as programs export them: what is passed over, what each column becomes, what is said."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from psi.lab.tasks.body import cut, table_body
from psi.lab.tasks.data_config import DataConfig
from psi.lab.tasks.files import describe

ROWS = 60
R = np.random.default_rng(7)
A, B, C = R.normal(10, 1, (3, ROWS)).round(2).astype(str)
K, YEARS = R.integers(0, 5, ROWS), np.arange(1950, 1950 + ROWS)
Y = np.array(["yes", "no"] * 30)
CODES = R.permutation(10**6)[:ROWS] + 842302
NAMES = [f"N{k}" for k in range(ROWS)]
QUOTED = [f'"{k + 1}"' for k in range(ROWS)]


def rows(*columns, sep=",", head=""):
    lines = [sep.join(map(str, cells)) for cells in zip(*columns, strict=True)]
    return "\n".join([head] * bool(head) + lines) + "\n"


def box(rule):
    """A table as MySQL, psql or Markdown draw it, between bars."""
    return [
        "| a | b | y |",
        rule,
        *(f"| {a} | {b} | {y} |" for a, b, y in zip(A, B, Y, strict=True)),
    ]


def slips(cells, slip, every):
    return [slip if k % every == 3 else cell for k, cell in enumerate(cells)]


COMMAS, SEMICOLONS = rows(A, B, Y), rows(A, B, Y, sep=";")
NO = {"header": False}
# Of each file: its text, its config, its columns (n numbers, c categories, - left out), a note.
KINDS = {
    "a title": ("Report of 2024\na,b,y\n" + COMMAS, {}, "nnc", "1 line passed over: 'Report of"),
    "a title, padded": ("Report,,\n,,\na,b,y\n" + COMMAS, {}, "nnc", "2 lines passed over"),
    "titles with commas": ("Sales, all\nof 2024, too\n\na,b,c,y\n" + rows(A, B, C, Y), {}, "nnnc",
                           "passed over: 'Sales, all', 'of 2024, too'"),
    "a title, two columns": ("Report\na,y\n" + rows(A, Y), {}, "nc", "passed over: 'Report'"),
    "a title, no names": ("By X\n" + COMMAS, NO, "nnc", "passed over: 'By X'"),
    "a title, UTF-16, tabs": (("Export\n\na\tb\ty\n" + rows(A, B, Y, sep="\t")).encode("utf-16"),
                              {}, "nnc", "passed over: 'Export'"),
    "comments": ("# x, y, z\n#\na,b,y\n" + COMMAS, {}, "nnc", "passed over: '# x, y, z', '#'"),
    "comments, semicolons": ("# c; d\na;b;y\n" + SEMICOLONS, {}, "nnc", "passed over: '# c; d'"),
    "comments among rows": ("# c\na,b,y\n" + COMMAS + "# of, b\n" + COMMAS, {}, "nnc", "'# of, b'"),
    "comments, no names": ("# a b\n" + rows(A, K, sep=" "), NO, "nn", "passed over: '# a b'"),
    "names in a comment": ("# a,b,y\n" + COMMAS, {}, "nnc", "names after #"),
    "VCF": ("##v 2\n#chr\tpos\ty\n" + rows(["c1", "c2"] * 30, K, Y, sep="\t"), {}, "cnc",
            "passed over: '##v 2'"),
    "# is a name": ("#,HP,y\n" + rows(range(1, 61), K, Y), {}, "-nc", "names in the first line"),
    "# begins values": (rows([f"#{k:06x}" for k in K], A, Y), NO, "cnc", "no names"),
    "R write.table": ('"a" "b" "y"\n' + rows(QUOTED, A, B, Y, sep=" "), {}, "-nnc", "one fewer"),
    "R, names of cars": ("a b y\n" + rows([f'"Fiat {k}"' for k in range(60)], A, B, Y, sep=" "), {},
                         "-nnc", "each row begins with its name"),
    "R, tabs": ("a\tb\ty\n" + rows(NAMES, A, B, Y, sep="\t"), {}, "-nnc", "one fewer"),
    "R write.csv": ('"","a","y"\n' + rows(QUOTED, A, Y), {}, "-nc", ""),
    "R write.csv2": ('"";"a";"y"\n' + rows(QUOTED, A, Y, sep=";").replace(".", ","), {}, "-nc", ""),
    "a comma too many": ("a,b,y\n" + rows(A, B, Y, [""] * ROWS), {}, "nnc", "ends in a delimiter"),
    "a semicolon too many": ("a;b;y\n" + rows(A, B, Y, [""] * ROWS, sep=";"), {}, "nnc", "ends in"),
    "a comma too many in all": ("a,b,y,\n" + rows(A, B, Y, [""] * ROWS), {}, "nnc", ""),
    "a source below": ("a,b,y\n" + COMMAS + "\nSource: me\n", {}, "nnc", "'Source: me'"),
    "a total below": ("a,b,y\n" + rows(NAMES, B, C) + "Total,1,2\n", {}, "-nn", "'Total,1,2'"),
    "SQL Server": ("id,a,y\n--,-,-\n" + rows(CODES, A, Y) + "\n(60 rows affected)\n", {}, "-nc",
                   "2 lines passed over: '(60 rows affected)', '--,-,-'"),
    "psql": ("\n".join(box("---+---+---")) + "\n(60 rows)\n", {}, "nnc", "'(60 rows)'"),
    "MySQL": ("+--+--+\n" + "\n".join(box("+--+--+")) + "\n+--+--+\n", {}, "nnc", "3 lines"),
    "Markdown": ("\n".join(box("|---|---|---|")), {}, "nnc", "passed over: '|---|---|---|'"),
    "SQL NULL": ("a,b,y\n" + rows(slips(A, "\\N", 9), slips(B, "NULL", 9), Y), {}, "nnc", ""),
    "World Bank": ('"Data Source","WDI",\n\n"Updated","2024-06-28",\n\n"Country","2000","2001",\n'
                   + rows(NAMES, A, B, [""] * ROWS), {}, "-nn", "numbers among them"),
    "years as names": ("country,2000,2001\n" + rows(NAMES, A, B), {}, "-nn", "numbers among them"),
    "each fifth year": ("geo,1990,1995,2000\n" + rows(NAMES, A, B, C), {}, "-nnn", "numbers among"),
    "pandas' numbers as names": ("0,1,2,y\n" + rows(A, B, C, Y), {}, "nnnc", "numbers among them"),
    "short rows": ("y,a,b,c\n" + rows(Y, A, B, C) + "no,1.5,2\n" + rows(Y, A, B, C),
                   {"target": "y"}, "cnnn", "rows of fewer cells than the first line, gaps at "
                   "their ends: 61"),
    "ids by ten, no names": (rows(range(1000, 1600, 10), A, Y), NO, "-nc", ""),
    "ids downwards, no names": (rows(range(ROWS, 0, -1), A, Y), NO, "-nc", ""),
    "UCI auto mpg": (rows(A, slips(B, "?", 15), K, ['"a car"', '"b"'] * 30, sep="   "),
                     NO | {"target": "0"}, "nnnc", "cells between blanks"),
    "UCI adult": (rows(K, [" Private", " ?"] * 30, [" <=50K", " >50K"] * 30), NO, "ncc", ""),
    "UCI wine quality": ('"fixed acidity";"pH";"y"\n' + rows(A, B, K, sep=";"), {}, "nnn", ""),
    "Excel money": ("a,b,y\n" + rows([f'"$ 1,{k:03}.50 "' for k in range(60)],
                                     slips(A, '"$ -   "', 9), Y), {}, "nnc", ""),
    "Excel, cp1252": (("Größe;b;y\n" + rows(B, A, Y, sep=" €;")).replace(".", ",").encode("cp1252"),
                      {}, "nnc", "not UTF-8"),
    "Excel, two lines in a name": ('"size\n(cm)",b,y\n' + COMMAS, {}, "nnc", ""),
    "Titanic": ("PassengerId,Name,Age,Cabin,y\n"
                + rows(CODES, [f'"Doe, Mr. {k}"' for k in range(60)], slips(A, "", 6),
                       ["C1", "", "C2"] * 20, Y), {}, "--ncc", ""),
    "Telco": ("customerID,Total,Churn\n" + rows([f"{k:04}-AB" for k in CODES],
                                               slips(A, " ", 11), Y), {}, "-nc", ""),
    "quotes after blanks": ('a, "b, c", y\n' + rows(A, [' "u, v"', ' "w"'] * 30, Y), {}, "ncc", ""),
    "inches": ("a,b,y\n" + rows(A, ['5" pipe', '6" pipe'] * 30, Y), {}, "ncc", ""),
    "a tenth of slips": ("a,y\n" + rows([*A[:54], *(f"{a} e" for a in A[54:])], Y), {}, "nc", ""),
    "two marks": ("a;b;y\n" + rows([a.replace(".", ",") if k % 2 else a for k, a in enumerate(A)],
                                   B, Y, sep=";"), {}, "-nc", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_kind_of_export(tmp_path, name):
    content, config, kinds, note = KINDS[name]
    path = tmp_path / "mine.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    found = describe(path, DataConfig(**config))
    letters = {"numbers": "n", "categories": "c", "left out": "-"}
    assert "".join(letters[column.kind] for column in found.columns) == kinds
    assert note in "; ".join(found.notes)
    assert len(found.y) == {"comments among rows": 120, "short rows": 121}.get(name, ROWS)


REFUSED = {
    "a title, no names, not told": ("By X\n" + COMMAS, "looks like data: if it is, --no-header"),
    "years of birth and death": (rows(NAMES, K + 1980, K + 2000), "looks like data"),
    "a header two short": ("a,y\n" + rows(A, B, C, Y), "more cells than the header"),
    "a header one short, no names of rows": ("a,y\n1,2,3\n4,5,6\n", "more cells than the header"),
    "units below the names": ("a,b,y\nm,kg,s\n" + rows(A, B, C), "numbers but for 's' in row 1"),
    "a class of one row": ("a,y\n" + rows(A, [*Y[:7], "yess", *Y[8:]]), "class yess .* is row 8"),
    "Shift-JIS": (("a,y\n" + rows(A, ["東京", "大阪"] * 30)).encode("shift-jis"), "--encoding"),
    "colons": (rows(A, B, Y, sep=":", head="a:b:y"), "is --delimiter another"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_kind_of_export_that_is_refused(tmp_path, name):
    from psi.lab.tasks.table import make_task

    content, words = REFUSED[name]
    (tmp_path / "mine.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=words):
        make_task(str(tmp_path / "mine.csv"))


def test_what_looks_like_names_of_rows_is_told(tmp_path):
    pq.write_table(
        pa.table({"id9": CODES, "t": YEARS, "d": [dt.date(2024, 1, 1)] * 59 + [None], "y": Y}),
        tmp_path / "t.parquet",
    )
    assert [column.why for column in describe(tmp_path / "t.parquet", DataConfig()).columns] == [
        "whole numbers that all differ: --ignore it if it names rows",
        "rises by 1 in each row: --ignore it if it names rows",
        "dates, as days",
        "the target: classification, 2 classes",
    ]


def test_a_row_in_quotes_spans_lines():
    assert cut(["a,b", '"x', 'y",1', "z,2"], ",") == [(0, ["a", "b"]), (1, ["xy", "1"]),
                                                      (3, ["z", "2"])]  # fmt: skip
    assert table_body("a,b\n1,2", ",", header=True).text == "a,b\n1,2"


def test_a_table_is_read_once_while_its_file_is_the_same(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("a,b,y\n" + COMMAS)
    first = describe(path, DataConfig())
    assert describe(path, DataConfig()) is first
    path.write_text("a,b,y\n" + COMMAS + COMMAS)
    assert len(describe(path, DataConfig()).y) == 2 * ROWS
