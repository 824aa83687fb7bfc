"""Who schedules with PyTorch or Keras needs no JAX; who loads a law needs numpy, safetensors."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

TORCH = """
import sys, torch, psi
from psi.schedulers.torch import PsiLR
w = torch.ones(3, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=1.0)
scheduler = PsiLR(optimizer, psi.load("sgd"), epochs=3)
for epoch in range(3):
    loss = (w ** 2).sum()
    scheduler.observe(loss)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
print(sorted({name.split(".")[0] for name in sys.modules} & {"jax", "jaxlib", "flax", "optax"}))
"""

KERAS = """
import sys
sys.modules["jax"] = None  # Keras itself imports it where it can: here nobody can
import numpy as np, keras, psi
from psi.schedulers.keras import PsiSchedule
model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
model.compile(optimizer="sgd", loss="mse")
schedule = PsiSchedule(psi.load("sgd"), epochs=2)
model.fit(np.ones((8, 2)), np.ones((8, 1)), epochs=2, verbose=0, callbacks=[schedule])
print(sorted({name.split(".")[0] for name in sys.modules} & {"jaxlib", "flax", "optax"}))
"""

ROOMS = """
import sys, psi.law, psi.advice, psi.schedulers
print(sorted({name.split(".")[0] for name in sys.modules} & set(sys.argv[1:])))
try:
    psi.schedulers.PsiRate
except AttributeError as error:
    print(str(error).split()[-1])
sys.modules["torch"] = None
try:
    psi.schedulers.PsiLR
except ModuleNotFoundError as error:
    print(error.name, str(error).split()[-1])
"""

BARE = """
import sys, psi
from psi.law.load import shipped
print(len(shipped()))
law = psi.load(sys.argv[1])
law.save(sys.argv[2])
assert psi.load(sys.argv[2]) == law
import numpy as np
print(float(law(np.array([0.5] * len(law.features)))) > 0)
from psi.law.clock import Clock, start, tick
from psi.schedulers import host
clock = Clock(psi.load("momentum"), 5)
print(float(host.end_epoch(clock, start(clock, np), 1.0).learning_rate) > 0)
"""


def output(python: str, program: str, *arguments: str, **more: str) -> list[str]:
    done = subprocess.run(
        [python, "-c", program, *arguments],
        env={**os.environ, **more}, cwd="/", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.split()


@pytest.mark.parametrize(("framework", "program"), [("torch", TORCH), ("keras", KERAS)])
def test_scheduling_imports_no_jax(framework: str, program: str) -> None:
    if find_spec("torch") is None or find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed")
    found = output(sys.executable, program, PYTHONPATH=str(ROOT), KERAS_BACKEND="torch")
    assert found == ["[]"]


def test_the_rooms_of_schedulers_and_advice_import_no_framework() -> None:
    names = ["jax", "optax", "torch", "keras", "pandas", "scipy", "matplotlib"]
    assert output(sys.executable, ROOMS, *names, PYTHONPATH=str(ROOT)) == [
        "[]",
        "'PsiRate'",
        "torch",
        "'psi-lr[torch]'",
    ]


@pytest.mark.slow
def test_a_law_loads_in_an_environment_of_its_own(tmp_path: Path) -> None:
    """Installed from this checkout, with what that asks for and nothing else."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    pinned = ["-q", "-c", str(ROOT / "scripts" / "constraints.txt"), str(ROOT)]
    subprocess.run([python, "-m", "pip", "install", *pinned], check=True)
    listed = output(
        python, "from importlib.metadata import *; print(*(d.name for d in distributions()))"
    )
    assert set(listed) - {"pip", "setuptools"} == {"psi-lr", "numpy", "safetensors"}
    for golden in ("formula-v2.json", "network-v1.safetensors"):
        copy = tmp_path / f"copy{Path(golden).suffix}"
        path = str(ROOT / "tests" / "law" / "golden" / golden)
        assert output(python, BARE, path, str(copy), PYTHONPATH="") == ["9", "True", "True"]
