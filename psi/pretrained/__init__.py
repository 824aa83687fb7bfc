"""The shipped law files, by name; experiments/closed_forms makes them.

`NAME` is for training with the optimizer NAME, α = Ψ; `NAME-scaled` is scale × shape, α = α_0 · Ψ
with α_0 from a probe (psi.lab.engine.probe).
"""

from pathlib import Path


def laws() -> dict[str, Path]:
    """Name → file of every shipped law."""
    files = sorted(Path(__file__).parent.glob("*.*"))
    return {file.stem: file for file in files if file.suffix in (".json", ".safetensors")}
