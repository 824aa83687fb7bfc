"""The machine's devices, and where compiled programs are kept between runs."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import jax

from psi.lab.cache import cache_folder

BESIDE = 2
T = TypeVar("T")
R = TypeVar("R")


def use_cores(count: int | None = None) -> None:
    """Make every core, or `count` of them, a JAX device. To be called before JAX is first used.

    On an accelerator this changes nothing. A program's bits do not depend on it.
    """
    with contextlib.suppress(RuntimeError):  # JAX is in use: a worker has made a part before
        jax.config.update("jax_num_cpu_devices", count or os.cpu_count() or 1)


def prepare(cores: int | None = None) -> None:
    """All cores, or some, and compiled programs kept from run to run in the user's cache folder.

    JAX's own settings for the cache win where the user has made them.
    """
    use_cores(cores)
    if jax.config.values["jax_compilation_cache_dir"] is None:
        jax.config.update("jax_compilation_cache_dir", str(cache_folder() / "jax"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


def one_core_options(backend: str) -> dict[str, Any] | None:
    """Compiler options of a program that has a core to itself.

    Products that also spread over all cores get in each other's way (measured 390 against 280
    runs a second).
    """
    return {"xla_cpu_multi_thread_eigen": False} if backend == "cpu" else None


def over_devices(unit: Callable[..., Any], devices: int, *work: Any) -> Any:
    """unit(*work[u]) for every u, in parallel over `devices` and one after the other on each.

    The leading axis of every leaf of `work` is divided by `devices`, which must divide it. What a
    unit computes does not depend on their number. To be called under jit.
    """
    mesh = jax.make_mesh(
        (devices,), ("unit",), (jax.sharding.AxisType.Auto,), devices=jax.local_devices()[:devices]
    )
    each = jax.sharding.PartitionSpec("unit")
    run = lambda work: jax.lax.map(lambda one: unit(*one), work)  # noqa: E731
    sharded = jax.shard_map(run, mesh=mesh, in_specs=(each,), out_specs=each, check_vma=False)
    return sharded(work)


def beside(make: Callable[[T], R], each: Iterable[T]) -> Iterator[R]:
    """make(x) for every x in turn, made two at a time: compiling takes one core and no lock."""
    with ThreadPoolExecutor(BESIDE) as pool:
        yield from pool.map(make, each)
