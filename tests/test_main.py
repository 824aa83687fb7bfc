"""The process behind `python -m psi`: signals, what it imports, what it says without the lab."""

import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import psi

SAMPLE = Path(__file__).parents[1] / "data" / "sample"
PART = "part-0000-train-00000"
GENERATE = ["--tasks", "wine", "--epochs=4", "--trajectories=0", "--candidates=4", "--seeds=2"]


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
    asked = (*GENERATE, "--cells=200")
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
        assert json.loads(printed)["rows"] == 4 * (225 + 200 * 4 * 2)


@pytest.mark.parametrize(
    ("command", "goes_on"),
    [
        ("generate --out x", True), ("bench suite smoke --out x", True), ("bench table x", False),
        ("bench --json suite smoke --out=x", True), ("compare --tasks wine --out=x", True),
        ("compare adam --tasks wine", False), ("show sgd --out x", False), ("", False),
    ],
)  # fmt: skip
def test_a_stopped_command_says_whether_it_goes_on(command, goes_on):
    from psi.__main__ import _goes_on

    assert _goes_on(command.split()) == goes_on


@pytest.mark.slow
def test_a_stopped_suite_leaves_whole_parts_and_goes_on(tmp_path):
    asked = ("bench", "suite", "smoke", "--out", tmp_path, "--methods", "dog", "prodigy",
             "--optimizers", "adam")  # fmt: skip
    with start(*asked) as process:
        while not list(tmp_path.glob("manifest/part-*.json")):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "psi: interrupted; the same command goes on from here" in err
    whole = [path.stem for path in tmp_path.glob("manifest/part-*.json")]
    parts = [tmp_path / "records" / f"{name}.parquet" for name in whole]  # not one without entry
    kept = {path: path.stat().st_mtime_ns for path in parts}
    assert kept
    code, _, err = run(*asked)
    assert code == 0, err
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert not re.search(r"^training networks 0/", err, re.M)


def test_importing_psi_imports_no_framework():
    code = "import psi, sys; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    loaded = {name.split(".")[0] for name in modules.stdout.split()}
    assert "numpy" in loaded
    assert not loaded & {
        "jax", "flax", "pandas", "scipy", "sklearn", "sympy", "torch", "keras", "safetensors"
    }  # fmt: skip


def test_a_missing_lab_is_one_line_with_the_pip_command(tmp_path):
    (tmp_path / "tyro.py").write_text("raise ImportError('No module named tyro', name='tyro')")
    env = os.environ | {"PYTHONPATH": f"{tmp_path}:{Path(psi.__file__).parents[1]}"}
    done = subprocess.run(
        [sys.executable, "-m", "psi", "demo"], env=env, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "psi demo needs: pip install 'psi-lr[cli]'" in done.stderr


def test_a_reader_who_leaves_is_no_error():
    with start("show", "sgd") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert process.returncode == 141


def test_a_law_is_read_from_standard_input():
    law = Path(str(psi.__file__)).parent / "pretrained" / "sgd.json"
    command = [sys.executable, "-m", "psi", "show", "-", "--json"]
    with law.open() as file:
        done = subprocess.run(command, stdin=file, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == psi.load("sgd").document()


THREAD = """
import sys, threading, time
from psi import __main__, cli
def run(arguments):
    threading.Thread(target=time.sleep, args=(60,)).start()
    print("done")
    return 2
cli.run = run
__main__.main()
"""


def test_no_thread_outlives_main():
    """Python itself would wait for this one; one of C++ it would take down in the middle."""
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-c", THREAD], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "done\n")
    assert time.monotonic() - begun < 30


def damaged(tmp_path, kind):
    """A copy of the sample whose first trained part, task table or ideal table is damaged."""
    data = tmp_path / "data"
    shutil.copytree(SAMPLE, data)
    path = data / ("tasks.parquet" if kind == "table" else f"records/{PART}.parquet")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content if kind == "flip" else content[:-10])
    return data


@pytest.mark.slow
def test_a_damaged_part_ends_in_exit_2_every_time(tmp_path):
    asked = {
        "fit": ["--out", tmp_path / "law.json"],
        "ideal": ["--out", tmp_path / "i", "--cells=1", "--states=1", "--orders=2", "--rates=3"],
        "records": [],
        "check": ["--check"],
    }
    for number, (kind, (command, more)) in enumerate(
        itertools.product(("flip", "cut", "table"), asked.items())
    ):
        if (kind, command) == ("table", "check"):
            continue  # it reads the records alone
        data = damaged(tmp_path / str(number), kind)
        code, _, err = run("records" if command == "check" else command, data, *more)
        assert code == 2, (kind, command, err)
        name = "tasks.parquet" if kind == "table" else PART
        assert re.search(rf"^psi: .*{name}", err, re.M), err
        assert "Traceback" not in err


CLI = """
import os, sys
from importlib.metadata import distributions
from importlib.util import find_spec
assert not {d.name for d in distributions()} & {"jax", "jaxlib", "jaxtyping", "scipy", "pyarrow"}
assert find_spec("jax") is None
"""


@pytest.mark.slow
def test_the_extra_cli_reads_laws_and_logs_without_jax(tmp_path):
    """Installed from this checkout into an environment of its own."""
    root = Path(str(psi.__file__)).parents[1]
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    folder = tmp_path / "venv" / "bin"
    pinned = ["-q", "-c", root / "scripts" / "constraints.txt", f"{root}[cli]"]
    subprocess.run([folder / "python", "-m", "pip", "install", *pinned], check=True)
    env = {**os.environ, "PYTHONPATH": ""}
    subprocess.run([folder / "python", "-c", CLI], check=True, env=env, cwd=tmp_path)

    def there(*arguments):
        done = subprocess.run(
            [folder / "psi", *arguments], env=env, cwd=tmp_path, capture_output=True, text=True
        )
        return done.returncode, done.stdout, done.stderr

    for asked, said in (
        (["--help"], "usage: psi"),
        (["--version"], psi.__version__),
        (["laws"], "momentum: α = "),
        (["show", "sgd", "--latex", "--png", "sgd.png"], "Ψ = "),
        (["law", "verify", "adam"], "\nok\n"),
        (["diagnose", root / "data" / "log" / "digits.csv", "--out", "log.png"], "noise floor"),
    ):
        code, out, err = there(*asked)
        assert (code, err) == (0, "")
        assert said in out
    assert {path.name for path in tmp_path.glob("*.png")} == {"sgd.png", "log.png"}
    code, out, err = there("fit", "data", "--out", "law.json")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "psi fit needs: pip install 'psi-lr[lab]'" in err
