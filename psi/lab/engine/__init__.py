"""The engine trains policies × seeds on a task in one compiled program.

`population.population` trains whole runs, `branch.play` runs on from given states; a `policy`
chooses the rate, a `probe` measures its scale, `devices.prepare` makes every core work.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psi.lab.engine import branch, devices, policy, population, probe, work

__all__ = ["branch", "devices", "policy", "population", "probe", "work"]
