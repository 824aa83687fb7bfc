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


@pytest.mark.parametrize("framework", ["optax", "torch", "keras"])
def test_the_examples_of_a_page_run_and_learn(framework: str) -> None:
    if find_spec(framework) is None or (framework == "keras" and find_spec("torch") is None):
        pytest.skip(f"{framework} is not installed")
    page = (ROOT / "psi" / "schedulers" / f"{framework}.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.S)
    assert len(blocks) >= 2
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(blocks)], text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "KERAS_BACKEND": "torch"},
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = LOSS.search(done.stdout)
    assert found is not None
    assert float(found[1].rstrip(".")) < 0.2  # of log 2
