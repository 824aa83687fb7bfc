"""Parts made by the workers of a local Ray cluster of two nodes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from psi.lab.data import store
from psi.lab.data.config import GenerateConfig
from psi.lab.data.generate import generate
from psi.lab.data.store import RecordsError
from psi.lab.data.sweep import Part, parts, pilots
from psi.lab.engine.work import Layout
from psi.lab.hyper import Hyper

ray = pytest.importorskip("ray", reason="ray is not installed (scripts/test --all)")
cluster = pytest.importorskip("psi.lab.data.cluster")

CONFIG = GenerateConfig(("iris",), Hyper(epochs=2), trajectories=24, cells=0, seeds=2)
SHAPE = Layout(8, 2)
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Ray's own warnings


def counted(folder: Path, part: Part) -> int:
    """How often a part has been begun, counted in files: a worker's memory dies with it."""
    times = len(list(folder.glob(f"{part.name}.*")))
    (folder / f"{part.name}.{times}").touch()
    return times


def fake(part: Part) -> pd.DataFrame:
    return pd.DataFrame({"name": [part.name], "node": [os.getpid()]})


def test_no_cluster_is_one_line():
    with pytest.raises(ValueError, match="no Ray cluster at"):
        cluster.ray_engine("127.0.0.1:1")


def test_a_lost_worker_s_part_is_redone_and_one_that_always_fails_is_named(address, tmp_path):
    wanted = [*pilots(CONFIG), *parts(CONFIG, SHAPE)]
    flaky, cursed = wanted[1], wanted[2]

    def make_one(_, __, part, ___):
        times = counted(tmp_path, part)
        if part == flaky and times == 0:
            os._exit(1)
        if part == cursed:
            raise OSError("no luck")
        return fake(part)

    engine = cluster.ray_engine(address, make_one)
    made = []

    def read():
        for part, frame in engine(CONFIG, SHAPE, wanted, [0.0]):
            made.append(part)
            assert frame.name[0] == part.name

    with pytest.raises(RecordsError, match=rf"1 parts failed 3 times.*{cursed.name}.*no luck"):
        read()
    assert sorted(made) == sorted(set(wanted) - {cursed})
    assert len(list(tmp_path.glob(f"{cursed.name}.*"))) == 3
    assert len(list(tmp_path.glob(f"{flaky.name}.*"))) == 2


def test_the_rows_are_those_that_one_machine_makes(address, tmp_path):
    generate(CONFIG, tmp_path / "here", shape=SHAPE)
    generate(CONFIG, tmp_path / "there", shape=SHAPE, engine=cluster.ray_engine(address))
    here, there = (store.read_records(tmp_path / name) for name in ("here", "there"))
    pd.testing.assert_frame_equal(here, there)
    assert store.data_hash(tmp_path / "here") == store.data_hash(tmp_path / "there")


def test_nothing_outlives_a_killed_driver_by_more_than_ten_seconds():
    import psutil

    code = "from psi.lab.data.cluster import ray_engine as start; start(); print('up', flush=True)"
    command = [sys.executable, "-c", f"{code}; import time; time.sleep(600)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        while "up" not in (line := driver.stdout.readline()):
            assert line, "the driver ended"
        time.sleep(3)  # agents come last
        started = psutil.Process(driver.pid).children(recursive=True)
        driver.kill()
    assert len(started) > 3
    _, alive = psutil.wait_procs(started, timeout=10)
    assert not alive


def test_ray_is_silent(tmp_path):
    command = [sys.executable, "-m", "psi", "generate", "--engine", "ray", "--tasks", "wine"]
    command += ["--trajectories", "4", "--cells", "4", "--out", str(tmp_path / "data")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first, *lines = done.stderr.splitlines()
    assert first == "training networks 0/385, ? min left, starting workers"
    assert all(line.startswith("training networks ") for line in lines)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_without_a_stack_trace(tmp_path, number, code):
    command = [sys.executable, "-m", "psi", "generate", "--engine", "ray", "--preset", "laptop",
               "--tasks", "wine", "--out", str(tmp_path / "data")]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as it:
        assert it.stderr is not None
        while not (tmp_path / "data" / "manifest" / "config.json").exists():  # Ray is up
            assert it.poll() is None
            time.sleep(0.05)
        os.killpg(it.pid, number)
        rest = it.stderr.read()
    assert it.returncode == code
    lines = [line for line in rest.splitlines() if line]
    assert lines[-1] == "psi: interrupted; the same command goes on from here"
    assert all(line.startswith("training networks ") for line in lines[:-1])
