"""The engine trains policies × seeds on a task in one compiled program.

`population.population` trains whole runs, `branch.play` runs on from given states; a `policy`
chooses the rate, a `probe` measures its scale, `devices.prepare` makes every core work.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psi.lab.engine import branch, devices, policy, population, probe, work

__all__ = ["branch", "devices", "policy", "population", "probe", "work"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
