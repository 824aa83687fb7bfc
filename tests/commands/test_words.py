"""The words of a command, both ways."""

from dataclasses import dataclass

import pytest

from psi.commands.words import options_of, told


@dataclass(frozen=True)
class Command:
    file: str
    size: int = 3
    names: tuple[str, ...] = ()
    dry_run: bool = False
    colour: bool = True


def test_options_are_what_differs_from_the_defaults():
    assert options_of(Command("a"), ("file",)) == []
    every = Command("a", 4, ("x", "y"), True, False)
    assert options_of(every, ("file",)) == [
        "--size", "4", "--names", "x", "y", "--dry-run", "--no-colour",
    ]  # fmt: skip
    assert options_of(every, ("size", "names", "dry_run", "colour")) == ["--file", "a"]


def test_a_value_may_hold_what_separates_it():
    assert told(["a=b=c", "b="], ("a", "b"), "name") == {"a": "b=c", "b": ""}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["c=1"], "unknown name 'c'"),
        (["a"], "names must be NAME=VALUE, each once, got 'a'"),
        (["a=1", "a=2"], "names must be NAME=VALUE, each once, got 'a=2'"),
    ],
)
def test_what_is_none_is_refused(words, said):
    with pytest.raises(ValueError, match=said):
        told(words, ("a", "b"), "name")
