"""Rows, a Flax network, an optimizer and a schedule of your own, all the way to a law in charge.

python -m experiments.your_own    # run again, it goes on where it was stopped; or by commands:
psi generate --plugin experiments/your_own.py --tasks rings --optimizers lion --out out/rings
"""

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro
from flax import nnx

import psi

rng = np.random.default_rng(0)
y = rng.integers(0, 2, 640)  # which of two noisy rings a point is on
angle, radius = rng.uniform(0, 2 * np.pi, 640), 1 + y + 0.3 * rng.normal(size=640)
x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).astype(np.float32)
SPLITS = psi.Splits(*map(psi.Batch, *(jnp.split(a, [384, 512]) for a in (jnp.array(x), y))))
NETWORK = psi.from_flax(
    lambda r: nnx.Sequential(nnx.Linear(2, 16, rngs=r), nnx.tanh, nnx.Linear(16, 2, rngs=r))
)
RINGS = partial(psi.fixed_task, "rings", NETWORK, SPLITS, classes=2)  # hyperparameters → task
PLUGIN = psi.Plugin(
    tasks=(psi.TaskSource("rings", RINGS),),
    optimizers=(psi.own_optimizer("lion", optax.scale_by_lion, 1e-4, 0.3),),
    trajectories=(psi.TrajectoryFamily("saw", lambda d: -0.7 * (np.arange(d.epochs) % 3)[None]),),
)


def main(out: Path = Path("out/your_own"), epochs: int = 10, seeds: int = 4) -> None:
    """Records, ideal rates, a law, and a training run that it schedules."""
    psi.use(PLUGIN)
    out.mkdir(parents=True, exist_ok=True)
    hyper, tasks = psi.Hyper(epochs, "lion"), ("rings", "teacher-0")
    config = psi.GenerateConfig(tasks, hyper, seeds=seeds, families=("saw", "cosine", "walk"))
    psi.generate(config, out / "data")
    psi.estimate(out / "data", out / "ideal", psi.IdealConfig(states=seeds, orders=4))
    fit = psi.FitConfig(family="polynomial", resamples=20)
    psi.fit_law(out / "data", fit, estimates=out / "ideal").law.save(out / "law.json")
    law, task, key = psi.load(out / "law.json"), RINGS(hyper), jax.random.key(1)
    tx = optax.chain(optax.scale_by_lion(), psi.scale_by_psi(law, task.facts.steps, epochs))
    params, state = task.init(key), tx.init(task.init(key))
    for i in range(epochs):
        for batch in zip(*task.functions.epoch(task.arrays, key, jnp.asarray(i))[:2], strict=True):
            loss, grads = jax.value_and_grad(task.loss)(params, psi.Batch(*batch))
            updates, state = tx.update(grads, state, params, value=loss)
            params = optax.apply_updates(params, updates)
    print(f"Ψ = {law}; validation loss {task.loss(params, task.splits.validation):.3f}")


if __name__ == "__main__":
    tyro.cli(main)
