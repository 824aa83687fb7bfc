"""The same parts on many machines, through Ray (extra `ray`).

Every part, of a data set or of a suite's run, is a task of one CPU; its records come back to the
one process that commits them, so a row is there exactly once however often a worker is lost. A part
that fails three times is set aside and named at the end, when all the others are done.
"""

import atexit
import contextlib
import logging
import signal
import socket
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any, TypeVar

import pandas as pd

from psi.lab.data.config import GenerateConfig
from psi.lab.data.generate import Engine
from psi.lab.data.store import RecordsError
from psi.lab.data.sweep import Criteria, Part, make
from psi.lab.data.watchdog import watch
from psi.lab.engine.work import Layout

TASKS = "psi.lab.tasks.real"  # brings scikit-learn
TRIES = 3
MakeOne = Callable[[GenerateConfig, Layout, Part, float], pd.DataFrame]
T = TypeVar("T")
AHEAD = 2  # parts a CPU that wait in the cluster, so that no worker idles


def ray_engine(address: str | None = None, make_one: MakeOne | None = None) -> Engine:
    """What makes a data set's parts on a Ray cluster (`connect`); `make_one` one, in a worker."""
    connect(address)
    return partial(_engine, make_one or make_part)


def connect(address: str | None = None) -> None:
    """Use the Ray cluster at `address`, or one of its own on this machine; its workers warm up.

    Raises ValueError where Ray is not installed or no cluster is there.
    """
    try:
        import ray
    except ImportError:
        raise ValueError("--engine ray needs: pip install 'psi-lr[ray]'") from None
    if not ray.is_initialized():
        check_address(address)
        if address in (None, "local"):
            watch()
        # Ray's servers take three seconds to start, for which this process only waits.
        threading.Thread(target=import_module, args=(TASKS,), daemon=True).start()
        with _quiet():
            ray.init(
                address=address or "local", include_dashboard=False, log_to_driver=False,
                logging_level=logging.ERROR,
            )  # fmt: skip
        atexit.register(ray.shutdown)  # before Ray's own, which sleeps for its log's sake
    warm = ray.remote(num_cpus=1, max_retries=0)(_warm_up)
    for _ in range(int(ray.cluster_resources().get("CPU", 1))):
        warm.remote()  # while this process makes its tasks


def _warm_up() -> None:
    """What a worker does first: import JAX and all that makes a part."""
    from psi.lab.engine.devices import prepare

    prepare(cores=1)
    import_module(TASKS)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Ray from writing over the progress bar, now or at a signal."""
    ours = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with warnings.catch_warnings():  # of a fork, which runs another program at once
        warnings.simplefilter("ignore", RuntimeWarning)
        yield
    if threading.current_thread() is threading.main_thread():
        for number, handler in ours.items():  # Ray's own print a stack trace
            signal.signal(number, handler)


def check_address(address: str | None) -> None:
    """Raise ValueError where nobody answers: Ray itself would try for minutes, and write pages."""
    if address in (None, "auto", "local"):
        return
    host, _, port = str(address).rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=3).close()
    except (OSError, ValueError) as error:
        raise ValueError(f"no Ray cluster at {address} (host:port): {error}") from None


def _engine(
    make_one: MakeOne,
    config: GenerateConfig,
    shape: Layout,
    wanted: Sequence[Part],
    criteria: Criteria,
) -> Iterator[tuple[Part, pd.DataFrame]]:
    named = {part.name: part for part in wanted}
    calls = {part.name: (config, shape, part, criteria[part.task]) for part in wanted}
    return ((named[name], frame) for name, frame in spread(make_one, calls))


def spread(
    make: Callable[..., T], calls: Mapping[str, tuple[Any, ...]], gpus: int = 0
) -> Iterator[tuple[str, T]]:
    """(name, make(*arguments)) of every call, in the order in which the workers are done.

    After `connect`; a call takes a core and so many `gpus`. Raises RecordsError, at the end, where
    calls failed three times.
    """
    import ray
    from ray.exceptions import RayError

    remote: Any = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=0)(make)
    waiting, failures = [*calls][::-1], Counter[str]()
    under_way: dict[Any, str] = {}
    lost: dict[str, str] = {}
    most = AHEAD * max(int(ray.cluster_resources().get("GPU" if gpus else "CPU", 1)), 1)
    while waiting or under_way:
        while waiting and len(under_way) < most:
            name = waiting.pop()
            under_way[remote.remote(*calls[name])] = name
        (done,), _ = ray.wait(list(under_way))
        name = under_way.pop(done)
        try:
            result = ray.get(done)
        except RayError as error:
            failures[name] += 1
            if failures[name] < TRIES:
                waiting.append(name)
            else:
                lost[name] = str(error).strip().splitlines()[-1]
            continue
        yield name, result
    if lost:
        named = "; ".join(f"{name}: {why}" for name, why in lost.items())
        raise RecordsError(f"{len(lost)} parts failed {TRIES} times and were left out: {named}")


def make_part(config: GenerateConfig, shape: Layout, part: Part, criterion: float) -> pd.DataFrame:
    """The records of one part, made in a worker of one core."""
    from psi.lab.engine.devices import prepare

    prepare(cores=1)  # Ray runs as many of these as there are cores
    criteria = [criterion] * len(config.specs())
    ((_, frame),) = make(config, shape, [part], criteria)
    return frame
