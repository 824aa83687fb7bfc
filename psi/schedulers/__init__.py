"""Use a law: one adapter a framework, which is imported when its name is first asked for."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psi.schedulers.keras import PsiSchedule
    from psi.schedulers.optax import scale_by_psi
    from psi.schedulers.torch import PsiLR

# name → module of this room, extra that installs the framework
FRAMEWORKS = {
    "PsiLR": ("torch", "torch"),
    "PsiSchedule": ("keras", "keras"),
    "scale_by_psi": ("optax", "lab"),
}

__all__ = ["PsiLR", "PsiSchedule", "scale_by_psi"]


def __getattr__(name: str) -> Any:
    if name not in FRAMEWORKS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, extra = FRAMEWORKS[name]
    try:
        return getattr(import_module(f"psi.schedulers.{module}"), name)
    except ModuleNotFoundError as error:
        needs = f"{name} needs {error.name}: pip install 'psi-lr[{extra}]'"
        raise ModuleNotFoundError(needs, name=error.name) from error
