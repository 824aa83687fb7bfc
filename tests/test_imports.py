"""Imports run one way: read from the source, not from what happens to be loaded."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "psi"

# Room → rooms that it may import besides itself, the lowest floor first. What stands in a room's
# own folder and in no sub-folder counts as the room: psi.lab is hyper.py, optimizers.py, ….
LAB = ("psi.lab", "psi.lab.networks", "psi.lab.tasks", "psi.lab.engine", "psi.lab.data")
FIT = ("psi.fit.formula", "psi.fit.symbolic", "psi.fit.search", "psi.fit", "psi.fit.scale")
BENCH = ("psi.bench.searches", "psi.bench.baselines", "psi.bench.suites", "psi.bench")
USE = ("psi.schedulers", "psi.advice")
GROUND = {"psi.progress", "psi.law"}
ALLOWED: dict[str, set[str]] = {
    "psi.pretrained": set(),
    "psi.progress": set(),
    "psi.law": {"psi.pretrained"},
    "psi.schedulers": {"psi.law"},
    "psi.advice": {"psi.law", "psi.schedulers", "psi.progress"},
    **{room: GROUND | {*LAB[:k]} for k, room in enumerate(LAB)},
    "psi.ideal": GROUND | {*LAB},
    "psi.atlas": GROUND | {*LAB, "psi.ideal"},
    **{room: GROUND | {*LAB, "psi.ideal", *FIT[:k]} for k, room in enumerate(FIT)},
    "psi.fit.feedback": GROUND | {*LAB, "psi.ideal", "psi.atlas", *FIT},
    "psi.verify": GROUND | {*LAB, "psi.ideal", *FIT},
    "psi.bench.speed": GROUND
    | {*LAB, "psi.ideal", "psi.atlas", *FIT, "psi.verify", "psi.schedulers"},
    "psi.bench.searches": GROUND | {*LAB, "psi.ideal"},
    "psi.bench.baselines": GROUND | {BENCH[0], *LAB, "psi.ideal", *FIT, "psi.verify", *USE},
    "psi.bench.suites": GROUND | {*LAB},
    "psi.bench": GROUND | {*BENCH[:3], *LAB, "psi.ideal", *FIT, "psi.verify", *USE},
    "psi.bench.fitting": GROUND | {*LAB, "psi.ideal", *FIT, "psi.verify", *BENCH},
    "psi.report": GROUND,
    "psi.demo_config": GROUND | {*LAB},
}
BELOW = {room for room in ALLOWED if room != "psi.pretrained"}
ALLOWED |= {
    "psi.plugins": {*LAB, *FIT, *BENCH},
    "psi.demo": BELOW | {"psi"},
    "psi.commands": BELOW | {"psi", "psi.demo", "psi.plugins"},
    "psi.cli": {"psi", "psi.law", "psi.commands", "psi.plugins"},
    "psi": {"psi.law"},
    "psi.__main__": {"psi.cli"},
}
FRAMEWORKS = {"jax", "flax", "optax", "pandas", "scipy", "sklearn", "sympy", "torch", "keras"}


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room(module: str) -> str:
    """psi.lab.tasks of psi.lab.tasks.table, psi.lab of psi.lab.hyper, psi.cli of psi.cli."""
    parts = module.split(".")
    while len(parts) > 2 and ".".join(parts) not in ROOMS:
        parts.pop()
    return ".".join(parts)


MODULES = {module_name(file): file for file in sorted(PACKAGE.rglob("*.py"))}
ROOMS = {module for module, file in MODULES.items() if file.name == "__init__.py"}


def imported(file: Path) -> set[str]:
    """Modules of psi, and top-level packages, that a file imports, anywhere in it.

    Of psi/__init__.py without what is for type checkers alone: it names what every room offers.
    """
    found = set()
    tree = ast.parse(file.read_text())
    if file == PACKAGE / "__init__.py":
        tree.body = [node for node in tree.body if not isinstance(node, ast.If)]
    for node in ast.walk(tree):
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
    own = room(module)
    used = {room(m) for m in GRAPH[module] if m.split(".")[0] == "psi"} - {own}
    assert used <= ALLOWED[own], f"{module} imports upwards: {used - ALLOWED[own]}"


def test_every_room_is_listed_and_none_is_deeper_than_two():
    assert {room(m) for m in MODULES} == set(ALLOWED)
    assert max(len(r.split(".")) for r in ROOMS) == 3


def test_no_cycle_between_modules():
    graph = {m: {i for i in GRAPH[m] if i in MODULES and i != "psi"} for m in MODULES}
    done: set[str] = set()
    while len(done) < len(graph):
        free = {m for m, needs in graph.items() if m not in done and needs <= done}
        assert free, f"cycle among {sorted(graph.keys() - done)}"
        done |= free


def test_law_imports_numpy_and_safetensors_alone():
    for module, names in GRAPH.items():
        if room(module) in ("psi.law", "psi.pretrained", "psi.progress", "psi"):
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
