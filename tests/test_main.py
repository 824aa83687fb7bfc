"""The process behind `python -m psi`: signals, what it imports, what it says without the lab."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import psi

GENERATE = ["--tasks", "wine", "teacher-0", "--epochs=4", "--trajectories=0",
            "--candidates=4", "--seeds=2"]  # fmt: skip


def start(*arguments):
    command = [sys.executable, "-m", "psi", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(*arguments):
    process = start(*arguments)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def catches(process, number):
    """Whether a handler of the signal is there, as far as the system tells (Linux)."""
    status = Path(f"/proc/{process.pid}/status")
    if not status.exists():
        return True
    (mask,) = re.findall(r"SigCgt:\s*(\w+)", status.read_text())
    return bool(int(mask, 16) >> (number - 1) & 1)


@pytest.mark.parametrize(
    ("sign", "number", "code"),
    [
        (None, signal.SIGTERM, 143),  # Python itself has a handler of SIGINT from the start
        ("manifest/config.json", signal.SIGINT, 130),
        ("records/part-0000-pilot.parquet", signal.SIGINT, 130),
    ],
    ids=["importing", "compiling", "training"],
)
def test_signals_end_it_within_five_seconds_and_a_rerun_goes_on(tmp_path, sign, number, code):
    """As soon as there is a handler, or the file that tells how far it is."""
    out = tmp_path / "data"
    asked = (*GENERATE, "--cells=1000")
    with start("generate", "--out", out, *asked) as process:
        try:
            until = time.monotonic() + 120  # a first start compiles Python's own files
            while not (out / sign).exists() if sign else not catches(process, number):
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.01)
            process.send_signal(number)
            sent = time.monotonic()
            process.communicate(timeout=30)
        finally:
            process.kill()
    assert time.monotonic() - sent < 5
    assert process.returncode == code
    files = [p for p in out.rglob("*") if p.is_file() and not p.name.startswith(".")]
    for file in files:
        assert file.stat().st_size > 0
    if files:
        done, printed, error = run("generate", "--out", out, *asked, "--json")
        assert done == 0, error
        assert json.loads(printed)["rows"] == 4 * (2 * 225 + 2 * 1000 * 4 * 2)


def test_importing_psi_imports_no_framework():
    code = "import psi, sys; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    loaded = {name.split(".")[0] for name in modules.stdout.split()}
    assert "numpy" in loaded
    assert not loaded & {
        "jax", "flax", "pandas", "scipy", "sklearn", "sympy", "torch", "keras", "safetensors"
    }  # fmt: skip


def test_a_missing_lab_is_one_line_with_the_pip_command(tmp_path):
    (tmp_path / "tyro.py").write_text("raise ImportError('No module named tyro')")
    env = os.environ | {"PYTHONPATH": f"{tmp_path}:{Path(psi.__file__).parents[1]}"}
    done = subprocess.run(
        [sys.executable, "-m", "psi", "demo"], env=env, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "pip install 'psi-lr[lab]'" in done.stderr
