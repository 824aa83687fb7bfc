"""All cores of a CPU as devices, so that the engine runs one program on each."""

import os

import jax


def use_all_cores() -> None:
    """Make every core a JAX device. To be called once, before JAX is first used.

    On an accelerator this changes nothing. A program's bits do not depend on it.
    """
    jax.config.update("jax_num_cpu_devices", os.cpu_count() or 1)
