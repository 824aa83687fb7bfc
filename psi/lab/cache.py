"""Where psi keeps what can be made again: compiled programs, downloads, measured widths."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """$XDG_CACHE_HOME/psi, else ~/.cache/psi."""
    root = os.environ.get("XDG_CACHE_HOME", "")
    # The standard for base folders: what is no absolute path is ignored.
    return (Path(root) if os.path.isabs(root) else Path.home() / ".cache") / "psi"
