"""A range test with PyTorch: the rate trains the network, which is left as it was."""

import random
import runpy
from pathlib import Path
from typing import Any

import numpy as np
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


Kind = tuple[Any, Any]  # a module, and what its loss uses besides, or None


class Own(torch.nn.Module):
    """A linear layer and what a state dict leaves out."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)
        self.register_buffer("hidden", torch.zeros(1), persistent=False)
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, x: Any) -> Any:
        self.hidden += 1
        for value in vars(self).values():
            if isinstance(value, torch.Tensor | np.ndarray):
                value += 1
            elif isinstance(value, list):
                value.append(len(value))
            elif isinstance(value, dict) and "calls" in value:
                value["calls"] += 1
        self.calls = getattr(self, "calls", 0) + 1
        if (generator := getattr(self, "generator", None)) is not None:
            x = x + torch.rand(x.shape, generator=generator)
        if (rng := getattr(self, "rng", None)) is not None:
            x = x + float(rng.random())
        return self.layer(x)


def sequential(*modules: Any) -> Any:
    return torch.nn.Sequential(*modules, torch.nn.Linear(4, 1))


MODELS: dict[str, Any] = {
    "linear": lambda: torch.nn.Linear(4, 1),
    "BatchNorm": lambda: sequential(torch.nn.BatchNorm1d(4)),
    "BatchNorm that is evaluated": lambda: sequential(torch.nn.BatchNorm1d(4)).eval(),
    "dropout": lambda: sequential(torch.nn.Dropout(0.5)),
    "spectral norm": lambda: torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(4, 1)),
    "weight norm": lambda: torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(4, 1)),
    "hidden buffer and counter": Own,
    "plain tensor": lambda: Own(mean=torch.zeros(3)),
    "plain array": lambda: Own(mean=np.zeros(3)),
    "history": lambda: Own(history=[1, 2]),
    "dictionary": lambda: Own(counts={"calls": 0}),
    "a generator of torch": lambda: Own(generator=torch.Generator().manual_seed(3)),
    "a generator of numpy": lambda: Own(rng=np.random.default_rng(3)),
    "a generator of Python": lambda: Own(rng=random.Random(3)),
    "frozen layer": lambda: sequential(torch.nn.Linear(4, 4).requires_grad_(False)),
    "bfloat16": lambda: torch.nn.Linear(4, 1).bfloat16(),
    "shared weights": lambda: (lambda a: torch.nn.Sequential(a, a, torch.nn.Linear(4, 1)))(
        torch.nn.Linear(4, 4)
    ),
    "scripted": lambda: torch.jit.script(sequential(torch.nn.BatchNorm1d(4))),
}
OPTIMIZERS: dict[str, Any] = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.1),
    "a rate that is a tensor": lambda p: torch.optim.Adam(p, lr=torch.tensor(0.1)),
    "AdamW, amsgrad": lambda p: torch.optim.AdamW(p, lr=0.1, amsgrad=True),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.1, momentum=0.5),
    "Adagrad": lambda p: torch.optim.Adagrad(p, lr=0.1),
}


def plain(value: Any, seen: tuple[int, ...] = ()) -> Any:
    """What is in modules, optimizers and containers, in plain Python, with ids of tensors."""
    if id(value) in seen:
        return "again"
    seen = (*seen, id(value))
    if isinstance(value, torch.Tensor):
        gradient = plain(value.grad, seen) if value.is_leaf else None
        return id(value), str(value.dtype), value.tolist(), value.requires_grad, gradient
    if isinstance(value, torch.nn.Module):
        tensors = [*value.named_parameters(), *value.named_buffers()]
        return plain(tensors, seen), plain(vars(value), seen)
    if isinstance(value, torch.optim.Optimizer):
        return plain(vars(value), seen)
    if isinstance(value, dict):
        return [(k if isinstance(k, str) else id(k), plain(v, seen)) for k, v in value.items()]
    if isinstance(value, list | tuple):
        return [plain(each, seen) for each in value]
    if isinstance(value, torch.Generator):
        return value.get_state().tolist()
    if isinstance(value, random.Random):
        return value.getstate()
    if isinstance(value, np.random.Generator):
        return str(value.bit_generator.state)
    return value.tolist() if isinstance(value, np.ndarray) else repr(value)


def random_states() -> Any:
    legacy = np.random.get_state()  # noqa: NPY002
    return random.getstate(), str(legacy), torch.get_rng_state().tolist()


def square(model: Any, batch: Any) -> Any:
    return (model(batch.to(next(model.parameters()).dtype)) ** 2).mean()


def left_as_it_was(
    model: Any, optimizer: Any, batches: Any, *others: Any, loss: Any = square
) -> None:
    """Trained once before, so that gradients and the optimizer's state are there; then tested."""
    if not isinstance(batches, torch.Tensor):
        first = next(iter(batches))
        batches_state = plain(getattr(batches, "generator", None))
    else:
        first, batches_state = batches[0], None
    loss(model, first).backward()
    optimizer.step()
    before = plain([model, optimizer, *others])
    states = random_states()
    begin = range_steps(model, optimizer, batches, loss)
    step = begin(3)
    losses = [step(0.01 * k) for k in range(1, 4)]
    assert random_states() == states  # between steps, too
    assert plain([model, optimizer, *others]) != before
    again = begin(3)
    assert [again(0.01 * k) for k in range(1, 4)] == losses
    begin(0)
    assert plain([model, optimizer, *others]) == before
    assert random_states() == states
    if batches_state is not None:
        assert plain(getattr(batches, "generator", None)) == batches_state


BATCHES = torch.arange(48.0).reshape(3, 4, 4) / 48


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
@pytest.mark.parametrize("name", MODELS)
def test_kind_every_model_is_left_as_it_was(name: str) -> None:
    model = MODELS[name]()
    left_as_it_was(model, torch.optim.SGD(model.parameters(), lr=0.1), BATCHES)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_kind_every_optimizer_is_left_as_it_was(name: str) -> None:
    model = torch.nn.Linear(4, 1)
    left_as_it_was(model, OPTIMIZERS[name](model.parameters()), BATCHES)


class Noisy(torch.utils.data.Dataset[Any]):
    """Rows with noise from a generator of its own, as augmentation is."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(2)

    def __len__(self) -> int:
        return 12

    def __getitem__(self, k: int) -> Any:
        noise = self.rng.random(4) + random.random() + np.random.random()  # noqa: NPY002
        return torch.tensor(noise, dtype=torch.float32) + torch.rand(4) + k


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("within", [False, True])
def test_kind_the_randomness_of_minibatches_is_left_as_it_was(own: bool, within: bool) -> None:
    data: Any = Noisy()
    rows = torch.utils.data.Subset(data, range(8)) if within else data
    generator = torch.Generator().manual_seed(1) if own else None
    batches = torch.utils.data.DataLoader(rows, batch_size=4, shuffle=True, generator=generator)
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    next(iter(batches))
    before = plain([data.rng, generator])
    begin = range_steps(model, optimizer, batches, square)
    runs = [[begin(seed)(0.0) for _ in range(2)] for seed in (0, 1)]
    assert len(set(runs[0])) == 1
    assert runs[0] != runs[1]
    assert plain([data.rng, generator]) == before


def test_a_module_that_only_the_loss_uses_is_left_as_it_was() -> None:
    model, teacher = torch.nn.Linear(4, 1), torch.nn.BatchNorm1d(4)

    def loss(model: Any, batch: Any) -> Any:
        return (model(teacher(batch)) ** 2).mean()

    left_as_it_was(model, torch.optim.SGD(model.parameters()), BATCHES, teacher, loss=loss)


def test_case_finder_leaves_gradients(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(Path(__file__).parents[1] / "cases/finder_leaves_gradients/case.py"))
    assert capsys.readouterr().out == "[True, True]\n"


def test_a_lazy_module_must_have_seen_a_minibatch() -> None:
    model = torch.nn.LazyLinear(1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ValueError, match="a lazy module has no weights yet"):
        range_steps(model, optimizer, BATCHES, square)
