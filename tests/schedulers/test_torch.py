"""PsiLR: rates by the clock, groups, tensors, checkpoints, warm-ups, and what is refused."""

import io
import math
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import psi
from psi.law.clock import Clock, observe, start, tick
from psi.law.law import Law
from psi.law.parts import explained
from tests.law.conftest import LAWS
from tests.schedulers.drivers import clock_rates

torch = pytest.importorskip("torch")

from psi.schedulers.torch import PENDING, PsiLR  # noqa: E402

EPOCHS = 20
LOSSES = 2.2 * np.exp(-np.arange(EPOCHS) / 6) * (1 + 0.2 * np.sin(np.arange(EPOCHS)))


def weights(*shape: int) -> Any:
    return torch.zeros(shape or (3,), requires_grad=True)


def sgd(lr: Any = 1.0, **more: Any) -> Any:
    return torch.optim.SGD([weights()], lr=lr, **more)


def rate(optimizer: Any, group: int = 0) -> float:
    return float(optimizer.param_groups[group]["lr"])


# The rate


def test_construction_sets_the_first_rate(formula: Law) -> None:
    """0.2 · 1^0.5 from a given ε_0; from the law's typical one it is the same for a ratio."""
    for initial in (None, 1.0):
        optimizer = sgd()
        PsiLR(optimizer, formula, EPOCHS, initial)
        assert rate(optimizer) == pytest.approx(0.2)


def test_step_is_the_law_of_the_epoch_s_loss(formula: Law) -> None:
    """α_1 = 0.2 √(ε_1/ε_0) (1 − 1/T)."""
    optimizer = sgd()
    scheduler = PsiLR(optimizer, formula, 4, initial_loss=2.0)
    scheduler.step(0.5)
    assert rate(optimizer) == pytest.approx(0.2 * 0.5 * 0.75)
    assert scheduler.get_last_lr() == [rate(optimizer)] == scheduler.get_lr()
    assert scheduler.last_epoch == 1


def test_the_first_minibatch_seen_is_the_first_loss(formula: Law) -> None:
    optimizer = sgd()
    scheduler = PsiLR(optimizer, formula, 4)
    for loss in (4.0, 2.0, 0.0):
        scheduler.observe(torch.tensor(loss, requires_grad=True))
    scheduler.step()
    assert rate(optimizer) == pytest.approx(0.2 * math.sqrt(2.0 / 4.0) * 0.75)


def test_a_law_of_the_loss_itself_takes_its_first_rate_from_the_first_minibatch(
    formula: Law,
) -> None:
    from dataclasses import replace

    from psi.law.expression import from_json

    law = replace(formula, features=("loss", "progress"), model=from_json(["mul", 0.1, "loss"]))
    optimizer = sgd()
    scheduler = PsiLR(optimizer, law, 4)
    assert rate(optimizer) == pytest.approx(0.1 * 1.5)  # typical: 2, held in the domain
    scheduler.observe(0.5)
    assert rate(optimizer) == pytest.approx(0.1 * 0.5)


def test_a_minibatch_seen_after_an_epoch_s_loss_is_not_the_first(formula: Law) -> None:
    optimizer = sgd()
    scheduler = PsiLR(optimizer, formula, 4)  # ε_0: the law's typical 2
    scheduler.step(0.5)
    scheduler.observe(8.0)
    assert rate(optimizer) == pytest.approx(0.2 * math.sqrt(0.5 / 2.0) * 0.75)


def test_more_losses_than_are_kept_waiting_make_the_same_mean(formula: Law) -> None:
    losses = np.random.default_rng(0).uniform(0.5, 2, size=2 * PENDING + 7)
    optimizer = sgd()
    scheduler = PsiLR(optimizer, formula, 4, initial_loss=2.0)
    for loss in losses:
        scheduler.observe(torch.tensor(loss))
    scheduler.step()
    other = sgd()
    PsiLR(other, formula, 4, initial_loss=2.0).step(losses.mean())
    assert rate(optimizer) == pytest.approx(rate(other), rel=1e-12)


def test_a_trainer_that_steps_after_every_minibatch(formula: Law) -> None:
    optimizer, stepwise = sgd(), []
    scheduler = PsiLR(optimizer, formula, 4, 2.0, steps_per_epoch=3)
    for loss in (1.0, 2.0, 3.0, 0.5, 0.5, 0.5):
        scheduler.observe(loss)
        scheduler.step()
        stepwise.append(rate(optimizer))
    after = clock_rates(formula, np.array([2.0, 0.5]), 4, initial_loss=2.0)
    assert stepwise == [after[0], after[0], after[1], after[1], after[1], after[2]]


def test_a_trainer_that_steps_with_every_minibatch_s_loss(formula: Law) -> None:
    optimizer = sgd()
    scheduler = PsiLR(optimizer, formula, 4, 2.0, steps_per_epoch=3)
    for loss in (1.0, 2.0, 3.0, 0.5, 0.5, 0.5):
        scheduler.step(loss)
    after = clock_rates(formula, np.array([2.0, 0.5]), 4, initial_loss=2.0)
    assert rate(optimizer) == after[2]


def test_a_validation_loss_with_a_minibatch_waits_for_the_end_of_its_epoch() -> None:
    law, optimizer = replace(LAWS["feedback"](), optimizer="sgd"), sgd()
    scheduler = PsiLR(optimizer, law, 4, 2.0, steps_per_epoch=3)
    rates = []
    for v in (1.0, 1.1):
        for loss, held in ((1.0, None), (1.0, v), (1.0, None)):
            scheduler.step(loss, held)
            rates.append(rate(optimizer))
    wanted = clock_rates(law, np.ones(2), 4, np.array([1.0, 1.1]), initial_loss=2.0)
    assert rates == [*wanted[[0, 0, 1, 1, 1, 2]]]


def test_a_loss_that_is_no_number_keeps_the_rate_and_warns_once(formula: Law) -> None:
    optimizer = sgd()
    scheduler = PsiLR(optimizer, formula, EPOCHS, 2.0)
    scheduler.step(1.0)
    before = rate(optimizer)
    with pytest.warns(UserWarning, match=r"psi: epoch 1 ended with a mean loss of nan; the rate"):
        scheduler.step(math.nan)
    scheduler.step(math.inf)  # a second warning would be an error here
    assert (rate(optimizer), scheduler.skipped) == (before, 2)
    with pytest.warns(UserWarning, match="psi: epoch 0 ended with no loss"):
        PsiLR(sgd(), formula, EPOCHS).step()


def test_it_says_why_the_rate_is_what_it_is(formula: Law) -> None:
    scheduler = PsiLR(sgd(), formula, EPOCHS, 2.0)
    scheduler.step(1.0)
    clock = Clock(formula, EPOCHS, 2.0)
    state = tick(clock, observe(start(clock, np), np.float64(1.0)), np)
    assert scheduler.explain() == explained(clock, state)


def test_it_may_go_on_to_another_budget(formula: Law) -> None:
    optimizer = sgd()
    scheduler = PsiLR(optimizer, formula, 4, 2.0)
    scheduler.step(2.0)
    scheduler.extend(8)
    scheduler.step(2.0)
    assert rate(optimizer) == pytest.approx(0.2 * (1 - 2 / 8))
    with pytest.raises(ValueError, match="epochs must be a whole number >= 1, got 0"):
        scheduler.extend(0)


# Groups, tensors, sizes


def test_groups_keep_their_ratio_and_may_join_later(formula: Law) -> None:
    groups = [{"params": [weights()], "lr": 0.4}, {"params": [weights()], "lr": 0.1}]
    optimizer = torch.optim.SGD(groups)
    scheduler = PsiLR(optimizer, formula, 4, 2.0)
    assert rate(optimizer) == pytest.approx(0.2)
    assert rate(optimizer, 1) == pytest.approx(0.05)
    optimizer.add_param_group({"params": [weights()], "lr": 0.8})  # its own rate until the step
    scheduler.step(0.5)
    first = 0.2 * 0.5 * 0.75
    # The third joined when the first one's rate was 0.2.
    assert [rate(optimizer, k) / first for k in range(3)] == pytest.approx([1.0, 0.25, 4.0])
    assert len(scheduler.get_last_lr()) == 3


def test_a_rate_that_is_a_tensor_is_filled(formula: Law) -> None:
    lr = torch.tensor(0.7)
    optimizer = sgd(lr=lr, foreach=False)
    scheduler = PsiLR(optimizer, formula, 4, 2.0)
    scheduler.step(0.5)
    assert optimizer.param_groups[0]["lr"] is lr
    assert float(lr) == pytest.approx(0.2 * 0.5 * 0.75)


def test_parameters_are_counted() -> None:
    """The shipped law of 1,200 parameters, and of eleven thousand."""
    rates = []
    for shape in ((30, 40), (110, 100)):
        optimizer = torch.optim.SGD([weights(*shape)], lr=1.0, momentum=0.9)
        PsiLR(optimizer, psi.load("momentum@0.1.0"), EPOCHS, 2.0)
        rates.append(rate(optimizer))
    exponent = next(c.value for c in psi.load("momentum@0.1.0").constants if c.name == "u")
    assert rates[1] / rates[0] == pytest.approx((11_000 / 1_200) ** exponent)


def test_a_scale_multiplies_the_law() -> None:
    rates = []
    for scale in (0.5, 1.0):
        optimizer = torch.optim.SGD([weights(30)], lr=1.0)
        PsiLR(optimizer, psi.load("sgd-scaled"), EPOCHS, 2.0, scale)
        rates.append(rate(optimizer))
    assert rates[1] == pytest.approx(2 * rates[0])


def test_it_trains(formula: Law) -> None:
    """A line of noise-free data, by the loop of the documentation."""
    torch.manual_seed(0)
    x = torch.randn(64, 3)
    y = x @ torch.tensor([1.0, -2.0, 0.5])
    w = weights()
    optimizer = torch.optim.SGD([w], lr=1.0)
    scheduler = PsiLR(optimizer, formula, EPOCHS)
    loss = torch.ones(())
    for _ in range(EPOCHS):
        for k in range(0, 64, 16):
            loss = ((x[k : k + 16] @ w - y[k : k + 16]) ** 2).mean()
            optimizer.zero_grad()
            scheduler.observe(loss)
            loss.backward()
            optimizer.step()
        scheduler.step()
    assert loss.item() < 0.01


# Checkpoints


def _saved(scheduler: Any, optimizer: Any) -> io.BytesIO:
    file = io.BytesIO()
    torch.save({"s": scheduler.state_dict(), "o": optimizer.state_dict()}, file)
    file.seek(0)
    return file


def _step(scheduler: Any, number: int) -> None:
    """Losses that fall, wobble, and once are no number."""
    loss = math.nan if number == 90 else 2.0 * math.exp(-number / 80) * (1.2 + math.sin(number))
    scheduler.observe(torch.tensor(loss))
    scheduler.observe(0.9 * loss)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "psi: (epoch|outside|[0-9]+ epochs)", UserWarning)
        scheduler.step()


def test_saved_at_any_of_200_steps_the_rest_is_the_same_bits(law: Law) -> None:
    def fresh() -> tuple[Any, Any]:
        optimizer = sgd()
        return PsiLR(optimizer, law, 200, max_change=1.3), optimizer

    scheduler, optimizer = fresh()
    rates, files = [rate(optimizer)], [_saved(scheduler, optimizer)]
    for number in range(200):
        _step(scheduler, number)
        rates.append(rate(optimizer))
        files.append(_saved(scheduler, optimizer))
    assert len(set(rates)) > 150
    saved = [torch.load(file, weights_only=True) for file in files]
    for number, found in enumerate(saved):  # a state that is the same goes on the same
        again, other = fresh()
        other.load_state_dict(found["o"])
        again.load_state_dict(found["s"])
        last = min(number + 3, 200)
        got = [rate(other)]
        for later in range(number, last):
            _step(again, later)
            got.append(rate(other))
        assert got == rates[number : last + 1]
        assert again.state_dict() == saved[last]["s"]


def test_a_state_within_an_epoch_holds_what_was_seen(formula: Law) -> None:
    optimizer = sgd()
    scheduler = PsiLR(optimizer, formula, 4)
    scheduler.observe(2.0)
    scheduler.observe(torch.tensor(1.0))  # waits to be read
    other = sgd()
    again = PsiLR(other, formula, 4)
    again.load_state_dict(scheduler.state_dict())
    for each in (scheduler, again):
        each.observe(0.5)
        each.step()
    assert rate(other) == rate(optimizer)


DAMAGED: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "no clock": (lambda s: {k: v for k, v in s.items() if k != "clock"}, "keys .*'clock'"),
    "a key too many": (lambda s: s | {"law": 1}, "keys .*'law'"),
    "no mapping": (lambda s: [s], "a dict, got list"),
    "a clock without a loss": (
        lambda s: s | {"clock": {k: v for k, v in s["clock"].items() if k != "loss"}},
        "lacks 'loss'",
    ),
    "a rate that is no number": (
        lambda s: s | {"clock": s["clock"] | {"learning_rate": math.nan}},
        "learning_rate",
    ),
    "calls in text": (lambda s: s | {"calls": "3"}, "calls must be a whole number"),
    "an epoch of a float": (lambda s: s | {"last_epoch": 1.5}, "last_epoch must be a whole"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_state_is_refused_and_changes_nothing(formula: Law, damage: str) -> None:
    change, reason = DAMAGED[damage]
    scheduler = PsiLR(sgd(), formula, 4)
    scheduler.step(1.0)
    before = scheduler.state_dict()
    with pytest.raises(ValueError, match=reason):
        scheduler.load_state_dict(change(scheduler.state_dict()))
    assert scheduler.state_dict() == before


# With other schedulers, and over processes


def test_after_a_warm_up_of_torch_s_own(formula: Law) -> None:
    """Two epochs of LinearLR up to the optimizer's rate, then Ψ from its epoch 0."""
    optimizer = sgd(lr=0.3)
    law = PsiLR(optimizer, formula, 4)
    warm = torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, 1.0, total_iters=2)
    both = torch.optim.lr_scheduler.SequentialLR(optimizer, [warm, law], milestones=[2])
    rates = []
    for loss in (4.0, 2.0, 1.0, 1.0):
        rates.append(rate(optimizer))
        law.observe(loss)
        optimizer.step()
        both.step()
    rates.append(rate(optimizer))
    # ε_0 = 4 is the first minibatch's; the second epoch's mean, over both of the warm-up, is 3.
    wanted = [0.03, 0.165, 0.2 * math.sqrt(3 / 4), 0.2 * 0.5 * 0.75, 0.2 * 0.5 * 0.5]
    assert rates == pytest.approx(wanted)
    assert both.get_last_lr() == [rate(optimizer)]


def test_before_a_schedule_of_torch_s_own(formula: Law) -> None:
    optimizer = sgd(lr=0.3)
    law = PsiLR(optimizer, formula, 4, 2.0)
    constant = torch.optim.lr_scheduler.ConstantLR(optimizer, 0.5, total_iters=9)
    both = torch.optim.lr_scheduler.SequentialLR(optimizer, [law, constant], milestones=[2])
    rates = [rate(optimizer)]
    for loss in (2.0, 2.0):
        law.observe(loss)
        optimizer.step()
        both.step()
        rates.append(rate(optimizer))
    assert rates[:2] == pytest.approx([0.2, 0.15])


@pytest.mark.parametrize("begin", ["step(0)", "_update_lr(0)"])
def test_its_turn_comes_as_older_and_newer_torch_say_it(formula: Law, begin: str) -> None:
    optimizer = sgd()
    scheduler = PsiLR(optimizer, formula, 4, 2.0)
    scheduler.step(0.5)
    scheduler.step(0) if begin == "step(0)" else scheduler._update_lr(0)
    assert rate(optimizer) == pytest.approx(0.2 * 0.5 * 0.75)  # no loss since: it stays
    assert scheduler.last_epoch == 0
    with pytest.raises(ValueError, match="epoch by epoch from 0, cannot go to 3"):
        scheduler.step(3)


def test_two_processes_with_the_reduced_loss_have_one_rate(tmp_path: Any) -> None:
    program = """
import sys, torch, torch.distributed as dist, psi
from psi.schedulers.torch import PsiLR
rank, store = int(sys.argv[1]), sys.argv[2]
dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
optimizer = torch.optim.SGD([torch.zeros(9, requires_grad=True)], lr=1.0)
scheduler = PsiLR(optimizer, psi.load("momentum@0.1.0"), epochs=5, initial_loss=2.0)
for epoch in range(5):
    loss = torch.tensor(2.0 / (1 + epoch + rank))
    dist.all_reduce(loss)
    scheduler.step(loss / 2)
    print(optimizer.param_groups[0]["lr"].hex())
dist.barrier()
dist.destroy_process_group()
"""
    store = str(tmp_path / "store")
    command = [sys.executable, "-W", "ignore", "-c", program]
    both = [
        subprocess.Popen([*command, str(rank), store], stdout=subprocess.PIPE, text=True)
        for rank in (0, 1)
    ]
    printed = [process.communicate(timeout=120)[0].split() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert printed[0] == printed[1]
    assert len(set(printed[0])) == 5


# What is refused


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"optimizer": "sgd"}, "optimizer must be a torch Optimizer, got 'sgd'"),
        ({"law": "sgd"}, "law must be a psi.Law"),
        ({"epochs": None}, "epochs must be given"),
        ({"steps_per_epoch": 0}, "steps_per_epoch must be a whole number >= 1, got 0"),
        ({"steps_per_epoch": 2.5}, "steps_per_epoch must be a whole number >= 1, got 2.5"),
        ({"initial_loss": 0.0}, "initial_loss must be positive"),
        ({"scale": 1.0}, "scale must be None"),
        ({"max_change": 0.5}, "max_change must be a factor above 1"),
        ({"warmup": 4}, "warmup must be < epochs = 4, got 4"),
        ({"reference": "last"}, "reference must be 'first' or 'largest', got 'last'"),
    ],
)
def test_what_makes_no_sense_is_refused(formula: Law, change: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        PsiLR(**({"optimizer": sgd(), "law": formula, "epochs": 4} | change))


@pytest.mark.parametrize("which", ["first", "largest"])
def test_a_reference_that_does_not_learn_gives_no_ratio(formula: Law, which: Any) -> None:
    reason = f"{which} parameter group, which must be positive, got 0"
    with pytest.raises(ValueError, match=reason):
        PsiLR(sgd(lr=0.0), formula, 4, reference=which)


@pytest.mark.parametrize("loss", ["1.0x", None, [1.0, 2.0], torch.ones(2)])
def test_what_is_not_one_number_is_no_loss(formula: Law, loss: Any) -> None:
    scheduler = PsiLR(sgd(), formula, 4)
    with pytest.raises(ValueError, match="a loss must be one number"):
        scheduler.observe(loss)


@pytest.mark.parametrize("loss", [3, True, np.int64(3), torch.tensor(3), torch.tensor([True])])
@pytest.mark.parametrize("call", ["step", "observe"])
def test_a_whole_number_by_its_type_is_no_loss(formula: Law, loss: Any, call: str) -> None:
    scheduler = PsiLR(sgd(), formula, 4)
    with pytest.raises(ValueError, match=r"a loss (must be|is) a float"):
        getattr(scheduler, call)(loss)
    assert scheduler.last_epoch == 0
