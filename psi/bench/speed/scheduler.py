"""What a law costs as a scheduler: a step of optax, one of PyTorch, and loading.

Two programs are timed in turns, block by block, so that both see the same machine; a difference is
the median over pairs of blocks.
"""

import subprocess
import sys
import warnings
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from psi.lab.engine.timing import alternately
from psi.law.law import Law, Range
from psi.law.load import load
from psi.law.network import Layer, Network
from psi.progress import Report, silent
from psi.schedulers.optax import scale_by_psi
from psi.verify.rows import Row, at_most

STEPS, EPOCHS = 24, 20
SMALL = (64, 32, 10)
LARGE = (784, 1200, 1200, 500, 10)  # widths of a network of three million parameters
BATCH = 64
OVER_COSINE = 10e-6
SHARE = 0.01
STEP_FORMULA, STEP_NETWORK = 50e-6, 100e-6
LOAD = 0.2
LOADING = "import time; t = time.perf_counter(); import psi; psi.load('sgd'); "

Run = Callable[[int], None]  # calls → None: does something that many times


def bench_scheduler(quick: bool = False, report: Report = silent) -> list[Row]:
    """Seconds, each beside its limit; PyTorch's only where that is installed."""
    # Short blocks and many: the machine's own unrest is more than what is looked for.
    blocks, calls, loads = (3, 20, 2) if quick else (300, 100, 7)
    laws = ((load("sgd"), "formula"), (network(), "network"))
    rows: list[Row] = []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "psi: ")  # of more epochs and parameters than a law's
        if find_spec("torch"):  # first, as XLA's threads go on spinning for a while
            report(0, 100, "torch")
            rows += [_torch_row(law, name, blocks, calls) for law, name in laws]
        for number, (law, name) in enumerate(laws):
            report(25 * (number + 1), 100, f"optax, {name}")
            rows += _optax_rows(law, name, blocks, calls)
    report(75, 100, "loading")
    command = [sys.executable, "-c", LOADING + "print(time.perf_counter() - t)"]
    found = [subprocess.run(command, capture_output=True, check=True) for _ in range(loads)]
    spent = float(np.median([float(each.stdout) for each in found]))
    what = "seconds of import psi and psi.load, numpy included"
    rows.append(at_most("loading", what, spent, LOAD))
    report(100, 100, "")
    return rows


def network() -> Law:
    """A law of two hidden layers of eight, as `psi fit` makes them; its weights do not matter."""
    rng = np.random.default_rng(0)
    widths = ((2, 8), (8, 8), (8, 1))
    layers = tuple(Layer(rng.normal(size=each) / 3, np.zeros(each[1])) for each in widths)
    model = Network(("log", "identity"), np.zeros(2), np.ones(2), layers)
    domain = (Range(1e-3, 2.0), Range(0.0, 0.95))
    return Law(model, ("loss_ratio", "progress"), domain, Range(1e-4, 1.0), "sgd", 2.0)


def _optax_rows(law: Law, name: str, blocks: int, calls: int) -> list[Row]:
    psi = scale_by_psi(law, STEPS, EPOCHS)
    cosine = optax.scale_by_learning_rate(optax.cosine_decay_schedule(0.1, STEPS * EPOCHS))
    small = [_run(_step(tx, SMALL)) for tx in (psi, cosine)]
    more, step = in_turns(small[0], small[1], blocks, calls)
    what = f"seconds a step over cosine_decay_schedule, 64-32-10, of {step:.3g}"
    rows = [at_most(f"optax, {name}", what, more, OVER_COSINE)]
    large = [_run(_step(tx, LARGE)) for tx in (psi, cosine)]
    more, step = in_turns(large[0], large[1], blocks, max(calls // 25, 1))
    what = f"share of a step of {_parameters(LARGE):,} parameters, {step:.3g} s"
    return [*rows, at_most(f"optax, {name}", what, more / step, SHARE)]


def _parameters(widths: tuple[int, ...]) -> int:
    return sum((a + 1) * b for a, b in pairwise(widths))


def _step(tx: Any, widths: tuple[int, ...]) -> tuple[Any, Any]:
    """A jitted step of training as a user writes it, and what it starts from.

    The loss is among what it returns: who trains, looks at it, under a cosine schedule too.
    """
    tx = optax.with_extra_args_support(tx)
    keys = jax.random.split(jax.random.key(0), len(widths))
    shapes = zip(keys, pairwise(widths), strict=False)
    weights = [jax.random.normal(key, shape) / shape[0] ** 0.5 for key, shape in shapes]
    params = [(w, jnp.zeros((1, w.shape[1]))) for w in weights]
    x = jax.random.normal(keys[-1], (BATCH, widths[0]))

    def loss(params: Any) -> Float[Array, ""]:
        h = x
        for w, b in params[:-1]:
            h = jax.nn.relu(h @ w + b)
        return jnp.mean((h @ params[-1][0] + params[-1][1]) ** 2)

    def step(carry: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
        params, state, _ = carry
        value, gradients = jax.value_and_grad(loss)(params)
        updates, state = tx.update(gradients, state, params, value=value)
        return optax.apply_updates(params, updates), state, value

    return jax.jit(step, donate_argnums=0), (params, tx.init(params), jnp.zeros(()))


def _run(program: tuple[Any, Any]) -> Run:
    """A Run that continues one training by that many steps."""
    step, start = program
    carry = [start]

    def run(calls: int) -> None:
        state = carry.pop()
        for _ in range(calls):
            state = step(state)
        carry.append(jax.block_until_ready(state))

    return run


def _torch_row(law: Law, name: str, blocks: int, calls: int) -> Row:
    import torch

    from psi.schedulers.torch import PsiLR

    def stepped(make: Callable[[Any], Any]) -> Run:
        scheduler = make(torch.optim.SGD([torch.zeros(30, requires_grad=True)], lr=0.1))

        def run(calls: int) -> None:
            for number in range(calls):
                scheduler.step(1.0 + 0.1 * (number % 7))

        return run

    psi = stepped(lambda optimizer: PsiLR(optimizer, law, EPOCHS))
    plateau = stepped(torch.optim.lr_scheduler.ReduceLROnPlateau)
    more, step = in_turns(psi, plateau, blocks, calls)
    what = f"seconds of PsiLR.step, of ReduceLROnPlateau.step {step:.3g}"
    limit = STEP_FORMULA if name == "formula" else STEP_NETWORK
    return at_most(f"torch, {name}", what, more + step, limit)


def in_turns(one: Run, other: Run, blocks: int, calls: int) -> tuple[float, float]:
    """Seconds a call of `one` over those of `other`, and of `other`: medians over pairs."""
    runs = partial(one, calls), partial(other, calls)
    mine, base = alternately(runs, blocks, mirrored=True) / calls
    return float(np.median(mine - base)), float(np.median(base))
