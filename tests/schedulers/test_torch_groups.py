"""Parameter groups: ratios from when they joined, restored rates, in any order of loading."""

import copy
from itertools import product
from typing import Any

import numpy as np
import pytest

import psi
from psi.law.law import Law
from tests.schedulers.drivers import clock_rates

torch = pytest.importorskip("torch")

from psi.schedulers.torch import PsiLR  # noqa: E402
from psi.schedulers.torch_groups import ratios, recognised  # noqa: E402


def weights(count: int = 20) -> Any:
    return torch.zeros(count, requires_grad=True)


def groups(*rates: float) -> Any:
    return torch.optim.SGD([{"params": [weights()], "lr": lr} for lr in rates])


def rates_of(optimizer: Any) -> list[float]:
    return [float(group["lr"]) for group in optimizer.param_groups]


def run(scheduler: Any, optimizer: Any, epochs: int, first: int = 0) -> None:
    for epoch in range(first, first + epochs):
        optimizer.step()
        scheduler.step(1 / (1 + epoch))


def test_case_torch_group_joins_late() -> None:
    optimizer = torch.optim.SGD([weights()], lr=1e-3, momentum=0.9)
    scheduler = PsiLR(optimizer, psi.load("momentum@0.1.0"), epochs=10)
    run(scheduler, optimizer, 3)
    optimizer.add_param_group({"params": [weights()], "lr": rates_of(optimizer)[0] / 10})
    run(scheduler, optimizer, 1, first=3)
    first, second = rates_of(optimizer)
    assert second / first == pytest.approx(0.1)


def test_case_torch_resume_order() -> None:
    def fresh() -> Any:
        return torch.optim.SGD([weights()], lr=1.0, momentum=0.9)

    optimizer = fresh()
    scheduler = PsiLR(optimizer, psi.load("momentum@0.1.0"), epochs=10)
    run(scheduler, optimizer, 8)
    saved = copy.deepcopy((optimizer.state_dict(), scheduler.state_dict()))
    other = fresh()
    other.load_state_dict(saved[0])
    again = PsiLR(other, psi.load("momentum@0.1.0"), epochs=10)  # sets α_0
    again.load_state_dict(saved[1])
    assert rates_of(optimizer) == rates_of(other) == again.get_last_lr()


def test_case_torch_warmup_from_zero(formula: Law) -> None:
    """LambdaLR sets the rate to 0 before PsiLR is made; then three epochs of it."""
    optimizer = torch.optim.SGD([weights()], lr=1.0)
    warm = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: min(epoch / 3, 1.0))
    law = PsiLR(optimizer, formula, 10, 2.0)
    both = torch.optim.lr_scheduler.SequentialLR(optimizer, [warm, law], milestones=[3])
    rates = []
    for _ in range(4):
        rates += rates_of(optimizer)
        law.observe(2.0)
        optimizer.step()
        both.step()
    assert rates == pytest.approx([0.0, 1 / 3, 2 / 3, 0.2])


@pytest.mark.parametrize(
    ("joined", "ratio", "at"), list(product((0, 1, 4, 7), (0.01, 0.1, 1.0, 8.0), ("rate", "fixed")))
)
def test_kind_a_group_keeps_the_ratio_it_joined_with(
    formula: Law, joined: int, ratio: float, at: str
) -> None:
    """Joined after some epochs, at a share of the rate in force or at any rate of its own."""
    optimizer = groups(0.3, 0.1)
    scheduler = PsiLR(optimizer, formula, 20, 2.0)
    run(scheduler, optimizer, joined)
    head = rates_of(optimizer)[0]
    optimizer.add_param_group({"params": [weights()], "lr": ratio * (head if at == "rate" else 1)})
    wanted = ratio if at == "rate" else ratio / head
    run(scheduler, optimizer, 5, first=joined)
    first, *others = rates_of(optimizer)
    assert others == pytest.approx([first / 3, first * wanted])
    again = copy.deepcopy(scheduler.state_dict())
    fresh = groups(0.3, 0.1, 7.0)  # in a new process; its own rate does not matter
    PsiLR(fresh, formula, 20, 2.0).load_state_dict(again)
    assert rates_of(fresh) == pytest.approx([first, *others])


ORDERS = (
    ("optimizer", "made", "scheduler"),
    ("made", "optimizer", "scheduler"),
    ("made", "scheduler", "optimizer"),
    ("made", "scheduler"),
)
# Making a SequentialLR sets the first rates, and loading it does not put restored ones in force.
SEQUENTIAL = product(ORDERS[1:3], ("warm-up first", "psi first"))


@pytest.mark.parametrize("epochs", [0, 1, 3, 6])
@pytest.mark.parametrize(("order", "wrapped"), [*product(ORDERS, ("plain",)), *SEQUENTIAL])
def test_kind_any_order_of_loading_gives_the_same_rates(
    formula: Law, order: tuple[str, ...], epochs: int, wrapped: str
) -> None:
    """The rates in force, and those of four more epochs; alone and inside of a SequentialLR."""
    torch_schedulers = torch.optim.lr_scheduler

    def made(optimizer: Any) -> tuple[Any, Any]:
        law = PsiLR(optimizer, formula, 20, 2.0)
        if wrapped == "plain":
            return law, law
        other = torch_schedulers.ConstantLR(optimizer, 0.5, total_iters=99)
        inner = [other, law] if wrapped == "warm-up first" else [law, other]
        return torch_schedulers.SequentialLR(optimizer, inner, milestones=[3]), law

    def goes_on(optimizer: Any, scheduler: Any, law: Any) -> list[list[float]]:
        found = [rates_of(optimizer)]
        for epoch in range(4):
            law.observe(1 / (2.0 + epoch))
            optimizer.step()
            scheduler.step()
            found.append(rates_of(optimizer))
        return found

    optimizer = groups(0.3, 0.1)
    scheduler, law = made(optimizer)
    for epoch in range(epochs):
        law.observe(1.5 / (1 + epoch))
        optimizer.step()
        scheduler.step()
    saved = copy.deepcopy(
        {"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()}
    )
    fresh = groups(0.3, 0.1)
    parts: dict[str, Any] = {"optimizer": fresh}
    for each in order:
        if each == "made":
            parts["scheduler"], parts["law"] = made(fresh)
        else:
            parts[each].load_state_dict(saved[each])
    assert goes_on(**parts) == goes_on(optimizer, scheduler, law)


def test_alpha_may_go_to_the_group_of_the_largest_rate(formula: Law) -> None:
    """A backbone that is listed first, at a tenth of the head's rate."""
    optimizer = groups(0.01, 0.1)
    scheduler = PsiLR(optimizer, formula, 20, 2.0, reference="largest")
    assert rates_of(optimizer) == pytest.approx([0.02, 0.2])
    scheduler.step(2.0)
    assert rates_of(optimizer) == pytest.approx([0.019, 0.19])
    optimizer.add_param_group({"params": [weights()], "lr": 0.019})
    scheduler.step(2.0)
    assert rates_of(optimizer) == pytest.approx([0.018, 0.18, 0.018])


def test_a_group_at_rate_0_stays_there(formula: Law) -> None:
    optimizer = groups(0.1, 0.0)
    PsiLR(optimizer, formula, 20, 2.0).step(1.0)
    assert rates_of(optimizer)[1] == 0.0
    assert ratios(groups(0.1, 0.0, 0.3)) == pytest.approx([1.0, 0.0, 3.0])


def test_a_state_of_version_0_1_has_no_ratios_and_is_read(formula: Law) -> None:
    optimizer = groups(0.3, 0.1)
    scheduler = PsiLR(optimizer, formula, 20, 2.0)
    run(scheduler, optimizer, 3)
    old = {k: v for k, v in scheduler.state_dict().items() if k not in ("ratios", "in_force")}
    fresh = groups(0.3, 0.1)
    PsiLR(fresh, formula, 20, 2.0).load_state_dict(old)
    assert rates_of(fresh) == rates_of(optimizer)
    with pytest.raises(ValueError, match="ratios of a PsiLR's state must be numbers >= 0"):
        scheduler.load_state_dict(old | {"ratios": [1.0, "1"]})


def test_a_newly_given_budget_wins_over_the_saved_one(formula: Law) -> None:
    """T = 5 was saved after four epochs; it goes on in T = 50 at the rate of i/T = 4/50."""
    scheduler = PsiLR(groups(0.3), formula, 5, 2.0)
    for _ in range(4):
        scheduler.step(2.0)
    optimizer = groups(0.3)
    again = PsiLR(optimizer, formula, 50, 2.0)
    with pytest.warns(UserWarning, match="saved run had T = 5; it goes on with epochs=50 as newly"):
        again.load_state_dict(scheduler.state_dict())
    again.step(2.0)
    assert rates_of(optimizer) == pytest.approx([0.2 * (1 - 5 / 50)])


def test_optimizers_are_recognised_inside_of_what_wraps_them() -> None:
    accelerator = pytest.importorskip("accelerate").Accelerator(cpu=True)
    assert recognised(accelerator.prepare(torch.optim.AdamW([weights()])))[0].law == "adam"
    assert recognised(torch.optim.SGD([weights()], lr=1.0, momentum=0.9))[0].law == "momentum"
    found = recognised(torch.optim.Adam([weights()], betas=(0.5, 0.9)))
    assert [each.said for each in found] == ["Adam(betas=(0.5, 0.9))"]


# What is said of a run


def test_a_run_outside_is_said_once_and_held(formula: Law) -> None:
    optimizer = torch.optim.Adam([weights(10**6 + 10**5)], lr=1e-3)
    with pytest.warns(UserWarning, match="psi: outside") as said:
        scheduler = PsiLR(optimizer, psi.load("adam@0.1.0"), epochs=100)
    assert len(said) == 1
    assert said[0].filename == __file__
    assert [each.what for each in scheduler.outside] == ["epochs", "parameters"]
    scheduler.extend(90)  # a second warning would be an error
    with pytest.warns(UserWarning, match="a loss of 53.5 × the initial loss"):
        scheduler.step(100.0)
    scheduler.step(90.0)
    assert [each.what for each in scheduler.outside] == ["epochs", "parameters", "loss"]


@pytest.mark.parametrize("epochs", [20, 100])
@pytest.mark.parametrize("count", [1000, 10**6])
@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam])
def test_strict_refuses_what_else_is_warned_of(epochs: int, count: int, optimizer: Any) -> None:
    def scheduler() -> Any:
        made = optimizer([weights(count)], lr=1e-3)
        return PsiLR(made, psi.load("adam@0.1.0"), epochs, 2.3, strict=True)

    if (epochs, count, optimizer) == (20, 1000, torch.optim.Adam):
        with pytest.raises(ValueError, match="a loss of 10 × the initial loss"):
            scheduler().step(23.0)
    else:
        with pytest.raises(ValueError, match="outside of what this law has seen: "):
            scheduler()


def test_more_epochs_than_the_budget_are_said_once(formula: Law) -> None:
    scheduler = PsiLR(groups(0.3), formula, 3, 2.0)
    for _ in range(3):
        scheduler.step(1.0)
    with pytest.warns(
        UserWarning, match=r"4 epochs have ended and epochs=3: is the run longer, or .* a minibatch"
    ):
        scheduler.step(1.0)
    scheduler.step(1.0)  # a second warning would be an error
    unknown = Law(**{**vars(formula), "features": ("loss",), "domain": formula.domain[:1],
                     "model": psi.law.parse("0.1*loss")})  # fmt: skip
    free = PsiLR(groups(0.3), unknown)
    for _ in range(9):
        free.step(1.0)


def test_losses_that_are_not_used_are_said_once(formula: Law) -> None:
    scheduler = PsiLR(groups(0.3), formula, 9, 2.0)
    scheduler.observe(1.0)
    with pytest.warns(UserWarning, match="step.loss. ended an epoch in which losses were observed"):
        scheduler.step(0.5)
    scheduler.observe(1.0)
    scheduler.step(0.5)
    every = PsiLR(groups(0.3), formula, 9, 2.0, steps_per_epoch=200)
    for _ in range(512):
        every.observe(1.0)
    with pytest.warns(UserWarning, match="513 losses were observed and no epoch ended"):
        every.observe(1.0)


def test_the_rates_are_the_clock_s_all_the_same(formula: Law) -> None:
    losses = np.geomspace(2.0, 0.1, 12)
    optimizer = groups(0.3, 0.1)
    scheduler = PsiLR(optimizer, formula, 12, 2.0)
    found = [rates_of(optimizer)[0]]
    for loss in losses:
        scheduler.step(loss)
        found += rates_of(optimizer)[:1]
    assert found == clock_rates(formula, losses, 12, initial_loss=2.0).tolist()
