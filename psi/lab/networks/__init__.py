"""Networks that tasks train: pairs of pure functions, made by one function a kind.

They are `mlp.mlp`, `residual.residual`, `convolution.cnn`, `sequence.gru`, `sequence.transformer`,
`flax.from_flax` for a user's own module, and `table.network` for what hyperparameters name.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psi.lab.networks import convolution, flax, mlp, network, residual, sequence, table

__all__ = ["convolution", "flax", "mlp", "network", "residual", "sequence", "table"]
