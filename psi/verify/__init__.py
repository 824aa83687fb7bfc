"""Every estimate against problems whose ideal rate is known exactly (problems.md).

`table.verify` makes the rows that `psi verify` prints.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psi.verify import adversary, greedy, horizons, noiseless, rows, table

__all__ = ["adversary", "greedy", "horizons", "noiseless", "rows", "table"]
