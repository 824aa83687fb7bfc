"""Every test runs with jaxtyping's shapes checked and two CPU devices, as on a laptop."""

import jax
from jaxtyping import install_import_hook

jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_numpy_rank_promotion", "raise")

CHECKED = ("psi.lab", "psi.ideal", "psi.fit", "psi.bench")
install_import_hook(CHECKED, "beartype.beartype")
