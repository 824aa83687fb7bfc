"""Use a law: one adapter a framework, which is imported when its name is first asked for."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psi.schedulers.keras import PsiSchedule
    from psi.schedulers.optax import scale_by_psi
    from psi.schedulers.torch import PsiLR

FRAMEWORKS = {"PsiLR": "torch", "PsiSchedule": "keras", "scale_by_psi": "optax"}

__all__ = ["PsiLR", "PsiSchedule", "scale_by_psi"]


def __getattr__(name: str) -> Any:
    if name in FRAMEWORKS:
        return getattr(import_module(f"psi.schedulers.{FRAMEWORKS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
