"""Cells of text as numbers, dates and durations, against the values that people mean by them."""

import numpy as np
import pytest

from psi.lab.tasks.numerals import dates, decimal_votes, durations, looks_numeric, numbers

NAN = float("nan")
AMBIGUOUS = ("1,234", "1.234", "12,345", "-7.891")


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        ("1 -2 +3 .5 5. 1e-3 1.5E+03", [1, -2, 3, 0.5, 5, 1e-3, 1500]),
        ("1,234 12,345.5 1,234,567", [1234, 12345.5, 1234567]),
        ("1,23,456 12,34,567.8", [123456, 1234567.8]),
        ("1,5 2,75 -0,125 1.234 3", [1.5, 2.75, -0.125, 1234, 3]),
        ("1.234,50 12.345.678,9 0,998", [1234.5, 12345678.9, 0.998]),
        ("0,998 1,234 0,1", [0.998, 1.234, 0.1]),
        ("1'234.5 12'345", [1234.5, 12345]),
        ("$5 $1,234.50 -$3 $-3 US$7", [5, 1234.5, -3, -3, 7]),
        ("5€ 1.234,50€ €7 -2,5€", [5, 1234.5, 7, -2.5]),
        ("£3 ¥400 ₹1,00,000 R$5", [3, 400, 100000, 5]),
        ("12% 3.5% -1%", [12, 3.5, -1]),
        ("(12) (1,234.5) ($3)", [-12, -1234.5, -3]),
        ("5- 12.5-", [-5, -12.5]),
        ("12kg 13.5kg x", [12, 13.5, NAN]),
        ("12m2 13.5m2", [12, 13.5]),
        ("9,440E+00 1.5", [NAN, 1.5]),
        ("1.5 0x10", [1.5, NAN]),
        ("+inf 1e400 $1", [np.inf, np.inf, 1]),
        ("2 3 4 5more", [2, 3, 4, NAN]),
        ("1_000 2", [NAN, 2]),
        ("1,2,3 1..2 1.2.3 --4 5+ <3 a1 1a 2b", [NAN] * 9),
        ("inf -inf 3", [np.inf, -np.inf, 3]),
    ],
)
def test_numbers(texts, values):
    np.testing.assert_allclose(numbers(texts.split(), comma=False), values, rtol=1e-15)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1 234,5", 1234.5), ("1 234 567", 1234567), ("1 234 €", 1234), ("EUR 5", 5), ("12.5 %", 12.5),
     ("- 5", -5), ("12 34", NAN), ("1 ,5", NAN)],
)  # fmt: skip
def test_numbers_with_blanks(text, value):
    np.testing.assert_equal(numbers([text], comma=False), [value])


def test_cells_that_do_not_tell_the_mark_follow_the_table():
    assert decimal_votes(AMBIGUOUS) == 0
    np.testing.assert_array_equal(
        numbers(AMBIGUOUS[:1] + AMBIGUOUS[2:3], comma=False), [1234.0, 12345.0]
    )
    np.testing.assert_array_equal(numbers(AMBIGUOUS[:1], comma=True), [1.234])
    # A cell of the column's own decides against the table.
    np.testing.assert_array_equal(numbers(["1.5", "2,345"], comma=True), [1.5, 2345])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("group", "mark"), [(",", "."), (".", ","), (" ", ","), ("'", ".")])
def test_what_is_written_is_read(seed, group, mark):
    values = np.random.default_rng(seed).normal(0, 1e5, 200).round(2)
    swap = str.maketrans({",": group, ".": mark})
    texts = [f"{value:,.2f}".translate(swap) for value in values]
    np.testing.assert_array_equal(numbers(texts, comma=False), values)
    assert all(map(looks_numeric, texts))


@pytest.mark.parametrize(
    ("texts", "days"),
    [
        (["1970-01-02", "1970-01-01T12:00:00", "1969-12-31 00:00"], [1, 0.5, -1]),
        (["1970-01-01T01:00:00+01:00", "1970-01-02T00:00:00Z"], [0, 1]),
        (["1970/1/3", "1970.02.01"], [2, 31]),
        (["13/01/1970", "02/01/1970"], [12, 1]),
        (["01/13/1970", "01/02/1970"], [12, 1]),
        (["02.01.1970", "03.01.1970 12:00"], [1, 2.5]),
        (["01/02/1970"], [NAN]),  # January or February
        (["31.02.1970", "1970-02-31", "abc", "1.5", ""], [NAN] * 5),
    ],
)
def test_dates(texts, days):
    np.testing.assert_allclose(dates(texts), days)


def test_durations():
    texts = ["0:01:05", "12:30", "0 days 00:01:05", "2 days 00:00:01.5", "-1 days +23:59:59", "5"]
    np.testing.assert_allclose(durations(texts), [65, 45000, 65, 172801.5, -1, NAN])
