"""The tests mirror the package: whoever reads a module finds its tests by its name."""

import ast
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "psi"
SHORT = 60
"""Lines below which a module may be tested through the one that uses it."""
ACROSS: dict[str, tuple[str, ...]] = {
    "law": ("shipped",),
    "schedulers": ("pages", "streams", "without_jax"),
}
"""Test files that are about several modules of their room: (room, names without test_)."""


def room_of(file: Path, root: Path) -> str:
    return str(file.parent.relative_to(root))


@cache
def imported(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or ""} | {f"{node.module}.{a.name}" for a in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)  # pytest.importorskip("psi.…")
    return found


FILES = sorted(TESTS.rglob("test_*.py"))
MODULES = [
    f
    for f in sorted(PACKAGE.rglob("*.py"))
    if f.parent != PACKAGE and len(f.read_text().splitlines()) >= SHORT
]


@pytest.mark.parametrize("module", MODULES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_a_module_is_imported_by_a_test_of_its_room(module):
    room = room_of(module, PACKAGE)
    name = ".".join(module.relative_to(PACKAGE.parent).with_suffix("").parts)
    own = [file for file in FILES if room_of(file, TESTS) == room]
    assert any(name in imported(file) for file in own), f"no test in tests/{room} imports {name}"


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(TESTS)))
def test_a_test_is_named_after_a_module_of_its_room(file):
    room, name = room_of(file, TESTS), file.stem.removeprefix("test_")
    if room == ".":
        return
    modules = {f.stem for f in (PACKAGE / room).glob("*.py")}
    close = {m for m in modules if name == m or name.startswith(f"{m}_")}
    assert close or name in ACROSS.get(room, ()), f"{room} has no module {name}"
