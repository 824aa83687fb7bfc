"""A table of rows by name: what it refuses, and that nothing in it is ever replaced."""

from typing import NamedTuple

import pytest

from psi.lab.registry import Table


class Thing(NamedTuple):
    name: str
    value: int


def test_rows_are_found_by_name_in_the_order_in_which_they_came():
    table = Table("thing", (Thing("a", 1), Thing("b", 2)))
    table.add(Thing("c", 3))
    assert table.names == ("a", "b", "c")
    assert [row.value for row in table] == [1, 2, 3]
    assert table["b"].value == 2
    assert "c" in table
    assert "d" not in table


def test_an_unknown_name_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="unknown thing 'x'; allowed: a"):
        Table("thing", (Thing("a", 1),))["x"]


def test_a_name_means_one_thing():
    row = Thing("b", 2)
    table = Table("thing", (Thing("a", 1), row))
    table.add(row)
    assert table.names == ("a", "b")
    with pytest.raises(ValueError, match="there is another thing called 'a'"):
        table.add(Thing("a", 7))
    assert table["a"].value == 1
