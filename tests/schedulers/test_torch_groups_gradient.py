"""The norm of the first gradient: adapters that see it tell a law of it, once."""

import math
import warnings
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import psi
from psi.law.facts import UNKNOWN
from psi.law.law import Law, Range
from psi.schedulers.optax import outside, scale_by_psi
from tests.law.conftest import MakeFormula

POWER, TYPICAL = -0.5, 2.0
NORM = 5.0
"""Of the gradient (3, 4)."""


@pytest.fixture
def law(make_formula: MakeFormula) -> Law:
    """α = ‖g_0‖^−0.5 (1 − i/T), for SGD."""
    tree = ["mul", ["pow", "initial_grad_norm", POWER], ["sub", 1.0, "progress"]]
    ends = ("initial_grad_norm", 0.1, 100.0), ("progress", 0.0, 0.995)
    made = make_formula(tree, *ends, rates=(1e-6, 10.0))
    return replace(made, extrapolates=("initial_grad_norm",), typical=(TYPICAL,))


def training(law: Law, facts: psi.Facts = UNKNOWN, **settings: Any) -> tuple[Any, Any, Any]:
    """(parameter, optimizer, schedule) in PyTorch, of two epochs."""
    torch = pytest.importorskip("torch")
    from psi.schedulers.torch import PsiLR

    w = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([w], lr=1.0, **settings)
    return w, optimizer, PsiLR(optimizer, law, 2, facts=facts)


def stepped(w: Any, optimizer: Any, gradient: tuple[float, float] = (3.0, 4.0)) -> np.ndarray:
    """What a step changes."""
    torch = pytest.importorskip("torch")
    before = w.detach().clone()
    w.grad = torch.tensor(gradient)
    optimizer.step()
    return (before - w.detach()).numpy()


@pytest.mark.filterwarnings("error")
def test_torch_steps_first_at_the_rate_of_its_gradient(law: Law) -> None:
    w, optimizer, schedule = training(law)
    assert schedule.get_last_lr() == [pytest.approx(TYPICAL**POWER)]
    assert stepped(w, optimizer) == pytest.approx(NORM**POWER * np.array([3.0, 4.0]))
    assert schedule.get_last_lr() == [pytest.approx(NORM**POWER)]
    stepped(w, optimizer, (30.0, 40.0))  # it is the first that counts
    schedule.step(0.5)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(NORM**POWER / 2)


@pytest.mark.parametrize("none", [(0.0, 0.0), (math.inf, 1.0), (math.nan, 1.0)])
def test_torch_awaits_a_gradient(law: Law, none: tuple[float, float]) -> None:
    """Steps of zeros (accumulation), or of what overflowed, do not count."""
    w, optimizer, schedule = training(law)
    stepped(w, optimizer, none)
    assert schedule.get_last_lr() == [pytest.approx(TYPICAL**POWER)]
    stepped(w, optimizer)
    assert schedule.get_last_lr() == [pytest.approx(NORM**POWER)]


def test_torch_says_what_it_did_not_see(law: Law) -> None:
    w, optimizer, schedule = training(law)
    stepped(w, optimizer, (0.0, 0.0))
    with pytest.warns(UserWarning, match="initial_grad_norm not known .* taken as 2"):
        schedule.step(0.5)
    stepped(w, optimizer)  # too late: these are no initial weights
    assert schedule.get_last_lr() == [pytest.approx(TYPICAL**POWER / 2)]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("named", [True, False])
def test_a_closure_makes_the_gradient_within_the_step(law: Law, named: bool) -> None:
    """As Lightning steps."""
    torch = pytest.importorskip("torch")
    w, optimizer, schedule = training(law)

    def closure() -> float:
        w.grad = torch.tensor([3.0, 4.0])
        return 0.25

    found = optimizer.step(closure=closure) if named else optimizer.step(closure)
    assert found == 0.25
    assert (1 - w.detach().numpy()) == pytest.approx(NORM**POWER * np.array([3.0, 4.0]))
    assert schedule.get_last_lr() == [pytest.approx(NORM**POWER)]


def test_of_two_schedules_the_last_rules(law: Law) -> None:
    pytest.importorskip("torch")
    from psi.schedulers.torch import PsiLR

    w, optimizer, first = training(law)
    steeper = PsiLR(optimizer, replace(law, typical=(9.0,)), 2)
    stepped(w, optimizer)
    assert steeper.get_last_lr() == [pytest.approx(NORM**POWER)]
    assert optimizer.param_groups[0]["lr"] == pytest.approx(NORM**POWER)
    assert first.get_last_lr() == [pytest.approx(TYPICAL**POWER)]


def test_what_is_given_wins(law: Law) -> None:
    w, optimizer, _ = training(law, psi.Facts(initial_grad_norm=100.0))
    assert stepped(w, optimizer) == pytest.approx(0.1 * np.array([3.0, 4.0]))


def test_a_law_for_adam_is_told_by_the_user_alone(law: Law) -> None:
    with pytest.warns(UserWarning, match="initial_grad_norm not known"):
        _, _, schedule = training(replace(law, optimizer="adam"))
    assert not schedule.awaits


def test_a_loss_scale_is_divided_out(law: Law) -> None:
    torch = pytest.importorskip("torch")
    w, optimizer, schedule = training(law, fused=True)  # GradScaler leaves it to these
    optimizer.grad_scale, optimizer.found_inf = torch.tensor(10.0), torch.tensor(0.0)
    w.grad = torch.tensor([30.0, 40.0])
    optimizer.step()
    assert schedule.get_last_lr() == [pytest.approx(NORM**POWER)]


def test_the_rate_of_another_stays(law: Law) -> None:
    w, optimizer, _schedule = training(law)
    optimizer.param_groups[0]["lr"] = 0.25
    assert stepped(w, optimizer) == pytest.approx([0.75, 1.0])


def test_a_schedule_that_is_gone_sets_no_rate(law: Law) -> None:
    w, optimizer, schedule = training(law)
    del schedule
    assert stepped(w, optimizer) == pytest.approx(TYPICAL**POWER * np.array([3.0, 4.0]))


def test_a_saved_run_keeps_its_first_gradient(law: Law) -> None:
    w, optimizer, schedule = training(law)
    stepped(w, optimizer)
    saved = schedule.state_dict()
    other, later, again = training(law)
    again.load_state_dict(saved)
    assert stepped(other, later, (30.0, 40.0)) == pytest.approx(NORM**POWER * np.array([30, 40.0]))
    # One that goes back to before its first step, or was saved there, looks at it again.
    begun = training(law)[2].state_dict()
    again.load_state_dict(begun)
    assert stepped(other, later) == pytest.approx(NORM**POWER * np.array([3.0, 4.0]))
    *_, fresh = training(law)
    other, later, again = training(law)
    again.load_state_dict(fresh.state_dict())
    assert stepped(other, later) == pytest.approx(NORM**POWER * np.array([3.0, 4.0]))


@pytest.mark.parametrize("factor", [0.5, 1.0])  # of 1, its rate is the schedule's first by chance
def test_a_warm_up_of_torch_keeps_its_turn(law: Law, factor: float) -> None:
    torch = pytest.importorskip("torch")
    w, optimizer, schedule = training(law)
    warm = torch.optim.lr_scheduler.ConstantLR(optimizer, factor, total_iters=9)
    chain = torch.optim.lr_scheduler.SequentialLR(optimizer, [warm, schedule], milestones=[1])
    during = optimizer.param_groups[0]["lr"]
    assert stepped(w, optimizer) == pytest.approx(during * np.array([3.0, 4.0]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        chain.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(NORM**POWER)


def test_gradients_are_measured_whatever_they_are_made_of() -> None:
    """Numbers of two parts, and rows of a table that came up twice."""
    torch = pytest.importorskip("torch")
    from psi.schedulers.torch_groups import grad_norm

    one = torch.nn.Parameter(torch.ones(2, dtype=torch.complex64))
    one.grad = torch.tensor([3 + 4j, 0j])
    table = torch.nn.Parameter(torch.ones(3, 1))
    rows = [[1, 1]], [[5.0], [7.0]], (3, 1)
    table.grad = torch.sparse_coo_tensor(*rows, check_invariants=True)
    unused = torch.nn.Parameter(torch.ones(1))
    assert grad_norm(torch.optim.SGD([one, table, unused], lr=1.0)) == pytest.approx(13.0)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("facts", [UNKNOWN, psi.Facts(initial_grad_norm=100.0)])
def test_optax_takes_the_norm_of_the_first_updates(law: Law, facts: psi.Facts) -> None:
    norm = facts.initial_grad_norm or NORM
    tx = scale_by_psi(law, steps_per_epoch=2, epochs=2, facts=facts)
    state = tx.init({"a": jnp.ones(1), "b": jnp.ones(1)})
    assert not outside(law, state)
    rates = []
    for times in (1.0, 10.0, 10.0):
        gradient = {"a": times * jnp.array([3.0]), "b": times * jnp.array([4.0])}
        updates, state = jax.jit(tx.update)(gradient, state, value=0.5)
        rates.append(-float(updates["a"][0]) / (3 * times))
    assert rates == pytest.approx([norm**POWER, norm**POWER, norm**POWER / 2])
    assert float(optax.tree.get(state, "initial_grad_norm")) == pytest.approx(norm)


@pytest.mark.parametrize("none", [0.0, math.inf, math.nan])
def test_optax_awaits_a_gradient(law: Law, none: float) -> None:
    tx = scale_by_psi(law, steps_per_epoch=4, epochs=2)
    state, rates = tx.init(jnp.ones(2)), []
    for gradient in ([none, 0.0], [3.0, 4.0]):
        _, state = tx.update(jnp.array(gradient), state, value=0.5)
        rates.append(float(optax.tree.get(state, "learning_rate")))
    assert rates == pytest.approx([TYPICAL**POWER, NORM**POWER])


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float16])
def test_accumulated_gradients_count_when_they_are_whole(law: Law, dtype: Any) -> None:
    """MultiSteps gives zeros before; a norm of float16 would underflow in its own squares."""
    small = 1e-5 * jnp.array([3.0, 4.0], dtype)
    wide = replace(law, domain=(Range(1e-6, 100.0), law.domain[1]))
    rule = scale_by_psi(wide, steps_per_epoch=4, epochs=2, max_lr=1e9)
    tx = optax.chain(optax.MultiSteps(optax.identity(), 2).gradient_transformation(), rule)
    state = tx.init(jnp.ones(2, dtype))
    rate = 0.0
    for _ in range(2):
        updates, state = tx.update(small, state, jnp.ones(2, dtype), value=0.5)
        rate = float(optax.tree.get(state, "learning_rate"))
        if not np.asarray(updates).any():
            assert rate == pytest.approx(TYPICAL**POWER)
    assert rate == pytest.approx(10.0)  # the range of rates holds within the domain
    norm = np.linalg.norm(np.asarray(small, float))
    assert float(optax.tree.get(state, "initial_grad_norm")) == pytest.approx(norm, rel=1e-3)


def test_behind_adam_no_update_is_taken_for_a_gradient(law: Law) -> None:
    tx = scale_by_psi(replace(law, optimizer="adam"), 2, epochs=2)
    with pytest.warns(UserWarning, match="initial_grad_norm not known"):
        state = tx.init(jnp.ones(2))
    _, state = tx.update(jnp.array([3.0, 4.0]), state, value=0.5)
    assert math.isnan(float(optax.tree.get(state, "initial_grad_norm")))
    assert float(optax.tree.get(state, "learning_rate")) == pytest.approx(TYPICAL**POWER)
