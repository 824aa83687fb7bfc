"""Data sets of records: what is asked for, trained, committed and read back.

`generate.generate` makes what a `config.GenerateConfig` asks for, `store.read_records` and
`store.read_tasks` read it, `inventory.inventory` says what is inside.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psi.lab.data import config, families, generate, inventory, records, store, sweep

__all__ = ["config", "families", "generate", "inventory", "records", "store", "sweep"]
