"""The machine's devices, and where compiled programs are kept between runs."""

import contextlib
import os
from pathlib import Path

import jax


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


def cache_folder() -> Path:
    """Where psi keeps what can be made again: $XDG_CACHE_HOME/psi, else ~/.cache/psi."""
    root = os.environ.get("XDG_CACHE_HOME", "")
    # The standard for base folders: what is no absolute path is ignored.
    return (Path(root) if os.path.isabs(root) else Path.home() / ".cache") / "psi"
