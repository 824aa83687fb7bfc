"""Make the data: tasks, networks, the engine, and data sets of records.

Here stand what all four rooms share: hyperparameters (`hyper`), the table of optimizers
(`optimizers`) and what a table is to which a user adds (`registry`).
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psi.lab import cache, hyper, optimizers, registry

__all__ = ["cache", "hyper", "optimizers", "registry"]
