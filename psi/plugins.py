"""What a user adds to the house without editing it: tasks, optimizers, families, baselines.

    PLUGIN = psi.Plugin(optimizers=(psi.own_optimizer("lion", optax.scale_by_lion, 1e-5, 1e-2),))

From Python, `psi.use(PLUGIN)` before anything is asked for by those names. On the command line, a
file that holds such a PLUGIN: `psi generate --plugin mine.py --optimizer lion …`. A data set notes
the file and its hash; reading such a data set again needs the same `--plugin`, because nothing that
a data set's folder says is ever executed.
"""

import hashlib
import importlib.util
from collections.abc import Sequence
from functools import cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from psi.fit.formula.families import OWN_EPOCH, OWN_LOSS, Factor, check_factor
from psi.lab.data.families import FAMILIES, TrajectoryFamily
from psi.lab.optimizers import OPTIMIZERS, Optimizer
from psi.lab.tasks.carried import carried
from psi.lab.tasks.names import PROBLEM_NAMES, TASKS, TaskSource

if TYPE_CHECKING:
    from psi.bench.baselines import Baseline


class Plugin(NamedTuple):
    """Rows for the tables of the house."""

    tasks: Sequence[TaskSource] = ()
    """(name, make): make(hyper) → Task."""
    optimizers: Sequence[Optimizer] = ()
    """Made by `own_optimizer`."""
    trajectories: Sequence[TrajectoryFamily] = ()
    """(name, draw): what `psi generate --families` may name."""
    loss_factors: Sequence[Factor] = ()
    """Factors of the loss e, by which laws are fitted: (name, formula, constants, source)."""
    epoch_factors: Sequence[Factor] = ()
    """Factors of the epoch t, i or i/T."""
    baselines: "Sequence[Baseline]" = ()
    """(name, make): schedules and reacting rules that `psi demo --baselines` may name."""


def use(plugin: Plugin) -> None:
    """Add a plugin's rows to the tables of the house, for as long as this process runs.

    Args:
        plugin: its rows; those that are there already are passed over.

    Returns:
        None.

    Raises:
        ValueError: where a name stands for something else.

    Example:
        >>> import psi
        >>> rings = psi.TaskSource("doctest-wine", lambda hyper: psi.make_task("wine", hyper))
        >>> psi.use(psi.Plugin(tasks=(rings,)))
        >>> psi.make_task("doctest-wine", psi.Hyper(epochs=5)).facts.epochs
        5
    """
    if not isinstance(plugin, Plugin):
        raise ValueError(f"a plugin must be a psi.Plugin, got {type(plugin).__name__}")
    for source in plugin.tasks:
        if source.name in PROBLEM_NAMES or carried(source.name):
            raise ValueError(f"there is another task called {source.name!r}")
        TASKS.add(source)
    for optimizer in plugin.optimizers:
        OPTIMIZERS.add(optimizer)
    for family in plugin.trajectories:
        FAMILIES.add(family)
    for letter, table, factors in (
        ("e", OWN_LOSS, plugin.loss_factors),
        ("t", OWN_EPOCH, plugin.epoch_factors),
    ):
        for factor in factors:
            check_factor(factor, letter)
            table.add(factor)
    if plugin.baselines:
        # With JAX, which a command that only reads its options does without.
        from psi.bench.baselines import BASELINES

        for baseline in plugin.baselines:
            BASELINES.add(baseline)


def use_file(path: Path) -> None:
    """Run a Python file and use the PLUGIN that it holds.

    Raises ValueError where there is no such file, it cannot be run, or it holds none.
    """
    if not path.is_file():
        raise ValueError(f"no such plugin file: {path}")
    use(_plugin_of(path.resolve(), hashlib.sha256(path.read_bytes()).hexdigest()))


class _Loader(SourceFileLoader):
    """Runs a user's file and leaves no __pycache__ beside it."""

    def set_data(self, path: str, data: Any, *, _mode: int = 0o666) -> None:
        """Keep no bytecode."""


@cache
def _plugin_of(path: Path, sha256: str) -> Plugin:
    # Cached: run twice, a file would make other rows of the same names.
    name = f"psi_plugin_{sha256[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"a plugin must be a Python file, got {path}")
    spec.loader = _Loader(name, str(path))
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        raise ValueError(f"{path} cannot be run: {what} (PSI_TRACEBACK=1 says where)") from error
    plugin = getattr(module, "PLUGIN", None)
    if not isinstance(plugin, Plugin):
        raise ValueError(f"{path} holds no PLUGIN: give it one, a psi.Plugin")
    return plugin
