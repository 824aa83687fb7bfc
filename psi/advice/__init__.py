"""What is wrong with a training, from its log; and a rate for it, from a range test.

`range_torch`, `range_optax` and `range_keras` hold the range test's side of each framework, which
is imported with them and not before; the rest needs numpy alone.
"""

from typing import TYPE_CHECKING

from psi.advice.choosing import Columns
from psi.advice.diagnosis import diagnose
from psi.advice.findings import Finding
from psi.advice.log import Log, Series, read_log
from psi.advice.range_test import Suggestion, suggest_lr
from psi.advice.replay import Replay, replay_log

if TYPE_CHECKING:
    from psi.advice import range_keras, range_optax, range_torch

__all__ = [
    "Columns", "Finding", "Log", "Replay", "Series", "Suggestion", "diagnose", "range_keras",
    "range_optax", "range_torch", "read_log", "replay_log", "suggest_lr",
]  # fmt: skip
