"""Use every core of the machine as a device, and keep compiled programs between runs."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import jax

from psi.lab.cache import cache_folder

BESIDE = 2  # at a time
MAPPED = 30_000  # mappings of memory
T = TypeVar("T")
R = TypeVar("R")


def use_cores(count: int | None = None) -> None:
    """Make every core, or `count` of them, a JAX device. Call it before JAX is first used.

    At least two: for one XLA makes other programs, whose results differ in their last bits. So it
    changes no bit of a result, and nothing on an accelerator.
    """
    with contextlib.suppress(RuntimeError):  # JAX is in use: this worker has made a part before
        jax.config.update("jax_num_cpu_devices", max(2, count or os.cpu_count() or 1))


def prepare(cores: int | None = None) -> None:
    """Use all cores, or `cores` of them, and keep compiled programs in the user's cache folder.

    Where the user has set JAX's own cache folder, that one is used.
    """
    use_cores(cores)
    if jax.config.values["jax_compilation_cache_dir"] is None:
        jax.config.update("jax_compilation_cache_dir", str(cache_folder() / "jax"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


def one_core_options(backend: str) -> dict[str, Any] | None:
    """Compiler options for programs that run side by side, one on each core; None elsewhere.

    Matrix products that spread over all cores would slow each other down (390 runs a second with
    these options, 280 without).
    """
    return {"xla_cpu_multi_thread_eigen": False} if backend == "cpu" else None


def over_devices(unit: Callable[..., Any], devices: int, *work: Any) -> Any:
    """unit(*work[u]) for every u, in parallel over `devices` and one after the other on each.

    `devices` must divide the leading axis of every leaf of `work`. What a unit computes does not
    depend on their number, from two on (`use_cores`). Call it under jit.
    """
    mesh = jax.make_mesh(
        (devices,), ("unit",), (jax.sharding.AxisType.Auto,), devices=jax.local_devices()[:devices]
    )
    each = jax.sharding.PartitionSpec("unit")
    run = lambda work: jax.lax.map(lambda one: unit(*one), work)  # noqa: E731
    sharded = jax.shard_map(run, mesh=mesh, in_specs=(each,), out_specs=each, check_vma=False)
    return sharded(work)


def beside(make: Callable[[T], R], each: Iterable[T]) -> Iterator[R]:
    """make(x) for every x, in order, two at a time: compiling uses one core and holds no lock."""

    def one(x: T) -> R:
        found = make(x)
        forget_programs()
        return found

    with ThreadPoolExecutor(BESIDE) as pool:
        yield from pool.map(one, each)


def forget_programs(most: int = MAPPED) -> bool:
    """Forget compiled programs where they take many of the process's mappings of memory.

    Linux allows 65,530 (vm.max_map_count), which some hundred programs use up: compiling another
    then ends the process. Returns whether it did.
    """
    maps = Path("/proc/self/maps")
    full = maps.exists() and maps.read_bytes().count(b"\n") > most
    if full:
        jax.clear_caches()
    return full
