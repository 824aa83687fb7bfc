"""Objects put back in place: the same objects, with what was in them."""

from collections import OrderedDict, defaultdict, deque
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from psi.advice.snapshot import snapshot  # noqa: E402

CHANGES: dict[str, tuple[Any, Any]] = {
    "list": ([1, [2]], lambda v: (v[1].append(3), v.append(4))),
    "dict": ({"a": {"b": 1}}, lambda v: (v["a"].update(b=2, c=3), v.pop("a"))),
    "order": (OrderedDict(a=1, b=2), lambda v: v.move_to_end("a")),
    "default": (defaultdict(list, a=[1]), lambda v: (v["b"], v["a"].append(2))),
    "deque": (deque([1, 2], 2), lambda v: v.append(3)),
    "set": ({1, 2}, lambda v: v.add(3)),
    "tuple": (([1], "a"), lambda v: v[0].clear()),
    "array": (np.arange(3.0), lambda v: v.sort()),
}
CHANGES["array"] = np.array([3.0, 1.0, 2.0]), lambda v: v.sort()


@pytest.mark.parametrize("name", CHANGES)
def test_a_container_has_what_was_in_it(name: str) -> None:
    value, change = CHANGES[name]
    before, restore = repr(value), snapshot(value)
    for _ in range(2):  # it may be called again and again
        change(value)
        assert repr(value) != before
        assert restore() is value
        assert repr(value) == before


def test_a_tensor_keeps_its_gradient_and_who_holds_it() -> None:
    weight = torch.ones(3, requires_grad=True)
    weight.grad = torch.full((3,), 7.0)
    view, gradient, restore = weight.detach()[:2], weight.grad, snapshot([weight])
    weight.data.add_(1.0)
    weight.grad.zero_()
    weight.grad = None
    restore()
    assert view.tolist() == [1.0, 1.0]
    assert weight.grad is gradient
    assert gradient.tolist() == [7.0] * 3


def test_what_a_graph_has_saved_can_still_be_used() -> None:
    weight = torch.full((2,), 3.0, requires_grad=True)
    loss = (weight**2).sum()
    snapshot(weight)()
    loss.backward()
    assert weight.grad.tolist() == [6.0, 6.0]


def test_a_tensor_of_another_shape_gets_its_own_again() -> None:
    value = torch.zeros(2)
    restore = snapshot(value)
    value.data = torch.ones(5)
    restore()
    assert value.tolist() == [0.0, 0.0]


def test_what_holds_itself_is_no_endless_way() -> None:
    value: list[Any] = [1]
    value.append(value)
    restore = snapshot(value)
    value.append(2)
    restore()
    assert len(value) == 2
    assert value[1] is value


def test_an_optimizer_has_its_state_and_rates() -> None:
    weight = torch.ones(2, dtype=torch.bfloat16, requires_grad=True)
    optimizer = torch.optim.Adam([weight], lr=0.5)
    restore = snapshot(optimizer)
    weight.grad = torch.ones_like(weight)
    optimizer.step()
    optimizer.param_groups[0]["lr"] = 9.0
    optimizer.add_param_group({"params": [torch.ones(1, requires_grad=True)]})
    restore()
    assert not optimizer.state
    assert [group["lr"] for group in optimizer.param_groups] == [0.5]
    assert weight.tolist() == [1.0, 1.0]
