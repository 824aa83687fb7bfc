"""The tasks on which shipped laws are judged: no fit, polish or choice of a form ever sees them.

Whole data sets (digits, iris, the documentation's text, moons) and networks (CNN, transformer) are
kept out, with budgets, batches, widths and initialisations as they come in practice. The list was
committed before any law was evaluated on it; half of it are streams. The training tasks of the
shipped laws are in experiments/closed_forms.
"""

from psi.lab.hyper import Hyper
from psi.lab.tasks.names import Spec

FIXED: tuple[Spec, ...] = (
    Spec("digits", Hyper()),
    Spec("digits", Hyper(network="cnn")),
    Spec("digits", Hyper(epochs=40, batch=128, width=64, depth=2)),
    Spec("iris", Hyper()),
    Spec("digits", Hyper(epochs=10, batch=16, network="linear")),
    Spec("pydoc", Hyper(epochs=10, batch=64, network="transformer", width=16)),
)
STREAMS: tuple[Spec, ...] = (
    Spec("moons-0", Hyper()),
    Spec("moons-1", Hyper(epochs=40, batch=8)),
    Spec("moons-2", Hyper(batch=64, width=64, depth=2)),
    Spec("moons-3", Hyper(epochs=10, batch=16, activation="tanh")),
    Spec("moons-4", Hyper(network="residual", width=16)),
    Spec("moons-5", Hyper(epochs=40, width=16, init_scale=0.5)),
)
HELD_OUT = (*FIXED, *STREAMS)
