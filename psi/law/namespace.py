"""Types of maths written once for numpy and JAX: functions take the namespace `xp` to use."""

from typing import Any, TypeAlias

Array: TypeAlias = Any
"""An array or scalar of the namespace in use, numpy or jax.numpy."""

Namespace: TypeAlias = Any
"""The module `numpy` or `jax.numpy`."""
