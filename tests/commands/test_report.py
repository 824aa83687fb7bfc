"""What `psi report` refuses; the page itself is in tests/report/test_page.py."""

import pytest


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["EMPTY"], ["EMPTY", "no finished demo"]),
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_line_and_exit_2(arguments, words, refused):
    refused(["report", *arguments], words)
