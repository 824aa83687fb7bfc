"""A range test with PyTorch: the rate trains the network, which is left as it was."""

import pytest

import psi
from tests.advice.digits import digits, trains_well

torch = pytest.importorskip("torch")

from psi.advice.range_torch import range_steps  # noqa: E402


def test_torch_trains_at_the_rate_and_is_left_as_it_was() -> None:
    torch.manual_seed(0)
    x, y = (torch.tensor(each) for each in digits())
    model = torch.nn.Sequential(torch.nn.Linear(64, 512), torch.nn.ReLU(), torch.nn.Linear(512, 10))
    optimizer = torch.optim.SGD(
        [{"params": model[0].parameters(), "lr": 0.2}, {"params": model[2].parameters()}], lr=0.1
    )
    rows = torch.utils.data.TensorDataset(x, y)
    batches = torch.utils.data.DataLoader(rows, batch_size=128, shuffle=True)
    loss = lambda model, batch: torch.nn.functional.cross_entropy(model(batch[0]), batch[1])  # noqa: E731
    before = [p.detach().clone() for p in model.parameters()]
    begin = range_steps(model, optimizer, batches, loss)
    trains_well(psi.suggest_lr(begin))
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert [group["lr"] for group in optimizer.param_groups] == [0.2, 0.1]
    begin(0)(1e-3)
    assert [group["lr"] for group in optimizer.param_groups] == [1e-3, 5e-4]


def test_batches_that_are_used_up_are_refused() -> None:
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    once = iter([torch.ones(3, 2)])
    step = range_steps(model, optimizer, once, lambda model, batch: model(batch).mean())(0)
    step(1e-3)
    with pytest.raises(ValueError, match="minibatches that can be gone through again"):
        step(1e-3)
