"""Runs a second of the engine on the canonical case, beside what a user might write by hand.

Canonical case: scikit-learn's digits (first 1,536 rows, pixels / 16), a 64-32-10 ReLU network,
cross-entropy, SGD, batch 64, 10 epochs of 24 steps, one learning rate a run between 1e-2 and 1. A
run is one network trained for all 10 epochs. Times exclude compilation, which is given separately,
and are the best of three.
"""

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_digits

from psi.bench.speed.atlas import bench_atlas
from psi.bench.speed.by_hand import naive_vmap, one_at_a_time
from psi.lab.data import store
from psi.lab.data.sweep import Job, train_calls
from psi.lab.data.trajectories import Plan
from psi.lab.engine.policy import trajectory
from psi.lab.engine.population import train
from psi.lab.engine.timing import alternately, seconds
from psi.lab.engine.work import Layout, Work, cut, layout
from psi.lab.hyper import Hyper
from psi.lab.networks.mlp import mlp
from psi.lab.tasks.build import fixed_task
from psi.lab.tasks.table import make_task
from psi.lab.tasks.task import Batch, Splits, Task
from psi.progress import Report, silent

BATCH, EPOCHS, ROWS = 64, 10, 1536
LEAN = ("loss_running",)
SIZES = (16, 64, 256, 1024, 4096)
WIDTHS = (16, 32, 64, 128)
FLOPS = 2 * 3 * BATCH * (64 * 32 + 32 * 10) - 2 * BATCH * 64 * 32
"""Multiplications and additions of a step's products: forward, and backward twice but for the
inputs of the first layer."""
FLOPS_A_RUN = FLOPS * EPOCHS * (ROWS // BATCH)


def bench_engine(quick: bool = False, report: Report = silent) -> dict[str, Any]:
    """All figures, by the names that `psi bench engine --json` prints."""
    task = canonical_task()
    sizes = SIZES[:2] if quick else SIZES
    report(0, 100, "matrix product")
    gemm = sgemm_gflops()
    report(5, 100, "width")
    widths = _by_width(task, 512, WIDTHS[: 1 if quick else None])
    best = max(widths, key=lambda width: widths[width])
    report(25, 100, "populations")
    by_size = {size: _rate(task, size, best) for size in sizes}
    report(50, 100, "recording, devices")
    recorded, fraction, speedup = _in_turns(task, sizes[-1] if quick else 2048, best)
    report(60, 100, "by hand")
    naive, single = naive_vmap(task, 16 if quick else 256), one_at_a_time(task, 2 if quick else 8)
    report(80, 100, "other networks")
    others = {} if quick else {name: _other(name, best) for name in ("cnn", "transformer")}
    report(90, 100, "atlas")
    atlas = bench_atlas(quick)
    report(100, 100, "")
    lean = max(rate for rate, _ in by_size.values())
    return {
        "device": jax.devices()[0].device_kind, "devices": jax.local_device_count(),
        "width": best, "runs_per_second": round(lean, 1),
        "compile_s": round(by_size[sizes[0]][1], 2),
        "runs_per_second_recorded": round(recorded, 1),
        "recorded_fraction": round(fraction, 3),
        "device_speedup": round(speedup, 2), "naive_vmap": round(naive, 1),
        "one_at_a_time": round(single, 1), "sgemm_gflops": round(gemm, 1),
        "gemm_fraction": round(lean * FLOPS_A_RUN / gemm / 1e9, 3),
        "by_width": {str(width): round(rate, 1) for width, rate in widths.items()},
        "by_population": {str(size): round(rate, 1) for size, (rate, _) in by_size.items()},
        **others, **atlas,
    }  # fmt: skip


def canonical_task() -> Task:
    """The canonical case; the rows that are left over are validation and test."""
    x, y = (np.asarray(a) for a in load_digits(return_X_y=True))
    x, y = jnp.asarray(x / 16, jnp.float32), jnp.asarray(y, jnp.int32)
    parts = [slice(0, ROWS), slice(ROWS, ROWS + 128), slice(ROWS + 128, None)]
    splits = Splits(*(Batch(x[p], y[p]) for p in parts))
    hyper = Hyper(epochs=EPOCHS, network="mlp")
    return fixed_task("digits", mlp(64, 10, 32), splits, hyper, 10, BATCH)


def sgemm_gflops(n: int = 2048) -> float:
    """This machine's float32 matrix product, GFLOP/s: the better of numpy's and JAX's own.

    Each has all cores. Which is better depends on the machine; numpy's alone was overtaken by the
    engine on one.
    """
    a = np.random.default_rng(0).normal(size=(n, n)).astype(np.float32)
    product, b = jax.jit(lambda a: a @ a), jnp.asarray(a)
    both = (lambda: a @ a, lambda: product(b).block_until_ready())
    best = min(seconds(run, 5)[1] for run in both)
    return 2 * n**3 / best / 1e9


def _work(size: int, width: int, epochs: int) -> Work:
    rates = np.geomspace(0.01, 1, min(size, 256), dtype=np.float32)
    lanes, seeds = rates[:, None].repeat(epochs, 1), np.arange(-(-size // len(rates)))
    # A small population is cut so that every device has its share of it.
    devices = jax.local_device_count()
    width = min(width, -(-size // devices))
    units = -(-len(lanes) // width) * len(seeds)
    most = layout().units
    return cut(lanes, seeds, Layout(width, min(most, -(-units // devices) * devices)))


def recorded_job(task: Task, size: int, width: int) -> Job:
    """Constant rates on a task, as the sweep of a data set has them."""
    work = _work(size, width, task.facts.epochs)
    none = np.full(work.lane_count, -1)
    plan = Plan(np.empty((0, 0)), ["constant"] * work.lane_count, none, none)
    return Job(task, plan, work, jax.random.key(0))


def _rate(task: Task, size: int, width: int) -> tuple[float, float]:
    """Runs a second recording the running loss alone, and seconds to compile."""
    work = _work(size, width, task.facts.epochs)
    first, spent = seconds(partial(_lean, task, work))
    return _runs(work) / spent, max(first - spent, 0.0)


def _by_width(task: Task, size: int, widths: Sequence[int]) -> dict[int, float]:
    """Runs a second, lean, by lanes a program."""
    works = [_work(size, width, task.facts.epochs) for width in widths]
    spent = alternately([partial(_lean, task, work) for work in works], 3).min(1)
    return {width: _runs(w) / s for width, w, s in zip(widths, works, spent, strict=True)}


def _in_turns(task: Task, size: int, width: int) -> tuple[float, float, float]:
    """Runs a second with all recorded; as a share of lean ones; the latter on all devices over one.

    Recorded: every column of the data contract computed and committed to disk. Lean: the running
    loss alone. A ratio is the median over turns.
    """
    job = recorded_job(task, size, width)
    # Units that no number of devices divides are trained on one.
    alone = job.work._replace(shape=job.work.shape._replace(units=17))
    runs = (partial(_lean, task, job.work), partial(_record, job), partial(_lean, task, alone))
    lean, recorded, single = alternately(runs)
    padded = alone.calls * alone.shape.units / (job.work.calls * job.work.shape.units)
    fraction, speedup = np.median(lean / recorded), np.median(single / lean / padded)
    return _runs(job.work) / recorded.min(), float(fraction), float(speedup)


def _lean(task: Task, work: Work) -> None:
    for _ in train(task, trajectory, work, jax.random.key(0), range(work.calls), LEAN):
        pass


def _record(job: Job) -> None:
    with tempfile.TemporaryDirectory() as name, store.locked(folder := Path(name)):
        for call, frame in train_calls(job, list(range(job.work.calls)), 0.1):
            store.write_part(folder, f"part-{call}", frame)


def _runs(work: Work) -> int:
    # Calls are padded: what counts is what was asked for.
    return work.lane_count * len(work.seeds)


def _other(network: str, width: int) -> dict[str, float]:
    """Runs a second on another network, by the engine and written by hand."""
    name, epochs = ("digits", 4) if network == "cnn" else ("pydoc", 2)
    task = make_task(name, Hyper(epochs, network=network))
    return {
        "runs_per_second": round(_rate(task, 64, width)[0], 2),
        "naive_vmap": round(naive_vmap(task, 16, 1), 2),
        "one_at_a_time": round(one_at_a_time(task, 2, 1), 2),
        "parameters": task.facts.parameters,
        "steps_a_run": task.facts.steps * epochs,
    }
