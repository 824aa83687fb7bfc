"""Maths written once for numpy and JAX: functions take the array namespace `xp` as an argument."""

from typing import Any, TypeAlias

Array: TypeAlias = Any
"""An array or scalar of the namespace in use: numpy's or jax.numpy's."""

Namespace: TypeAlias = Any
"""The module `numpy` or `jax.numpy`."""
