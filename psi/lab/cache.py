"""The folder of what psi can make again: compiled programs, downloads, measured widths."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """$XDG_CACHE_HOME/psi, else ~/.cache/psi."""
    root = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG base directory specification: a relative path is ignored.
    return (Path(root) if os.path.isabs(root) else Path.home() / ".cache") / "psi"
