"""Look: progress bars, figures and a page, made from tables alone.

A figure is drawn by a function of (table, path): of a demo and of laws in psi.report.figures, of
what `psi ideal` makes in psi.report.ideal, of fits in psi.report.front, of data sets in
psi.report.records, of logs in psi.report.diagnosis, of range tests in psi.report.range_test, of
a user's own runs in psi.report.sweep, of what the ideal rate depends on in psi.report.scale.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psi.report.progress import bar

__all__ = ["bar"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from psi.report.progress import bar

        return bar
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
