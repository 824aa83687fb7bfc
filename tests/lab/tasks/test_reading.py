"""Bytes as cells: delimiters, encodings, and a first line that is what the user says it is."""

import bz2
import gzip
import lzma

import numpy as np
import pytest

from psi.lab.tasks.data_config import DataConfig
from psi.lab.tasks.reading import read_text

ROWS = 40
NAMES = ("größe", "count", "y")


def rows(seed=0):
    random = np.random.default_rng(seed)
    sizes = [f"{value:.2f}" for value in random.normal(8, 3, ROWS)]
    return list(zip(sizes, map(str, random.integers(0, 5, ROWS)), ["yes", "no"] * 20, strict=True))


def text(delimiter=",", header=True, end="\n", cells=None):
    lines = [*([NAMES] if header else []), *(cells or rows())]
    return end.join(delimiter.join(line) for line in lines) + end


def commas(cells):
    return [(size.replace(".", ","), *others) for size, *others in cells]


KINDS = {
    "commas": (text().encode(), {}),
    "semicolons": (text(";").encode(), {}),
    "tabs": (text("\t").encode(), {}),
    "bars": (text("|").encode(), {}),
    "blanks": (text("   ").encode(), {}),
    "comma and blank": (text(", ").encode(), {}),
    "semicolon, decimal commas": (text(";", cells=commas(rows())).encode(), {}),
    "the same without names": (text(";", False, cells=commas(rows())).encode(), {"header": False}),
    "blanks without names": (text("  ", False).encode(), {"header": False}),
    "Excel's sep=": (("sep=;\r\n" + text(";")).encode(), {}),
    "Windows line ends": (text(end="\r\n").encode(), {}),
    "old Mac line ends": (text(end="\r").encode(), {}),
    "UTF-8 with a mark": (text().encode("utf-8-sig"), {}),
    "UTF-16": (text("\t").encode("utf-16"), {}),
    "UTF-16, no mark": (text("\t").encode("utf-16-le"), {}),
    "UTF-16, big end, no mark": (text("\t").encode("utf-16-be"), {}),
    "UTF-32": (text().encode("utf-32"), {}),
    "Windows-1252": (text(";").encode("cp1252"), {}),
    "asked encoding": (text().encode("mac-roman"), {"encoding": "mac-roman"}),
    "asked delimiter": (text("~").encode(), {"delimiter": "~"}),
    "asked tab": (text("\t").encode(), {"delimiter": "\\t"}),
    "gzip": (gzip.compress(text().encode()), {}),
    "bzip2": (bz2.compress(text().encode()), {}),
    "xz": (lzma.compress(text().encode()), {}),
    "blank lines": (text(end="\n\n").encode(), {}),
    "blank rows at the end": ((text() + ",,\n,,\n").encode(), {}),
    "a nameless blank column": (text(end=",\n").encode(), {}),
    "quotes": ('"größe","count","y"\n'.encode() + text(header=False).encode(), {}),
    "blanks around": (text(" , ").encode(), {}),
}


@pytest.mark.parametrize("name", KINDS)
def test_kind_of_file(name):
    content, config = KINDS[name]
    table = read_text(content, DataConfig(**config))
    assert list(table.cells.columns) == (list("012") if config.get("header") is False else [*NAMES])
    cells = commas(rows()) if "decimal" in name or "the same" in name else rows()
    assert [tuple(row) for row in table.cells.to_numpy()] == [tuple(row) for row in cells]


def test_what_was_decided_is_told():
    table = read_text(text(";").encode("cp1252"), DataConfig())
    assert table.notes == (
        "encoding cp1252 (it is not UTF-8; --encoding overrules)",
        "cells between semicolons", "names in the first line",
    )  # fmt: skip
    assert table.comma


def test_text_in_quotes_may_hold_delimiters_and_line_ends():
    content = 'name;note;y\n"a;b";"x\ny";1\n"c, d";"""z""";2\n'
    cells = read_text(content.encode(), DataConfig()).cells
    assert cells.to_numpy().tolist() == [["a;b", "x y", "1"], ["c, d", '"z"', "2"]]


def test_nameless_columns_are_told_apart():
    cells = read_text(b",a,,y\n0,1,2,3\n1,5,6,7\n", DataConfig()).cells
    assert list(cells.columns) == ["Unnamed: 0", "a", "Unnamed: 2", "y"]


NUMBERS = "\n".join(",".join(row) for row in rows())
MUSHROOMS = "\n".join(["e,x,s"] * 5 + ["p,b,y"] * 5 + ["e,b,s"] * 5)
REFUSED = {
    "data without names": (NUMBERS, {}, "looks like data: if it is, --no-header"),
    "letters without names": (MUSHROOMS, {}, "looks like data: if it is, --no-header"),
    "a gap in the first row": ("?" + NUMBERS[NUMBERS.index(",") :], {}, "--no-header"),
    "n/k in the first row": ("n/k" + NUMBERS[NUMBERS.index(",") :], {}, "--no-header"),
    "a slip in the first row": ("7.o8" + NUMBERS[NUMBERS.index(",") :], {}, "--no-header"),
    "two cells of one number": ("4,4,yes\n" + NUMBERS, {}, "--no-header"),
    "years as names": ("2019,2020,2021\n1,2,3\n4,5,6\n", {}, "--force-header"),
    "names as data": ("a,b,y\n" + NUMBERS, {"header": False}, "looks like names: leave out"),
    "names over letters": ("cap,gill,class\n" + MUSHROOMS, {"header": False}, "looks like names"),
    "names twice": ("a,b,y\n" + NUMBERS + "\na,b,y\n", {}, "row 41 repeats the names"),
    "one name twice": ("a,y,a\n" + NUMBERS, {}, "two columns are named 'a'"),
    "one name twice, padded": ("a,y, a \n" + NUMBERS, {}, "two columns are named 'a'"),
    "a long row": ("a,y\n1,2\n1,2,3\n", {}, "more cells than the header: .* line 3"),
    "an open quote": ('a,y\n1,2\n"1,2\n', {}, "cannot be read as CSV"),
    "zero bytes": ("a,y\n1,\0\n", {}, "zero bytes"),
    "two encodings": (b"a,y\n\xff\xfe,1\n", {}, "a part of it is UTF-16"),
    "no UTF-8, though asked": (b"a,y\n\xe4,1\n", {"encoding": "utf-8"}, "cannot be read as CSV"),
    "half a gzip": (gzip.compress(NUMBERS.encode())[:100], {}, "a damaged archive"),
    "an Excel file": (b"PK\x03\x04....", {}, "save the table as CSV"),
    "half of UTF-16": ("a,y\n1,2\n".encode("utf-16")[:-1], {}, "cannot be read as CSV"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_kind_of_file_that_is_refused(name):
    content, config, words = REFUSED[name]
    content = content.encode() if isinstance(content, str) else content
    with pytest.raises(ValueError, match=words):
        read_text(content, DataConfig(**config))


def test_numbers_may_be_names_where_the_user_says_so():
    cells = read_text(b"2019,2020,2021\n1,2,3\n4,5,6\n", DataConfig(force_header=True)).cells
    assert list(cells.columns) == ["2019", "2020", "2021"]


def test_names_of_numbers_beside_a_name_are_names():
    cells = read_text(b"0,1,2,target\n1,2,3,0\n4,5,6,1\n", DataConfig()).cells
    assert list(cells.columns) == ["0", "1", "2", "target"]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"delimiter": ";;"}, "delimiter must be one character"),
        ({"delimiter": '"'}, "delimiter must be one character"),
        ({"encoding": "klingon"}, "unknown encoding 'klingon'"),
        ({"encoding": "base64"}, "unknown encoding 'base64'"),
        ({"header": False, "force_header": True}, "force_header needs header"),
        ({"ignore": ("a",), "numeric": ("a",)}, "must be distinct, got 'a' twice"),
    ],
)
def test_a_config_that_makes_no_sense(config, words):
    with pytest.raises(ValueError, match=words):
        DataConfig(**config)
