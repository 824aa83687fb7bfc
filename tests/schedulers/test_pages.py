"""The examples of the pages run as they stand, each page in a process of its own."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOSS = re.compile(r"loss ([0-9.]+)")


NEEDS = {
    "optax": ["optax"],
    "torch": ["torch"],
    "keras": ["keras", "torch"],
    "trainers": ["torch", "lightning", "transformers", "accelerate"],
}


@pytest.mark.parametrize("name", NEEDS)
def test_the_examples_of_a_page_run_and_learn(name: str) -> None:
    if missing := [each for each in NEEDS[name] if find_spec(each) is None]:
        pytest.skip(f"{missing} not installed")
    warnings = "ignore" if name == "trainers" else "error"  # the trainers have their own
    page = (ROOT / "psi" / "schedulers" / f"{name}.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.S)
    assert len(blocks) >= 2
    done = subprocess.run(
        [sys.executable, "-W", warnings, "-c", "\n".join(blocks)], text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "KERAS_BACKEND": "torch"},
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = LOSS.findall(done.stdout)
    assert found
    assert all(float(each.rstrip(".")) < 0.2 for each in found)  # of log 2
