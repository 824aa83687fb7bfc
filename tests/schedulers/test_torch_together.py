"""PsiLR as it is used and misused: other schedules beside it, copies, resumed runs, bad calls."""

import copy
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import psi
from psi.law.law import Law
from tests.schedulers.drivers import clock_rates

torch = pytest.importorskip("torch")

from psi.schedulers.torch import PsiLR  # noqa: E402

schedulers = torch.optim.lr_scheduler


def weights(count: int = 20) -> Any:
    return torch.zeros(count, requires_grad=True)


def sgd(lr: Any = 0.3, **more: Any) -> Any:
    return torch.optim.SGD([weights()], lr=lr, **more)


def rates_of(optimizer: Any) -> list[float]:
    return [float(group["lr"]) for group in optimizer.param_groups]


def run(scheduler: Any, epochs: int, first: int = 0) -> list[list[float]]:
    found = []
    for epoch in range(first, first + epochs):
        scheduler.optimizer.step()
        scheduler.step(2 / (1.0 + epoch))
        found.append(rates_of(scheduler.optimizer))
    return found


def said(call: Callable[[], object]) -> list[str]:
    """Ψ's warnings; each one short line, given at a line of this file."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        call()
    own = [each for each in found if str(each.message).startswith("psi: ")]
    assert {each.filename for each in own} <= {__file__}
    lines = [str(each.message) for each in own]
    assert all(len(line) <= 200 and "\n" not in line for line in lines)
    return lines


# Another schedule beside it

BESIDE: dict[str, Callable[[Any], Any]] = {
    "ReduceLROnPlateau": lambda o: schedulers.ReduceLROnPlateau(o, patience=0, threshold=9.0),
    "CosineAnnealingLR": lambda o: schedulers.CosineAnnealingLR(o, 10),
    "ExponentialLR": lambda o: schedulers.ExponentialLR(o, 0.9),
    "StepLR": lambda o: schedulers.StepLR(o, 1),
    "CyclicLR": lambda o: schedulers.CyclicLR(o, 0.01, 0.1, cycle_momentum=False),
}


@pytest.mark.parametrize("name", BESIDE)
def test_kind_another_schedule_beside_is_said_once(formula: Law, name: str) -> None:
    optimizer = sgd()
    scheduler = PsiLR(optimizer, formula, 10, 2.0)
    other = BESIDE[name](optimizer)

    def train() -> None:
        for _ in range(4):
            optimizer.step()
            scheduler.step(1.0)
            other.step(*((1.0,) if name == "ReduceLROnPlateau" else ()))

    (line,) = said(train)
    assert "does another schedule set it as well?" in line


def test_a_chained_schedule_is_said(formula: Law) -> None:
    optimizer = sgd()
    law = PsiLR(optimizer, formula, 10, 2.0)
    chain = schedulers.ChainedScheduler([law, schedulers.ExponentialLR(optimizer, 0.9)])

    def train() -> None:
        for _ in range(3):
            law.observe(1.0)
            optimizer.step()
            chain.step()

    assert len(said(train)) == 1


def test_an_optimizer_restored_over_the_first_rate_is_said(formula: Law) -> None:
    """Its state alone was saved, by a training without Ψ."""
    old = sgd(0.9).state_dict()
    optimizer = sgd()
    scheduler = PsiLR(optimizer, formula, 10, 2.0)
    optimizer.load_state_dict(old)
    assert said(lambda: run(scheduler, 2)) == [
        "psi: the rate in force was 0.9, not Ψ's 0.2: does another schedule set it as well? "
        "(said once)"
    ]


# Copies and restored runs


@pytest.mark.parametrize("lr", [0.3, torch.tensor(0.3)])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
def test_kind_a_copy_goes_on_alone(formula: Law, copied: Any, lr: Any) -> None:
    scheduler = PsiLR(sgd(lr, foreach=False), formula, 10, 2.0)
    run(scheduler, 3)
    twin = copied(scheduler)
    assert twin.optimizer is not scheduler.optimizer
    assert run(twin, 4, first=3) == run(scheduler, 4, first=3)


@pytest.mark.parametrize("old", [3, 5, 8])
@pytest.mark.parametrize("ended", [1, 3])
@pytest.mark.parametrize("new", [4, 20])
def test_kind_a_newly_given_budget_rules_the_epoch_that_begins(
    formula: Law, old: int, ended: int, new: int
) -> None:
    """Not only those after it: at the end of T = 3 that epoch would have a rate near 0."""
    scheduler = PsiLR(sgd(), formula, old, 2.0)
    for _ in range(ended):
        scheduler.step(1.0)
    optimizer = sgd()
    again = PsiLR(optimizer, formula, new, 2.0)
    lines = said(lambda: again.load_state_dict(scheduler.state_dict()))
    assert lines == [
        f"psi: the saved run had T = {old}; it goes on with epochs={new} as newly given"
    ]
    wanted = clock_rates(formula, np.ones(ended), new, initial_loss=2.0)[-1]
    assert rates_of(optimizer) == pytest.approx([wanted])
    assert again.get_last_lr() == rates_of(optimizer)


def test_a_newly_given_budget_leaves_an_epoch_that_has_begun(formula: Law) -> None:
    scheduler = PsiLR(sgd(), formula, 5, 2.0)
    scheduler.step(1.0)
    scheduler.observe(1.0)
    optimizer = sgd()
    again = PsiLR(optimizer, formula, 50, 2.0)
    said(lambda: again.load_state_dict(scheduler.state_dict()))
    assert rates_of(optimizer) == scheduler.get_last_lr()
    again.step()
    assert again.skipped == 0


@pytest.mark.parametrize("how", ["extend", "load"])
def test_kind_a_budget_that_has_ended_already_is_said(formula: Law, how: str) -> None:
    scheduler = PsiLR(sgd(), formula, 20, 2.0)
    run(scheduler, 7)
    if how == "extend":
        lines = said(lambda: scheduler.extend(5))
    else:
        again = PsiLR(sgd(), formula, 5, 2.0)
        lines = said(lambda: again.load_state_dict(scheduler.state_dict()))
    assert lines[-1] == "psi: 7 epochs have ended and epochs=5: its last rates are held"


def test_a_warm_up_as_long_as_the_run_is_refused_later_too(formula: Law) -> None:
    scheduler = PsiLR(sgd(), formula, 20, 2.0, warmup=8)
    with pytest.raises(ValueError, match="warmup must be < epochs = 8, got 8"):
        scheduler.extend(8)


# Calls that make no sense


@pytest.mark.parametrize("name", ["initial_loss", "min_lr", "max_lr", "max_change"])
@pytest.mark.parametrize("value", ["0.1", b"1", True])
def test_kind_a_setting_that_is_no_number(formula: Law, name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name} must be a number, got {value!r}"):
        PsiLR(sgd(), formula, 4, **{name: value})


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("call", ["step", "observe"])
def test_kind_a_loss_of_any_float_type(formula: Law, dtype: str, call: str) -> None:
    loss = torch.tensor([1.5], dtype=getattr(torch, dtype), requires_grad=True)
    for each in (loss, loss.detach().float().numpy(), loss.detach().float().numpy()[0]):
        optimizer = sgd()
        scheduler = PsiLR(optimizer, formula, 4, 2.0)
        getattr(scheduler, call)(each)
        if call == "observe":
            scheduler.step()
        assert rates_of(optimizer) == pytest.approx([0.2 * (1.5 / 2) ** 0.5 * 0.75])


@pytest.mark.parametrize("loss", ["1.5", b"1.5", 1.5j, torch.tensor(1.5 + 0j), np.array("1.5")])
def test_kind_what_only_looks_like_a_loss(formula: Law, loss: Any) -> None:
    scheduler = PsiLR(sgd(), formula, 4)
    for call in (scheduler.step, scheduler.observe):
        with pytest.raises(ValueError, match="a loss must be one number, got"):
            call(loss)


@pytest.mark.parametrize("calls", ["step()", "step(loss) and step()"])
def test_kind_an_epoch_without_a_loss_says_how_to_give_one(formula: Law, calls: str) -> None:
    scheduler = PsiLR(sgd(), formula, 9, 2.0)

    def train() -> None:
        for _ in range(4):
            scheduler.optimizer.step()
            if calls != "step()":
                scheduler.step(1.0)
            scheduler.step()

    (line,) = said(train)
    assert "ended with no loss; " in line
    assert "until step(loss) or observe(loss) brings one" in line


def test_an_optimizer_without_groups_is_refused(formula: Law) -> None:
    optimizer = sgd()
    optimizer.param_groups.clear()
    for reference in ("first", "largest"):
        with pytest.raises(ValueError, match="must have a parameter group, got none"):
            PsiLR(optimizer, formula, 4, reference=reference)


# Groups


@pytest.mark.parametrize("lr", [0.3, 1.0, torch.tensor(0.3)])
@pytest.mark.parametrize("ended", [0, 2])
def test_kind_a_group_without_a_rate_of_its_own_is_the_reference_s_equal(
    formula: Law, lr: Any, ended: int
) -> None:
    """torch gives it the optimizer's first rate, which Ψ has replaced."""
    optimizer = sgd(lr, foreach=False)
    scheduler = PsiLR(optimizer, formula, 10, 2.0)
    run(scheduler, ended)
    for _ in range(2):  # and again, for the next layers
        optimizer.add_param_group({"params": [weights()]})
        first, *others = run(scheduler, 1, first=ended)[-1]
        assert others == pytest.approx([first] * len(others))


GROUPS: dict[str, tuple[Any, str, str]] = {
    "a second without momentum": (
        lambda: torch.optim.SGD(
            [{"params": [weights()]}, {"params": [weights()], "momentum": 0.0}], 0.1, momentum=0.9
        ),
        "momentum", "SGD(momentum=0) (the law is for momentum, psi.load(\"sgd\") fits it",
    ),
    "a second with momentum": (
        lambda: torch.optim.SGD(
            [{"params": [weights()]}, {"params": [weights()], "momentum": 0.9}], 0.1
        ),
        "sgd", "SGD(momentum=0.9) (the law is for sgd, psi.load(\"momentum\") fits it",
    ),
    "a second with other betas": (
        lambda: torch.optim.Adam(
            [{"params": [weights()]}, {"params": [weights()], "betas": (0.5, 0.9)}], 0.1
        ),
        "adam", "Adam(betas=(0.5, 0.9)) (the law is for adam, no shipped law fits it",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GROUPS)
def test_kind_every_group_is_looked_at(name: str) -> None:
    make, law, wanted = GROUPS[name]
    (line,) = said(lambda: PsiLR(make(), psi.load(f"{law}@0.1.0"), 10))
    assert wanted in line
