"""Every test runs with jaxtyping's shapes checked and two CPU devices, as on a laptop."""

import jax
from jaxtyping import install_import_hook

jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_numpy_rank_promotion", "raise")

CHECKED = ("psi.lab", "psi.ideal", "psi.fit", "psi.bench")
install_import_hook(CHECKED, "beartype.beartype")

LONGEST = ("test_demo.py", "test_cli.py", "test_engine.py", "test_generate.py", "test_bench.py")


def pytest_collection_modifyitems(items):
    """The longest files first, so that two processes end together."""
    items.sort(key=lambda item: LONGEST.index(n) if (n := item.path.name) in LONGEST else 99)
