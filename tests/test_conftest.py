"""What the tests' own options do."""

from argparse import ArgumentTypeError
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import demanding, is_of, share_of

CI = (Path(__file__).parents[1] / ".ci" / "run").read_text(encoding="utf-8")


def test_every_test_is_of_one_share_and_shares_are_about_equal():
    names = [f"tests/test_a.py::test_b[{k}]" for k in range(1600)]
    counts = [sum(is_of((k, 16), name) for name in names) for k in range(1, 17)]
    assert sum(counts) == len(names)
    assert all(sum(is_of((k, 16), name) for k in range(1, 17)) == 1 for name in names)
    assert 50 < min(counts) <= max(counts) < 150
    assert all(is_of((1, 1), name) for name in names)


def test_a_share_is_read_from_its_words():
    assert share_of("3/16") == (3, 16)
    for asked in ("0/16", "17/16", "3", "a/b", "1/0", ""):
        with pytest.raises(ArgumentTypeError, match=r"k/n, 1 <= k <= n; got"):
            share_of(asked)


def test_files_with_slow_or_long_tests_are_those_that_xla_optimizes():
    marks = {"a.py": "slow", "b.py": "long", "c.py": "parametrize"}
    items = [
        SimpleNamespace(path=Path(name), get_closest_marker=lambda asked, own=mark: asked == own)
        for name, mark in marks.items()
    ]
    assert demanding(items) == {Path("a.py"), Path("b.py")}


def test_ci_runs_the_quick_tests_and_one_share_of_all():
    """Every commit's share is one of sixteen."""
    quick, share = (line for line in CI.splitlines() if line.startswith("step scripts/test"))
    assert "--all" not in quick
    assert '--all --share "$((16#${commit:0:7} % 16 + 1))/16"' in share
