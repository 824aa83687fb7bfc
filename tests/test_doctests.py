"""The public surface: each name says what it takes and gives, with an example that runs.

`PUBLIC` lists the entry points by dotted name. A function or class there has a docstring with an
`Args:` section that names every argument (if it takes any; of a config, a docstring under each
field, which the command line shows), `Returns:` (if it returns anything) and
an example, which is run. Whatever a room lists in its `__all__` is in `PUBLIC`, or is plain data
that a one-line docstring explains: a constant, a type alias, a NamedTuple, an exception, or a
dataclass without behaviour of its own. Modules in `__all__` stand for what they hold.
"""

import ast
import doctest
import importlib
import inspect
import os
import re
from dataclasses import is_dataclass
from importlib.util import find_spec
from itertools import pairwise
from types import ModuleType
from typing import Any

import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")

PUBLIC = (
    "psi.Law",
    "psi.Law.__call__",
    "psi.Law.document",
    "psi.Law.save",
    "psi.LawFileError",
    "psi.Baseline",
    "psi.Clock",
    "psi.Facts",
    "psi.Facts.of",
    "psi.FitConfig",
    "psi.GenerateConfig",
    "psi.Hyper",
    "psi.IdealConfig",
    "psi.PsiLR",
    "psi.PsiSchedule",
    "psi.diagnose",
    "psi.estimate",
    "psi.fit_law",
    "psi.fixed_task",
    "psi.from_flax",
    "psi.generate",
    "psi.law_policy",
    "psi.load",
    "psi.make_task",
    "psi.mlp",
    "psi.own_optimizer",
    "psi.population",
    "psi.sample_tasks",
    "psi.scale_by_psi",
    "psi.suggest_lr",
    "psi.trajectory",
    "psi.use",
    "psi.law.Clock",
    "psi.law.Facts",
    "psi.law.Network",
    "psi.law.latex",
    "psi.law.parse",
    "psi.law.python",
    "psi.law.text",
    "psi.advice.diagnose",
    "psi.advice.read_log",
    "psi.advice.replay_log",
    "psi.advice.range_keras.range_steps",
    "psi.advice.range_optax.range_steps",
    "psi.advice.range_torch.range_steps",
    "psi.schedulers.PsiLR",
    "psi.schedulers.PsiSchedule",
    "psi.schedulers.lightning.PsiCallback",
    "psi.schedulers.scale_by_psi",
    "psi.schedulers.transformers.PsiCallback",
    "psi.lab.engine.policy.Policy",
    "psi.lab.engine.policy.law_policy",
    "psi.lab.engine.policy.trajectory",
    "psi.lab.engine.population.population",
    "psi.lab.engine.probe.curvature_scale",
    "psi.lab.networks.flax.from_flax",
    "psi.lab.networks.mlp.mlp",
    "psi.lab.tasks.build.fixed_task",
    "psi.lab.tasks.distribution.TaskDistribution",
    "psi.lab.tasks.drawn.sample_tasks",
    "psi.lab.tasks.task.Batch",
    "psi.lab.tasks.task.Splits",
    "psi.lab.tasks.task.Task",
    "psi.bench.contest.contest",
    "psi.bench.judge",
    "psi.bench.regret",
    "psi.report.bar",
)
"""Dotted names; a room adds its own."""
ROOMS = (
    "psi", "psi.law", "psi.advice", "psi.schedulers", "psi.lab.engine", "psi.lab.networks",
    "psi.lab.tasks", "psi.lab", "psi.lab.data", "psi.ideal", "psi.fit", "psi.verify", "psi.bench",
    "psi.report",
)  # fmt: skip
"""Packages whose `__all__` is held to the rule; a room adds itself."""
FRAMEWORK = {
    "range_torch": ("torch",),
    "range_keras": ("keras", "torch"),
    "PsiLR": ("torch",),
    "lightning": ("torch", "lightning"),
    "transformers": ("torch", "transformers", "accelerate"),
    "PsiSchedule": ("keras", "torch"),
}
"""What must be installed for a part of a name, else its test is skipped."""


def named(name: str) -> Any:
    """The object of a dotted name; skips the test where its framework is not installed."""
    for part in name.split("."):
        if missing := [each for each in FRAMEWORK.get(part, ()) if find_spec(each) is None]:
            pytest.skip(f"{missing} not installed")
    room, *path = name.split(".")
    found: Any = importlib.import_module(room)
    for part in path:
        room = f"{room}.{part}"
        if isinstance(found, ModuleType) and not hasattr(found, part):
            importlib.import_module(room)
        found = getattr(found, part)
    return found


def arguments(found: Any) -> list[str]:
    if inspect.isclass(found) and issubclass(found, BaseException):
        return []
    return [each.lstrip("*") for each in inspect.signature(found).parameters if each != "self"]


def field_docs(found: Any) -> list[str]:
    """Fields of a dataclass whose docstrings stand under them, as the command line shows them."""
    if not is_dataclass(found):
        return []
    body = ast.parse(inspect.getsource(found)).body[0].body  # pyright: ignore
    return [
        node.target.id
        for node, after in pairwise(body)
        if isinstance(node, ast.AnnAssign)
        and isinstance(after, ast.Expr)
        and isinstance(node.target, ast.Name)
    ]


def is_plain(found: Any) -> bool:
    if inspect.isclass(found):
        own = {name for name in vars(found) if not name.startswith("_")}
        data = is_dataclass(found) and not hasattr(found, "__post_init__")
        data = data and not any(callable(vars(found)[name]) for name in own)
        return data or hasattr(found, "_fields") or issubclass(found, BaseException)
    return isinstance(found, ModuleType) or not inspect.isfunction(found)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_says_what_it_takes_and_gives(name: str) -> None:
    found = named(name)
    text = inspect.getdoc(found) or ""
    takes = arguments(found)
    if takes and takes != field_docs(found):
        assert "Args:\n" in text, f"{name} takes {takes}, its docstring has no Args:"
        section = text.split("Args:\n")[1].split("\n\n")[0]
        described = re.findall(r"^ {4}[*]{0,2}(\w+):", section, re.M)
        assert described == takes, f"{name} takes {takes}, its docstring describes {described}"
    gives = not inspect.isclass(found) and inspect.signature(found).return_annotation
    assert "Returns:\n" in text or gives in (False, None, "None"), f"{name}: no Returns:"
    assert ">>> " in text, f"{name} has no example"


@pytest.mark.parametrize("name", PUBLIC)
def test_the_example_runs(name: str) -> None:
    found = named(name)
    text = inspect.getdoc(found) or ""
    test = doctest.DocTestParser().get_doctest(text, {}, name, None, 0)
    output: list[str] = []
    failed = doctest.DocTestRunner(verbose=False).run(test, out=output.append).failed
    assert not failed, "".join(output)


@pytest.mark.parametrize("room", ROOMS)
def test_what_a_room_lists_is_public_or_plain_data(room: str) -> None:
    package = importlib.import_module(room)
    assert sorted(package.__all__) == sorted(set(package.__all__))
    for name in package.__all__:
        if f"{room}.{name}" not in PUBLIC and f"psi.{name}" not in PUBLIC:
            found = named(f"{room}.{name}")
            assert is_plain(found), f"{room}.{name}: not in PUBLIC, not plain data"
