"""What the trainers' callbacks refuse when they are made, and what they ask to be installed."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from psi.law.law import Law

torch = pytest.importorskip("torch")

from psi.schedulers.trainer import Plan  # noqa: E402


@pytest.mark.parametrize(
    ("law", "change", "reason"),
    [
        ("no-such-law", {}, "no-such-law"),
        (Path("no/such/law.json"), {}, "law.json"),
        (3, {}, "law must be a psi.Law"),
        ("adam", {"epochs": 0}, "epochs must be a whole number >= 1, got 0"),
        ("adam", {"epochs": 2.5}, "epochs must be a whole number >= 1, got 2.5"),
        ("adam", {"every": 0}, "every must be a whole number >= 1, got 0"),
        ("adam", {"every": 1.5}, "every must be a whole number >= 1, got 1.5"),
        ("adam", {"initial_loss": -1.0}, "initial_loss must be positive"),
        ("adam", {"max_lr": 0.0}, "rates must be 0 <= min_lr <= max_lr"),
        ("adam", {"scale": 1.0}, "scale must be None"),
        ("adam", {"warmup": -1}, "warmup must be a whole number >= 0, got -1"),
        ("adam", {"facts": {"rows": 9}}, "facts must be psi.Facts"),
        ("adam", {"max_change": 1.0}, "max_change must be a factor above 1"),
    ],
)
def test_kind_a_setting_without_sense_is_refused_at_once(
    law: Any, change: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        _plan(law, change)


@pytest.mark.parametrize("name", ["lr", "optimizer", "steps_per_epoch"])
def test_a_setting_that_there_is_not(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        _plan("adam", {name: 1})


def test_a_rate_at_the_beginning_and_after_a_checkpoint(formula: Law) -> None:
    def optimizer() -> Any:
        return torch.optim.SGD([torch.zeros(3, requires_grad=True)], lr=1.0)

    plan = Plan(formula, None, None, {"initial_loss": 2.0})
    scheduler = plan.begin(optimizer(), 3.5, None, 0, {})
    assert scheduler.state_dict()["clock"]["budget"] == 4
    scheduler.step(1.0)
    after = plan.begin(optimizer(), 4, scheduler.state_dict(), 7, {})
    assert after.optimizer.param_groups[0]["lr"] == scheduler.get_last_lr()[0]
    with pytest.raises(ValueError, match="epochs must be given"):
        plan.begin(optimizer(), float("inf"), None, 0, {})


MISSING = """
import sys
for each in {missing}:
    sys.modules[each] = None
try:
    import psi.schedulers.{module}
except ModuleNotFoundError as error:
    print(error.name, error, sep=": ")
"""


@pytest.mark.parametrize(
    ("module", "missing", "wanted"),
    [
        ("lightning", ["torch"], "torch: PsiCallback needs torch: pip install lightning"),
        (
            "lightning",
            ["lightning", "pytorch_lightning"],
            "lightning: PsiCallback needs lightning: pip install lightning",
        ),
        (
            "transformers",
            ["transformers"],
            "transformers: PsiCallback needs transformers: pip install 'transformers[torch]'",
        ),
    ],
)
def test_without_the_trainer_it_says_what_to_install(
    module: str, missing: list[str], wanted: str
) -> None:
    program = MISSING.format(missing=missing, module=module)
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == wanted


def _plan(law: Any, change: dict[str, Any]) -> Plan:
    settings = dict(change)
    return Plan(law, settings.pop("epochs", None), settings.pop("every", None), settings)
