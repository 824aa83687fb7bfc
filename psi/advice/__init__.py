"""What is wrong with a training, from its log; and a rate for it, from a range test.

`range_torch`, `range_optax` and `range_keras` hold the range test's side of each framework, which
is imported with them and not before; the rest needs numpy alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from psi.advice.diagnosis import diagnose
from psi.advice.findings import Finding
from psi.advice.log import Columns, Log, read_log
from psi.advice.range_test import Suggestion, suggest_lr
from psi.advice.replay import Replay, replay_log

if TYPE_CHECKING:
    from psi.advice import range_keras, range_optax, range_torch

__all__ = [
    "Columns", "Finding", "Log", "Replay", "Suggestion", "diagnose", "range_keras", "range_optax",
    "range_torch", "read_log", "replay_log", "suggest_lr",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in __all__:
        return import_module(f"psi.advice.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
