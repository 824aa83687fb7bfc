"""The ledger of seeds: ranges that do not meet, and that nobody else makes up."""

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from psi.lab.engine import seeds
from psi.lab.engine.seeds import Seeds

ROOT = Path(__file__).parents[3]
RANGES = {name: each for name, each in vars(seeds).items() if isinstance(each, Seeds)}
OWN = re.compile(
    r"^_?[A-Z_]*(SEED|SEEDS|PROBES)[A-Z_]* *= *(np\.(arange|array)|range|[\d_]{2,}$)", re.M
)
"""A module's own range: NAME_SEEDS = np.arange(…), or a first seed."""
ELSEWHERE = {
    "experiments/suites.py": "the date that drew the suites",
    "psi/atlas/distribution.py": "the date that draws the tasks and makes their root keys",
    "psi/bench/running.py": "the date that a root key is made of",
    "psi/bench/shipped.py": "the date that a root key is made of",
    "psi/lab/engine/seeds.py": "the ledger",
}


def test_ranges_are_disjoint_and_are_what_a_key_can_be_folded_with():
    assert len(RANGES) == 11
    ordered = sorted(RANGES.values(), key=lambda each: each.first)
    for one, following in pairwise(ordered):
        assert one.first + one.count <= following.first
    assert ordered[0].first >= 0
    assert ordered[-1].first + ordered[-1].count < 2**31


def test_what_the_demo_and_published_tables_used_has_not_moved():
    assert list(seeds.TUNING.array(5)) == [0, 1, 2, 3, 4]
    assert list(seeds.SCORING.array(10)) == list(range(100, 110))
    assert seeds.CHOOSING.array(128)[0] == 500
    assert seeds.ORACLE.array(16, skip=32)[0] == 1032
    assert seeds.STATES.array(8)[-1] == 10_007


def test_a_range_does_not_run_into_the_next():
    few = Seeds(10, 4)
    np.testing.assert_array_equal(few.array(2, skip=2), [12, 13])
    with pytest.raises(ValueError, match="has 4 seeds, got 3 after the first 2"):
        few.array(3, skip=2)


def test_no_module_has_a_range_of_its_own():
    files = [*(ROOT / "psi").rglob("*.py"), *(ROOT / "experiments").rglob("*.py")]
    own = {str(f.relative_to(ROOT)): OWN.findall(f.read_text()) for f in files}
    assert {name for name, found in own.items() if found} <= set(ELSEWHERE)
    for line in ("FIRST_SEED = 2000", "SCORING_SEEDS = np.arange(100, 110)", "SEEDS = range(3)"):
        assert OWN.search(line)
