"""Mutants of law files: refused with LawFileError, or laws whose rates are within the limits."""

import math
import os
import random
from pathlib import Path

import numpy as np
import pytest

import psi
from psi.law.clock import Clock, observe, start, tick
from tests.law.mutants import mutant

COUNT = int(os.environ.get("PSI_MUTANTS", "30000"))
"""Over all files; PSI_MUTANTS=300000 makes ten times as many."""
PARTS = 3  # of which the first is not slow
ROOT = Path(__file__).parents[2]
FILES = (
    *sorted((ROOT / "tests" / "law" / "golden").iterdir()),
    ROOT / "psi" / "pretrained" / "sgd@0.1.0.json",
    ROOT / "psi" / "pretrained" / "adam-scaled.json",
)
LOW, HIGH = 1e-4, 2.0
LOSSES = (2.0, 0.0, math.nan, 1e300, -1.0)


def check(law: psi.Law) -> None:
    clock = Clock(law, 3, min_lr=LOW, max_lr=HIGH)
    state = start(clock, np)
    for loss in LOSSES:
        assert LOW <= float(state.learning_rate) <= HIGH
        state = tick(clock, observe(state, np.float64(loss)), np)
    assert LOW <= float(state.learning_rate) <= HIGH


@pytest.mark.parametrize(
    "part", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in range(1, PARTS))]
)
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_mutant_is_refused_or_a_law(file: Path, part: int, tmp_path: Path) -> None:
    content, draw = file.read_bytes(), random.Random(f"{file.name} {part}")
    path, accepted = tmp_path / file.name, 0
    count = -(-COUNT // len(FILES) // PARTS)
    for _ in range(count):
        path.write_bytes(mutant(content, draw))
        try:
            law = psi.load(path)
        except psi.LawFileError:
            continue
        accepted += 1
        check(law)
    # Flipped digits and other ranges are laws still: enough of them to know what that tests.
    assert accepted > count / 100
