"""Draw the judge's suites, once: which tasks laws are fitted on, chosen on and judged on.

    python -m experiments.suites

writes psi/bench/suites/{train,validation,sealed}.json. Hyperparameters are drawn at random for each
data set of a suite (psi/lab/tasks/carried.csv), from ranges that are wider for `sealed`: what is
sealed is also budgets, minibatches, networks and initial weights that no other suite has. A draw
whose training would be too long for a suite of many methods is drawn again. No training was looked
at when this was written, and the files stand: another draw would be another suite.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from psi.bench.suites import held_out
from psi.bench.suites.suite import written
from psi.lab.hyper import Hyper
from psi.lab.tasks.carried import CARRIED
from psi.lab.tasks.names import Spec
from psi.lab.tasks.table import spec_task
from psi.lab.tasks.task import Task

SEED = 20261125
MOST = 1.5e8  # parameters × rows × epochs of a training
OPERATIONS = 4 * MOST  # of a sealed one's forward passes: a convolution uses its weights many times
STEPS = (3, 400)  # an epoch
FOLDER = Path(held_out.__file__).parent


class Ranges(NamedTuple):
    """What a task's hyperparameters are drawn from, each value alike."""

    epochs: Sequence[int]
    batch: Sequence[int]
    width: Sequence[int]
    depth: Sequence[int]
    networks: Sequence[str]
    initialisation: Sequence[str]
    init_scale: tuple[float, float]
    texts: Sequence[str]


USUAL = Ranges(
    (5, 10, 15, 20, 30, 40), (8, 16, 32, 64, 128), (8, 16, 32, 64, 128), (1, 1, 2, 3),
    ("linear", "mlp", "mlp", "mlp", "residual"), ("he", "he", "keras", "flax"), (0.5, 1.5),
    ("gru", "gru", "transformer"),
)  # fmt: skip
BEYOND = USUAL._replace(
    epochs=(3, 6, 12, 25, 50, 75), batch=(6, 20, 48, 100, 200), width=(12, 24, 48, 96, 200),
    depth=(1, 2, 4), initialisation=("he", "pytorch", "pytorch", "flax"),
)  # fmt: skip
TASKS = {"train": 3, "validation": 2, "sealed": 2}  # a domain
GENERATED = {"train": 8, "validation": 0, "sealed": 4}
TEXTS = {"train": 4, "validation": 0, "sealed": 4}


def draw(rng: np.random.Generator, kind: str, of: Ranges) -> Hyper:
    """Hyperparameters for a data set of that kind."""
    networks = {"text": of.texts, "image": (*of.networks, "cnn")}.get(kind, of.networks)
    network = str(rng.choice(networks))
    own = str(rng.choice(of.initialisation))
    low, high = of.init_scale
    return Hyper(
        epochs=int(rng.choice(of.epochs)),
        batch=int(rng.choice(of.batch)),
        width=int(rng.choice(of.width)) // (4 if network in ("cnn", *of.texts) else 1),
        depth=int(rng.choice(of.depth)) if network in ("mlp", "residual") else None,
        network=network,
        activation=str(rng.choice(("relu", "relu", "tanh", "gelu"))),
        init_scale=round(low * (high / low) ** rng.random(), 2) if own == "he" else 1.0,
        normalised=bool(network in ("mlp", "residual") and rng.random() < 0.2),
        initialisation="" if own == "he" else own,
    )


def short(spec: Spec, sealed: bool) -> bool:
    """Whether the task can be made, and its trainings are neither too long nor too few steps."""
    try:
        task = spec_task(spec, "adam")
    except ValueError:
        return False
    facts = task.facts
    rows = facts.steps * facts.batch * facts.epochs
    fits = STEPS[0] <= facts.steps <= STEPS[1] and facts.parameters * rows <= MOST
    return fits and not (sealed and forward(task) > OPERATIONS)


def forward(task: Task) -> float:
    """Operations of the forward passes of a training, as XLA counts those of an epoch."""
    functions, key = task.functions, jax.random.key(0)
    params = functions.init(task.arrays, key)
    batches = functions.epoch(task.arrays, key, jnp.asarray(0))
    one = jax.tree.map(lambda a: a[0], batches)
    counted = jax.jit(functions.loss).lower(task.arrays, params, one).cost_analysis()
    return float((counted or {})["flops"]) * task.facts.steps * task.facts.epochs


def drawn(name: str) -> tuple[Spec, ...]:
    """The tasks of a suite: as many of each domain, its data sets in turn."""
    rng = np.random.default_rng([SEED, *name.encode()])
    ranges = BEYOND if name == "sealed" else USUAL
    rows = [row for row in CARRIED.values() if row.suite == name]
    specs: list[Spec] = list(held_out.HELD_OUT) if name == "validation" else []
    looked_at = {spec.name.split("-")[0] for spec in specs}
    for domain in dict.fromkeys(row.domain for row in rows if row.domain not in looked_at):
        own = [row for row in rows if row.domain == domain]
        kind = own[0].kind
        count = {"generator": GENERATED, "text": TEXTS}.get(kind, TASKS)[name]
        own = [own[k] for k in rng.permutation(len(own))]
        for number in range(count):
            row = own[number % len(own)]
            ends = f"-{100 + number}" + "-fixed" * (number % 3 == 2) if kind == "generator" else ""
            spec = Spec(row.name + ends, draw(rng, kind, ranges))
            while spec in specs or not short(spec, name == "sealed"):
                spec = spec._replace(hyper=draw(rng, kind, ranges))
            specs.append(spec)
    return tuple(specs)


def main() -> None:
    """Write the three files."""
    for name in TASKS:
        specs = drawn(name)
        (FOLDER / f"{name}.json").write_text(written(specs))
        print(f"{name}: {len(specs)} tasks")


if __name__ == "__main__":
    main()
