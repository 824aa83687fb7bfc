"""Every test runs with two CPU devices, as on a laptop.

XLA optimizes little but in files with slow tests, where these run: optimizing takes a third of the
time of tests that train networks. Where the slow ones are left out, jaxtyping's shapes are not
checked, which costs a quarter of the time.

What one test, or a command that it starts, has compiled, the others read back.
"""

import argparse
import atexit
import os
import shutil
import tempfile
import zlib
from pathlib import Path

if "JAX_COMPILATION_CACHE_DIR" not in os.environ:  # once: workers and commands inherit it
    folder = tempfile.mkdtemp(prefix="psi-test-cache-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = folder
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.2"
    atexit.register(shutil.rmtree, folder, ignore_errors=True)

import jax
import pytest
from jaxtyping import install_import_hook

jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_numpy_rank_promotion", "raise")

SLOW = pytest.StashKey[set[Path]]()
"""Files with slow tests."""
CHECKED = ("psi.lab", "psi.ideal", "psi.fit", "psi.bench")

LONGEST = (
    "test_demo.py", "test_main.py", "test_branch.py", "test_regression.py", "test_population.py",
    "test_generate.py", "test_problems.py", "test_noisy_problems.py", "test_noiseless_problems.py",
    "test_contest.py", "test_cluster.py", "test_flax.py", "test_files.py", "test_table.py",
    "test_curves.py", "test_baseline.py", "test_running.py", "test_drawn.py", "test_doctests.py",
    "test_keras.py", "test_streams.py", "test_pages.py", "test_optax_together.py",
    "test_branched.py", "test_training.py", "test_measured.py", "test_closed.py",
)  # fmt: skip


def is_quick(config):
    return "not slow" in config.option.markexpr


def pytest_addoption(parser):
    said = "k/n: of what is to run, the k-th of n parts alone, cut by the names of the tests"
    parser.addoption("--share", type=share_of, default=(1, 1), metavar="K/N", help=said)


def share_of(asked):
    """(k, n) of "k/n", 1 <= k <= n."""
    try:
        k, n = map(int, asked.split("/"))
    except ValueError:
        k, n = 0, 0
    if not 1 <= k <= n:
        raise argparse.ArgumentTypeError(f"--share must be k/n, 1 <= k <= n; got {asked!r}")
    return k, n


def is_of(share, name):
    """Whether the test of this name is of the share."""
    k, n = share
    return zlib.crc32(name.encode()) % n == k - 1


def demanding(items):
    """Files with tests that train for long."""
    return {item.path for item in items if any(map(item.get_closest_marker, ("slow", "long")))}


def pytest_configure(config):
    if not is_quick(config):
        install_import_hook(CHECKED, "beartype.beartype")


def pytest_runtest_setup(item):
    fit = item.path.is_relative_to(Path(__file__).parent / "fit")  # few programs that run long
    little = not (fit or item.path in item.session.stash.get(SLOW, set()))
    jax.config.update("jax_disable_most_optimizations", little)
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = str(int(little))  # for commands that tests start


def pytest_collection_modifyitems(session, config, items):
    """The longest files first, so that two processes end together; of a share its tests alone."""
    share = config.getoption("share")
    config.hook.pytest_deselected(items=[item for item in items if not is_of(share, item.nodeid)])
    items[:] = [item for item in items if is_of(share, item.nodeid)]
    items.sort(key=lambda item: LONGEST.index(n) if (n := item.path.name) in LONGEST else 99)
    if not is_quick(config):  # whole files: their tests share what was made
        session.stash[SLOW] = demanding(items)


@pytest.fixture(scope="module")
def address():
    """A Ray cluster of two nodes, of one core each."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    nodes.add_node(num_cpus=1)
    nodes.wait_for_nodes()
    ray.init(address=nodes.address, log_to_driver=False)
    yield nodes.address
    ray.shutdown()
    nodes.shutdown()
