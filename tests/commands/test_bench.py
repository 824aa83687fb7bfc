"""What `psi bench` refuses, and when its answer is no."""

import pytest

from psi.commands.bench import BenchCommand


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fits"], ["fits", "engine"]),
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_line_and_exit_2(arguments, words, refused):
    refused(["bench", *arguments], words)


def test_a_row_that_is_not_ok_is_exit_1():
    assert BenchCommand.failed({"rows": [{"ok": True}, {"ok": False}]})
    assert not BenchCommand.failed({"rows": [{"ok": True}]})
    assert not BenchCommand.failed({"runs_per_second": 300.0})
