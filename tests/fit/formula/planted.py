"""Points of formulas that are known."""

import numpy as np

from psi.fit.formula.families import RAW, family
from psi.fit.formula.points import points
from psi.law.expression import evaluate
from psi.law.parsing import parse

TRUE = {"rate": 0.3, "loss": 0.2, "time": 0.25, "number": 0.6, "divisor": 3.0}
WARMUP = 0.4
EPOCHS = 20
INVERSE_TIME = family("saturating*inverse_time", RAW)
CONSTANT = family("constant", RAW)
SATURATING = parse("a*loss/(loss + c)")


def planted(of, features, count=400, seed=1, tasks=6):
    """(noise-free points of a family, its constants)."""
    rng = np.random.default_rng(seed)
    loss, time = np.exp(rng.uniform(-3, 0.3, count)), rng.uniform(0, 0.97, count)
    times = EPOCHS if features == RAW else 1
    time = np.floor(time * EPOCHS) if features == RAW else time
    size = np.floor(10 ** rng.uniform(1, 5, count))
    seen = np.stack([loss, time, size][: len(features)])
    true = {
        each.name: (WARMUP if each.name == "w" else TRUE[each.quantity])
        * (times if each.quantity == "time" else 1)
        for each in of.formula.parameters
    }
    rate = evaluate(of.formula.tree, (*features, *true), [*seen, *true.values()], np)
    names = np.array([f"t{k}" for k in range(tasks)], object)[rng.integers(0, tasks, count)]
    return points(features, seen, np.broadcast_to(rate, count), task=names), true


def noisy(noise=0.1, effect=0.0, tasks=10, count=400, seed=0, of=INVERSE_TIME):
    """α = 0.3 ε/(ε + 0.2)/(1 + i/5), each task's rates a common factor apart."""
    data, true = planted(of, RAW, count, seed, tasks)
    rng = np.random.default_rng(seed + 1)
    off = effect * rng.normal(size=tasks)
    number = np.array([int(name[1:]) for name in data.task])
    return data._replace(
        log_rate=data.log_rate + off[number] + noise * rng.normal(size=count)
    ), np.array(list(true.values()))


def sample(noise=0.1, count=400, tasks=8, effect=0.0, seed=0):
    """α = 2 ε/(ε + 0.3), rates of each task a factor exp(effect · z) apart."""
    rng = np.random.default_rng(seed)
    loss = np.exp(rng.uniform(-4, 2, count))
    task = rng.integers(0, tasks, count)
    log_rate = np.log(2 * loss / (loss + 0.3)) + effect * rng.normal(size=tasks)[task]
    epoch = rng.uniform(0, 10, count)
    names = np.array([f"t{k}" for k in range(tasks)], object)
    rate = np.exp(log_rate + noise * rng.normal(size=count))
    return points(("loss", "epoch"), np.stack([loss, epoch]), rate, task=names[task])
