"""Psi: the ideal learning rate α_i = Ψ(ε, i) as a function of the loss ε and the epoch i.

`import psi`, `psi.load` and evaluating a law need numpy and safetensors alone. Every other name
below is imported when it is first asked for, and needs what its room needs: the schedulers their
framework, the rooms that make a law the extra `lab` (pip install 'psi-lr[lab]').
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from psi.law import Clock, Facts, Law, LawFileError
from psi.law.load import load

if TYPE_CHECKING:
    from psi.advice.diagnosis import diagnose
    from psi.advice.range_test import suggest_lr
    from psi.bench.baselines import Baseline
    from psi.fit.config import FitConfig
    from psi.fit.dataset import fit_law
    from psi.fit.formula.families import Factor
    from psi.fit.formula.formula import Parameter
    from psi.ideal.config import IdealConfig
    from psi.ideal.estimate import estimate
    from psi.lab.data.config import GenerateConfig
    from psi.lab.data.families import TrajectoryFamily
    from psi.lab.data.generate import generate
    from psi.lab.engine.policy import Policy, law_policy, trajectory
    from psi.lab.engine.population import population
    from psi.lab.hyper import Hyper
    from psi.lab.networks.flax import from_flax
    from psi.lab.networks.mlp import mlp
    from psi.lab.networks.network import Network
    from psi.lab.optimizers import own_optimizer
    from psi.lab.tasks.build import fixed_task
    from psi.lab.tasks.drawn import sample_tasks
    from psi.lab.tasks.names import TaskSource
    from psi.lab.tasks.table import make_task
    from psi.lab.tasks.task import Batch, Splits, Task
    from psi.plugins import Plugin, use
    from psi.schedulers import PsiLR, PsiSchedule, scale_by_psi

__version__ = "0.1.0"

# A line or two a room: name → module.
_HOMES = {
    "diagnose": "advice.diagnosis", "suggest_lr": "advice.range_test",
    "Baseline": "bench.baselines",
    "FitConfig": "fit.config", "fit_law": "fit.dataset", "Factor": "fit.formula.families",
    "Parameter": "fit.formula.formula",
    "IdealConfig": "ideal.config", "estimate": "ideal.estimate",
    "GenerateConfig": "lab.data.config", "TrajectoryFamily": "lab.data.families",
    "generate": "lab.data.generate",
    "Policy": "lab.engine.policy", "law_policy": "lab.engine.policy",
    "trajectory": "lab.engine.policy", "population": "lab.engine.population",
    "Hyper": "lab.hyper", "own_optimizer": "lab.optimizers",
    "from_flax": "lab.networks.flax", "mlp": "lab.networks.mlp", "Network": "lab.networks.network",
    "fixed_task": "lab.tasks.build", "sample_tasks": "lab.tasks.drawn",
    "TaskSource": "lab.tasks.names", "make_task": "lab.tasks.table", "Batch": "lab.tasks.task",
    "Splits": "lab.tasks.task", "Task": "lab.tasks.task",
    "Plugin": "plugins", "use": "plugins",
    "PsiLR": "schedulers", "PsiSchedule": "schedulers", "scale_by_psi": "schedulers",
}  # fmt: skip

__all__ = [
    "Baseline", "Batch", "Clock", "Factor", "Facts", "FitConfig", "GenerateConfig", "Hyper",
    "IdealConfig", "Law", "LawFileError", "Network", "Parameter", "Plugin", "Policy", "PsiLR",
    "PsiSchedule", "Splits", "Task", "TaskSource", "TrajectoryFamily", "__version__", "diagnose",
    "estimate", "fit_law", "fixed_task", "from_flax", "generate", "law_policy", "load", "make_task",
    "mlp", "own_optimizer", "population", "sample_tasks", "scale_by_psi", "suggest_lr",
    "trajectory", "use",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'psi' has no attribute {name!r}")
    return getattr(import_module(f"psi.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
