"""Imports run one way: read from the source, not from what happens to be loaded."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "psi"

# Room → rooms that it may import. `report` stands on tables and may evaluate a law.
ALLOWED = {
    "pretrained": set(),
    "law": {"pretrained"},
    "lab": {"law"},
    "schedulers": {"law"},
    "ideal": {"lab", "law"},
    "fit": {"ideal", "lab", "law"},
    "bench": {"fit", "ideal", "lab", "law", "schedulers"},
    "report": {"law"},
    "demo": {"bench", "fit", "ideal", "lab", "law", "report", "__init__"},
    "commands": {
        "demo",
        "bench",
        "fit",
        "ideal",
        "lab",
        "law",
        "report",
        "schedulers",
        "__init__",
    },
    "cli": {"commands", "lab", "__init__"},
    "__init__": {"law", "schedulers"},
    "__main__": {"cli"},
}
FRAMEWORKS = {"jax", "flax", "optax", "pandas", "scipy", "sklearn", "sympy", "torch", "keras"}


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room(module: str) -> str:
    return [*module.split("."), "__init__"][1]


MODULES = {module_name(file): file for file in sorted(PACKAGE.rglob("*.py"))}


def imported(file: Path) -> set[str]:
    """Modules of psi, and top-level packages, that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            assert node.level == 0, f"{file}: relative import"
            inner = {f"{base}.{alias.name}" for alias in node.names} & MODULES.keys()
            found |= inner or {base}
    return found


GRAPH = {name: imported(file) for name, file in MODULES.items()}


@pytest.mark.parametrize("module", MODULES)
def test_rooms_import_downwards(module):
    own = "__main__" if module == "psi.__main__" else room(module)
    used = {room(m) for m in GRAPH[module] if m.split(".")[0] == "psi"} - {own}
    assert used <= ALLOWED[own], f"{module} imports upwards: {used - ALLOWED[own]}"


def test_every_room_is_listed():
    assert {room(m) if m != "psi.__main__" else "__main__" for m in MODULES} == set(ALLOWED)


def test_no_cycle_between_modules():
    graph = {m: {i for i in GRAPH[m] if i in MODULES and i != "psi"} for m in MODULES}
    done: set[str] = set()
    while len(done) < len(graph):
        free = {m for m, needs in graph.items() if m not in done and needs <= done}
        assert free, f"cycle among {sorted(graph.keys() - done)}"
        done |= free


def test_law_imports_numpy_and_safetensors_alone():
    for module, names in GRAPH.items():
        if room(module) in ("law", "pretrained", "__init__") and module != "psi.__main__":
            assert not {n.split(".")[0] for n in names} & FRAMEWORKS, module


def test_the_package_never_imports_what_stands_on_it():
    for module, names in GRAPH.items():
        assert not {n.split(".")[0] for n in names} & {
            "experiments",
            "scripts",
            "paper",
            "tests",
        }, module


@pytest.mark.parametrize("module", MODULES)
def test_sizes(module):
    source = MODULES[module].read_text()
    assert len(source.splitlines()) <= 300
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            doc = ast.get_docstring(node, clean=False)
            lines = (node.end_lineno or 0) - node.body[0].lineno + 1
            lines -= len(doc.splitlines()) if doc else 0
            assert lines <= 40, f"{module}.{node.name} has {lines} lines"
